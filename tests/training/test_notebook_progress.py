"""The output of a training run in a notebook says where the run is, and what came of each epoch."""

import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pellucid.notebook import in_notebook
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


# Curves and times


def polylines(page: str) -> list[list[tuple[float, ...]]]:
    """Return the places of each line that is drawn."""
    return [
        [tuple(map(float, place.split(","))) for place in line.split()]
        for line in re.findall(r'points="([^"]*)"', page)
    ]


def test_curves_fill_their_picture_from_left_to_right_and_from_the_highest_to_the_lowest(
    shown,
) -> None:
    steps = [replace(STEP, epoch=1, step=i, loss=9.0 - i / 2, accuracy=None) for i in range(1, 17)]
    page = last_page(shown, [*steps, replace(EPOCH, validation_loss=4.75, accuracy=None)])
    training, validation = polylines(page)[:2]
    # eighths of the epoch between 5 and 255; 8.25 to 0.75 between 18 and 82
    expected = [(5 + 250 * i / 8, 18 + 64 * (i - 1) / 7) for i in range(1, 9)]
    np.testing.assert_allclose(training, expected, atol=0.051)
    np.testing.assert_allclose(validation, [(255, 18 + 64 * (8.25 - 4.75) / 7)], atol=0.051)
    assert 'aria-label="loss 1.25, validation 4.75"' in page
    assert page.count("<svg") == 1
    assert 'width="260" height="90"' in page


def test_a_curve_that_never_changes_is_a_line(shown) -> None:
    steps = [replace(STEP, epoch=1, step=i, loss=2.0) for i in range(1, 17)]
    page = last_page(shown, steps)
    assert {y for _, y in polylines(page)[0]} == {18.0}
    assert "validation" not in page
    assert page.count("<svg") == 2


def test_one_point_is_no_curve(shown) -> None:
    assert "<svg" not in last_page(shown, [replace(STEP, step=i) for i in (1, 2, 3)])
    assert "<svg" in last_page(shown, [replace(STEP, step=i) for i in (1, 2, 3, 4)])


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is set."""
    now = [1000.0]
    monkeypatch.setattr(notebook, "monotonic", lambda: now[0])
    return now


def test_the_time_left_is_in_proportion_to_the_steps_of_this_process(clock) -> None:
    run = notebook._Run()
    assert run.html() == "<div><div></div></div>"
    run.add(replace(STEP, epoch=2, step=1))  # a resumed run: 16 steps were done before
    clock[0] += 10
    assert ", 10 s, about 7:50 min left, 128 images/s" in run.html()  # 47 more steps
    for step in range(2, 17):
        run.add(replace(STEP, epoch=2, step=step))
    clock[0] += 22
    assert ", 32 s, about 1:04 min left" in run.html()  # 32 of 48
    run.add(replace(EPOCH, epoch=4))
    assert "left" not in run.html()
    assert "images/s</th>" in run.html()


def test_without_a_time_there_is_no_speed(clock) -> None:
    run = notebook._Run()
    run.add(replace(STEP, seconds=0.0))
    assert "images/s" not in run.html()


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.4, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (61, "1:01 min"), (3599.4, "59:59 min"),
        (3599.6, "1:00 h"), (3660, "1:01 h"), (7199, "1:59 h"),
    ],
)  # fmt: skip
def test_times_are_told_roughly(seconds, told) -> None:
    assert notebook._duration(seconds) == told


def test_the_cell_is_updated_four_times_a_second_and_at_each_epochs_end(shown, clock) -> None:
    steps = [replace(STEP, step=i) for i in range(1, 10)]
    pages = []
    for record in notebook.show_in_notebook([*steps, EPOCH, steps[0]]):
        pages.append((type(record).__name__, len(shown)))
        clock[0] += 0.125
    # displayed, then updated when more than a quarter of a second has passed, and at the end
    assert [count for _, count in pages] == [1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5]
    assert len(shown) == 6


def test_a_cell_without_records_stays_empty(shown) -> None:
    assert list(notebook.show_in_notebook([])) == []
    assert shown == []


@pytest.mark.parametrize("kernel", [None, object()])
def test_a_notebook_is_told_by_its_kernel(kernel, monkeypatch) -> None:
    shell = SimpleNamespace(kernel=kernel)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_notebook() == (kernel is not None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()


def test_the_best_epoch_is_marked_and_numbers_that_are_missing_are_dashes(shown) -> None:
    page = last_page(shown, [replace(EPOCH, best=True, accuracy=None, validation_loss=None)])
    cells = re.findall("<td>([^<]*)</td>", page)
    assert cells == ["1/4", "0.5000", "–", "–", "62.50%", "1,234", "best"]
    page = last_page(shown, [replace(EPOCH, compiling=1.0)])
    assert "took 1.0 s more" in page
