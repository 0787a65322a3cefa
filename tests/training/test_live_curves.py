"""Curves in a terminal say what the records say, and only where a terminal can show them."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import small_run
from pellucid import training
from pellucid.cli import main
from pellucid.training import Epoch, Record, Step, records, show_progress
from pellucid.training.live_curves import LiveCurves, _ends, fits, plot
from small_run import DATA, VALIDATION

STEP = Step(1, 4, 1, 16, loss=1.0, accuracy=0.5, rate=0.1, seconds=0.1)
EPOCH = Epoch(1, 4, 16, 1.0, 0.5, 0.8, 0.75, 0.1, 1.0, 1.0, False)


def a_run(epochs: int = 3, accuracy: bool = True, validation: bool = True) -> LiveCurves:
    """Loss 1, 1/2, 1/4 … at the end of each epoch, and twice that in validation."""
    curves = LiveCurves()
    for epoch in range(1, epochs + 1):
        loss = 0.5 ** (epoch - 1)
        for step in range(1, 17):
            told = 1 - loss / 2 if accuracy else None
            curves.add(replace(STEP, epoch=epoch, step=step, loss=loss, accuracy=told))
        told = 1 - loss if accuracy and validation else None
        lost = 2 * loss if validation else None
        curves.add(replace(EPOCH, epoch=epoch, validation_loss=lost, validation_accuracy=told))
    return curves


def terminal(**options: object) -> Console:
    settings = {"width": 80, "height": 24, "force_terminal": True, "color_system": "truecolor"}
    wrapped = io.TextIOWrapper(io.BytesIO(), encoding=str(options.pop("encoding", "utf-8")))
    return Console(file=wrapped, **settings | options)


def shown(curves: LiveCurves, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(curves)
    return console.file.getvalue().splitlines()


# What is drawn


def dots(cells: list[list[tuple[int, int]]]) -> np.ndarray:
    """Return which dots are set, by Unicode's numbering of a cell's eight dots."""
    order = ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1))
    grid = np.zeros((4 * len(cells), 2 * len(cells[0])), bool)
    for r, row in enumerate(cells):
        for c, (bits, _) in enumerate(row):
            for bit, (down, right) in enumerate(order):
                grid[4 * r + down, 2 * c + right] = bits >> bit & 1
    return grid


def test_a_straight_line_is_the_diagonal_of_the_grid() -> None:
    cells, ends, edges = plot(([(1.0, 0.0), (2.0, 7.0)],), columns=4, rows=2)
    assert np.array_equal(dots(cells), np.eye(8, dtype=bool)[::-1])
    assert (ends, edges) == ([0], (0.0, 7.0))


def test_a_steep_line_has_no_gaps() -> None:
    cells, _, _ = plot(([(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)],), columns=3, rows=5)
    drawn = dots(cells)
    assert drawn.any(axis=0).all()
    assert drawn.any(axis=1).all()
    for column in drawn.T:
        rows = np.flatnonzero(column)
        assert len(rows) == rows[-1] - rows[0] + 1


def test_on_a_logarithmic_scale_halving_goes_down_by_equal_steps() -> None:
    halves = [(float(n), 0.5**n) for n in range(8)]
    cells, _, _ = plot((halves,), columns=4, rows=2, logarithmic=True)
    assert np.array_equal(dots(cells), np.eye(8, dtype=bool))


def test_the_curves_share_one_scale() -> None:
    cells, ends, edges = plot(([(0.0, 0.0), (1.0, 1.0)], [(1.0, 3.0)]), columns=2, rows=4)
    assert edges == (0.0, 3.0)
    assert ends == [2, 0]
    assert cells[0][1][1] == 1
    assert cells[2][1][1] == 0


def test_a_curve_that_never_changes_lies_in_the_middle() -> None:
    cells, ends, _ = plot(([(0.0, 2.0), (1.0, 2.0)],), columns=2, rows=3)
    assert ends == [1]
    assert dots(cells)[5].all()
    assert dots(cells).sum() == 4


# What is said


def test_both_charts_with_their_scales_and_last_values() -> None:
    title, *rows = shown(a_run())[1:]
    assert title.split() == ["loss", "t", "training", "v", "validation", "accuracy"]
    assert len(rows) == 5
    assert rows[0].split()[0] == "2"  # the highest loss: the first in validation
    assert rows[-1].split()[0] == "0.25"  # the lowest: the last in training
    text = "\n".join(rows)
    for end in ("v 0.5", "t 0.25", "v 75.0%", "t 87.5%"):
        assert end in text
    assert text.index("v 0.5") < text.index("t 0.25")  # the higher curve above
    assert text.index("t 87.5%") < text.index("v 75.0%")


@pytest.mark.parametrize("width", [78, 80, 100, 200])
def test_it_is_never_wider_than_the_terminal(width: int) -> None:
    lines = shown(a_run(), width)
    assert len(lines) == 7
    assert max(map(len, lines)) <= width
    assert any("validation" in line for line in lines)


def test_curves_that_end_together_have_both_names() -> None:
    curves = LiveCurves()
    for step in range(1, 17):
        curves.add(replace(STEP, step=step, loss=3.0 - step / 8, accuracy=None))
    curves.add(replace(EPOCH, validation_loss=1.0625, validation_accuracy=None))
    text = "\n".join(shown(curves))
    assert "t 1.06" in text
    assert "v 1.06" in text


def test_without_validation_there_is_one_curve_and_without_accuracy_one_chart() -> None:
    assert not any(" v " in line for line in shown(a_run(validation=False)))
    assert "accuracy" not in "".join(shown(a_run(accuracy=False)))


def test_a_training_curve_has_eight_points_an_epoch_that_are_means() -> None:
    curves = LiveCurves()
    for step in range(1, 17):
        curves.add(replace(STEP, step=step, loss=float(step)))
    assert curves.loss[0] == [(n / 8, 2 * n - 0.5) for n in range(1, 9)]


def test_there_is_nothing_before_there_is_a_line() -> None:
    assert shown(LiveCurves()) == []


def test_what_is_not_finite_is_left_out_and_what_is_negative_is_drawn() -> None:
    curves = a_run()
    curves.add(replace(EPOCH, epoch=4, validation_loss=float("inf"), validation_accuracy=0.5))
    assert "inf" not in "".join(shown(curves))
    curves.add(replace(EPOCH, epoch=4, validation_loss=-1.0, validation_accuracy=0.5))
    assert "v -1" in "".join(shown(curves))


# Where it is shown


def test_a_terminal_with_room_shows_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert fits(terminal())


def test_a_dumb_terminal_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not fits(terminal())


@pytest.mark.parametrize(
    "console",
    [
        terminal(width=77),
        terminal(height=12),
        terminal(encoding="ascii"),
        terminal(force_terminal=False),
    ],
    ids=["narrow", "low", "ascii", "pipe"],
)
def test_others_do_not(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert not fits(console)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def told(monkeypatch: pytest.MonkeyPatch, **options: bool) -> str:
    """Return what a terminal gets from a whole run."""
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    for name, value in (("TERM", "xterm-256color"), ("COLUMNS", "100"), ("LINES", "40")):
        monkeypatch.setenv(name, value)
    run = records(small_run.new_state(), DATA, VALIDATION)
    assert len(list(show_progress(run, **options))) == 27
    return screen.getvalue()


def test_a_run_on_a_terminal_ends_with_its_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    end = told(monkeypatch)[-8000:]
    assert "validation" in end
    assert any(0x2800 < ord(letter) < 0x2900 for letter in end)


def test_without_colours_the_names_still_tell_the_curves_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = told(monkeypatch)
    assert "38;" not in shown
    assert "t training  v validation" in shown


def test_curves_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = told(monkeypatch, curves=False)
    assert "━" in shown
    assert not any(0x2800 < ord(letter) < 0x2900 for letter in shown)


@pytest.mark.parametrize(("option", "wanted"), [("--curves", True), ("--no-curves", False)])
def test_the_command_says_whether_curves_are_wanted(
    option: str, wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bool] = []

    def show(records: Iterator[Record], *, curves: bool) -> Iterator[Record]:
        heard.append(curves)
        return records

    monkeypatch.setattr(training, "show_progress", show)
    small = ("--model", "mlp", "--epochs", "1", "--engine", "reference")
    with pytest.raises(SystemExit) as ended:
        main(["train", "digits", *small, "--out", str(tmp_path / "run"), option])
    assert ended.value.code == 0
    assert heard == [wanted]


@pytest.mark.parametrize("loss", [1.2345e-5, 9.9876e7, 0.000123456, 123456.0])
def test_very_small_and_large_losses_leave_the_curves_in_their_place(loss: float) -> None:
    curves = LiveCurves()
    for step in range(1, 17):
        curves.add(replace(STEP, step=step, loss=loss / step))
    rows = shown(curves)[2:]
    assert all(ord(row[8]) > 0x2800 or row[8] == " " for row in rows if len(row) > 8)
    assert ord(rows[0][8]) > 0x2800
    assert rows[0][7] == rows[-1][7] == " "


@pytest.mark.parametrize(("width", "name"), [(80, "NARROW"), (100, "WIDE")])
def test_this_is_what_a_run_looks_like(width: int, name: str) -> None:
    assert "\n".join(shown(a_run(), width)) == {"NARROW": NARROW, "WIDE": WIDE}[name].rstrip()


NARROW = """
        loss  t training  v validation          accuracy
      2       ⠑⠒⠤⣀                        87.5%        ⣀⣀⣀⣀⣀⣀⠜⠉⠉⠉⠉⠉⣉ t 87.5%
        ⠤⠤⠤⠤⠤⠤⡄   ⠉⠒⠤⣀                                ⢰⠁      ⣀⠤⠔⠊⠉  v 75.0%
              ⢸       ⠉⠑⠢⢄⡀                     ⠉⠉⠉⠉⠉⠉⠁    ⡠⠊⠉
               ⠓⠒⠒⠒⠒⠒⡄    ⠈⠑ v 0.5                      ⢀⠔⠉
   0.25              ⢸⣀⣀⣀⣀⣀⣀ t 0.25        0.0%       ⡠⠊⠁
"""
WIDE = """
        loss  t training  v validation                    accuracy
      2          ⠉⠒⠢⠤⢄⣀                             87.5%           ⢀⣀⣀⣀⣀⣀⣀⣀⣀⡠⠊⠉⠉⠉⠉⠉⠉⠉⢉⣉ t 87.5%
        ⠤⠤⠤⠤⠤⠤⠤⠤⠤⢄     ⠉⠑⠒⠤⠤⣀⡀                                     ⢠⠃         ⢀⣀⡠⠤⠔⠒⠊⠉⠁  v 75.0%
                 ⠘⡄          ⠈⠉⠒⠢⠤⣀⣀                      ⠉⠉⠉⠉⠉⠉⠉⠉⠉⠁      ⢀⡠⠒⠉⠁
                  ⠘⠒⠒⠒⠒⠒⠒⠒⠒⠢⡀       ⠉⠑ v 0.5                          ⢀⡠⠔⠊⠁
   0.25                     ⢱⣀⣀⣀⣀⣀⣀⣀⣀⣀ t 0.25        0.0%          ⡠⠔⠊⠁
"""
"""Steps in training, straight lines in validation; each name beside its end."""


@pytest.mark.parametrize(
    ("options", "room"),
    [
        ({"width": 78, "height": 18}, True),
        ({"width": 77, "height": 18}, False),
        ({"width": 78, "height": 17}, False),
    ],
)
def test_curves_need_78_columns_and_18_rows(
    options: dict[str, int], room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert fits(terminal(**options)) == room


def test_one_point_is_no_curve() -> None:
    curves = LiveCurves()
    for step in (1, 2):
        curves.add(replace(STEP, step=step))
    assert shown(curves) == []
    for step in (3, 4):
        curves.add(replace(STEP, step=step))
    assert len(shown(curves)) == 7


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([2, None], {2: 0}),
        ([None, 3], {3: 1}),
        ([None, None], {}),
        ([1, 3], {1: 0, 3: 1}),
        ([0, 0], {0: 1, 1: 0}),  # validation ends higher
        ([3, 3], {3: 1, 4: 0}),
        ([4, 4], {3: 1, 4: 0}),  # below the last row there is none
    ],
)
def test_each_curve_is_named_at_its_end_the_higher_one_above(
    rows: list[int | None], named: dict[int, int]
) -> None:
    below, above = [(0.0, 9.0), (1.0, 2.0)], [(0.0, 1.0), (1.0, 3.0)]
    assert _ends((below, above), rows) == named
    swapped = {row: 1 - curve for row, curve in named.items()}
    together = rows[0] == rows[1] and rows[0] is not None
    assert _ends((above, below), rows) == (swapped if together else named)
