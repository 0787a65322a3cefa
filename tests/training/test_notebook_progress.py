"""The output of a training run in a notebook says where the run is, and what came of each epoch."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pellucid.training import Epoch, Record, Step
from pellucid.training import notebook_progress as notebook

STEP = Step(2, 4, 3, 16, loss=0.25, accuracy=0.5, rate=0.1, seconds=0.5, samples=64)
EPOCH = Epoch(1, 4, 16, 0.5, 0.75, 1.5, 0.625, 0.1, 1.0, 1234.5, False)


@pytest.fixture
def shown(monkeypatch):
    """What the cell shows after each update."""
    pages: list[str] = []
    handle = SimpleNamespace(update=pages.append)

    def display(page: str, display_id: bool) -> object:
        pages.append(page)
        return handle

    module = SimpleNamespace(HTML=str, display=display)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=module))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return pages


def last_page(shown: list[str], given: Iterable[Record]) -> str:
    passed = list(notebook.show_in_notebook(given))
    assert passed == list(given)
    return shown[-1]


def test_the_bar_says_how_far_the_run_is(shown) -> None:
    page = last_page(shown, [STEP])
    assert '<progress value="19" max="64"' in page
    assert "epoch 2 of 4, step 3 of 16, loss 0.2500" in page
    assert "128 images/s" in page
    assert " left" in page
    page = last_page(shown, [STEP, replace(STEP, step=4)])
    assert '<progress value="20" max="64"' in page
    assert '<progress value="32" max="64"' in last_page(shown, [replace(EPOCH, epoch=2)])
    assert "left" not in last_page(shown, [STEP, replace(EPOCH, epoch=4)])


@pytest.mark.parametrize(("count", "note"), [(9, ""), (10, ""), (11, "1 epochs"), (14, "4 epochs")])
def test_the_last_ten_epochs_are_listed(count: int, note: str, shown) -> None:
    page = last_page(shown, [replace(EPOCH, epoch=i + 1, epochs=20) for i in range(count)])
    assert page.count("<tr>") == min(count, 10) + 1
    assert (f"and {note} before" in page) == bool(note)
    assert ("before" in page) == bool(note)
    assert f"{count}/20" in page
    assert ("<td>1/20" in page) == (count <= 10)


def test_a_row_has_all_numbers_of_its_epoch(shown) -> None:
    page = last_page(shown, [replace(EPOCH, metrics={"top_5": 0.5})])
    for told in ("0.5000", "75.00%", "1.5000", "62.50%", "1,234", "<th>top 5</th>"):
        assert told in page
    without = replace(EPOCH, validation_loss=None, validation_accuracy=None, metrics={"<b>": 1.0})
    page = last_page(shown, [without])
    assert "1.5000" not in page
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_time_to_compile_is_told_apart(shown) -> None:
    assert "Compiling" not in last_page(shown, [replace(EPOCH, compiling=0.4)])
    twice = [replace(EPOCH, compiling=0.75), replace(EPOCH, epoch=2, compiling=0.75)]
    assert "Compiling for this machine took 1.5 s more" in last_page(shown, twice)
