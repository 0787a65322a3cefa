"""The explorer in a cell of a real JupyterLab, in a real browser."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import anywidget
import nbformat
import pytest
from playwright.sync_api import expect

pytest.importorskip("jupyterlab")

CELL = """
import pellucid as pl
from pellucid import layers as nn
digits = pl.data.load("digits")
def network():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
pl.explore({"one": pl.initialize(network(), 0), "other": pl.initialize(network(), 1)}, digits)
"""
FRAME = 'iframe[title="Pellucid\'s explorer"]'


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab that runs in an empty folder with one notebook."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(CELL.strip())]
    book = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(book, tmp_path / "explore.ipynb")
    shared = Path(anywidget.__file__).parents[4] / "share" / "jupyter"
    runtime = tmp_path / "runtime"
    environment = os.environ | {"JUPYTER_PATH": str(shared), "JUPYTER_RUNTIME_DIR": str(runtime)}
    said = (tmp_path / "said").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0",
         "--IdentityProvider.token=t", f"--ServerApp.root_dir={tmp_path}"],
        env=environment, stdout=said, stderr=said,
    )  # fmt: skip
    try:
        yield address(runtime, process)
    finally:
        process.terminate()
        process.wait(20)
        said.close()


def address(runtime, process):
    """Return where the server answers, once it does."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        assert process.poll() is None
        for path in runtime.glob("jpserver-*.json"):
            try:
                url = json.loads(path.read_text())["url"]
                urlopen(f"{url}api?token=t", timeout=5).close()
            except (ValueError, URLError):  # not written or not listening yet
                continue
            return url
        time.sleep(0.2)
    raise TimeoutError("JupyterLab did not start")


def run_first_cell(page):
    """Run the cell; what is asked for before the kernel is connected is lost, so ask again."""
    prompt = page.locator(".jp-Notebook .jp-Cell .jp-InputPrompt").first
    for _ in range(30):
        page.locator(".jp-Notebook .jp-Cell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(1_000)
        if prompt.inner_text() != "[ ]:":
            return
    raise TimeoutError("the kernel runs nothing")


def test_the_page_lives_in_a_cell_and_asks_the_kernel(browser, lab):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(f"{lab}doc/tree/explore.ipynb?token=t")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)
    run_first_cell(page)
    page.wait_for_selector(FRAME, timeout=60_000)
    inside = page.frame_locator(FRAME)
    inside.locator("body[data-ready]").wait_for(timeout=60_000)
    assert inside.locator("#title").inner_text().startswith("one")
    before = inside.locator(".readout").inner_text()
    inside.locator("#run").select_option("1")
    inside.locator("#title", has_text="other").wait_for()
    assert inside.locator(".check").first.inner_text().startswith("The steps give the number")
    expect(inside.locator(".readout")).not_to_have_text(before)
    page.close()
