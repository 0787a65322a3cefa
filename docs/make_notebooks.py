"""Make the ready notebooks: ``make notebooks``.

The pages in docs/notebooks become notebooks/*.ipynb and are run, so that what they show is there.
With ``--small`` they are run on few images and written into a temporary folder, to see that they
run.
"""

import argparse
import json
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from pellucid.teach.notebooks import notebook

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "notebooks").glob("*.md"))
_MADE = ROOT / "notebooks"
_FEW = 600


def made(page: Path, few: int | None = None) -> str:
    """Return a page as a notebook, not yet run; `few` is how many images it takes, if not all."""
    text = page.read_text(encoding="utf-8")
    return notebook(text.replace("FEW = None", f"FEW = {few}"))


def run(page: Path, folder: Path, few: int | None = None) -> Path:
    """Run a page's notebook and write it into `folder` with what it shows."""
    found = nbformat.reads(made(page, few), as_version=4)
    with tempfile.TemporaryDirectory() as scratch:
        NotebookClient(found, timeout=1800, resources={"metadata": {"path": scratch}}).execute()
    for cell in found.cells:
        cell.metadata.pop("execution", None)  # times, which change with every run
        if cell.cell_type == "code":
            cell.outputs = [shown for shown in cell.outputs if shown.get("name") != "stderr"]
    path = folder / f"{page.stem}.ipynb"
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    wanted = [page for page in PAGES if not given.names or page.stem in given.names]
    for page in wanted:
        if given.small:
            with tempfile.TemporaryDirectory() as scratch:
                print(run(page, Path(scratch), _FEW).name)
        else:
            print(run(page, _MADE).name)
