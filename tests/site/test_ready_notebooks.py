"""The ready notebooks are what their pages say, and run on few images."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from make_notebooks import PAGES, made, run  # noqa: E402

NEEDS_DATA = {"mnist-from-scratch", "cifar10-residual-network", "feature-maps-and-grad-cam"}


def sources(notebook):
    return [cell["source"] for cell in json.loads(notebook)["cells"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_ready_notebook_is_what_its_page_says(page):
    ready = (ROOT / "notebooks" / f"{page.stem}.ipynb").read_text(encoding="utf-8")
    assert sources(ready) == sources(made(page)), "make notebooks"
    cells = [c for c in json.loads(ready)["cells"] if c["cell_type"] == "code"]
    assert sum(bool(cell["outputs"]) for cell in cells) > len(cells) / 2


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.stem not in NEEDS_DATA], ids=lambda p: p.stem
)
def test_a_notebook_runs(page, tmp_path):
    assert run(page, tmp_path).exists()


@pytest.mark.parametrize("page", [p for p in PAGES if p.stem in NEEDS_DATA], ids=lambda p: p.stem)
def test_a_notebook_runs_on_few_real_images(page, tmp_path, real_data):
    assert run(page, tmp_path, few=600).exists()
