"""The table and the bar of a run say what its records say."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from pellucid.training import Epoch, Record, Step, progress, show_progress
from pellucid.training.progress import compiling_note, table_head, table_row

STEP = Step(2, 4, 3, 16, loss=0.25, accuracy=0.5, rate=0.1, seconds=0.5, samples=64)
EPOCH = Epoch(2, 4, 16, 0.5, 0.75, 1.5, 0.25, 0.1, 12.34, 1234.5, False)


def test_numbers_stand_below_their_heads() -> None:
    metrics = {"top_5": 0.5, "a_long_name": 0.25}
    head = table_head(metrics)
    row = table_row(replace(EPOCH, metrics=metrics))
    assert head == (
        "  epoch     loss  accuracy  validation loss  accuracy  seconds  images/s"
        "    top_5  a_long_name"
    )
    assert row == (
        "    2/4   0.5000    75.00%           1.5000    25.00%     12.3     1,234"
        "   0.5000       0.2500"
    )
    assert table_row(replace(EPOCH, best=True, metrics=metrics)) == row + "  best"


def test_metrics_of_validation_come_before_those_of_training() -> None:
    metrics = {"top_5": 0.5, "validation_top_5": 0.125}
    assert table_head(metrics).endswith("images/s    top_5")
    assert table_row(replace(EPOCH, metrics=metrics)).endswith("1,234   0.1250")


def test_what_was_not_measured_is_a_dash() -> None:
    bare = replace(EPOCH, accuracy=None, validation_loss=None, validation_accuracy=None)
    assert table_row(bare).split() == ["2/4", "0.5000", "-", "-", "-", "12.3", "1,234"]


@pytest.mark.parametrize(("seconds", "told"), [(0.9, False), (1.0, True), (2.0, True)])
def test_compiling_is_told_from_one_second_on(seconds: float, told: bool) -> None:
    note = compiling_note(replace(EPOCH, compiling=seconds))
    assert (note is not None) == told
    assert note is None or f"took {seconds:.1f} s more" in note


def test_elsewhere_than_on_a_terminal_the_head_comes_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [STEP, replace(EPOCH, compiling=2.0), STEP, EPOCH]
    assert list(show_progress(given)) == given
    note = compiling_note(replace(EPOCH, compiling=2.0))
    lines = [table_head({}), table_row(EPOCH), note, table_row(EPOCH)]
    assert capsys.readouterr().out.splitlines() == lines


# On a terminal


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the bar of the next run, whose tasks can be looked at."""
    monkeypatch.setattr("sys.stdout", Terminal())
    for name, value in (("TERM", "xterm"), ("COLUMNS", "120"), ("LINES", "40")):
        monkeypatch.setenv(name, value)
    made = progress._bar()
    monkeypatch.setattr(progress, "_bar", lambda: made)
    return made[0]


def places(bar: Any, given: Iterable[Record]) -> Iterator[tuple[float, float, dict[str, Any]]]:
    for _ in show_progress(given):
        (task,) = bar.tasks
        yield task.completed, task.total, task.fields


def test_the_bar_is_as_long_as_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = on_a_terminal(monkeypatch)
    monkeypatch.setattr(progress, "_BETWEEN_UPDATES", -1.0)
    given = [replace(STEP, step=step) for step in (3, 4, 16)]
    found = list(places(bar, [*given, EPOCH, replace(STEP, epoch=3, step=1, loss=2.0)]))
    assert [place[:2] for place in found] == [(19, 64), (20, 64), (32, 64), (32, 64), (33, 64)]
    fields = {"epoch": "3/4", "loss": 2.0, "step": "1/16", "speed": 128.0}
    assert found[-1][2] == fields


def test_the_last_step_of_an_epoch_is_shown_at_once_and_others_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bar, now = on_a_terminal(monkeypatch), 100.0
    monkeypatch.setattr(progress, "monotonic", lambda: now)
    seen = []
    for completed, _, _ in places(bar, (replace(STEP, step=i) for i in (1, 2, 3, 4, 5, 16))):
        seen.append(completed)
        now += 0.06
    assert seen == [17, 17, 19, 19, 21, 32]


def test_a_step_that_took_no_time_has_no_speed() -> None:
    assert progress._fields(replace(STEP, seconds=0.0))["speed"] == 0


def test_the_bar_shows_epoch_loss_step_and_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = on_a_terminal(monkeypatch)
    for _ in show_progress([STEP]):
        out = Console(file=io.StringIO(), width=120)
        out.print(bar.make_tasks_table(bar.tasks))
        line = out.file.getvalue()  # type: ignore[attr-defined]
        assert line.split()[:2] == ["2/4", "0.2500"]
        assert "step 3/16" in line
        assert "128 images/s," in line
        assert line.split()[-2:] == ["--:--", "left"]
    assert bar.live.transient, "rows and curves remain, the bar does not"


def test_a_terminal_gets_the_head_the_rows_and_the_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = on_a_terminal(monkeypatch)
    list(show_progress([STEP, replace(EPOCH, compiling=2.0), replace(STEP, epoch=3), EPOCH]))
    shown = bar.console.file.getvalue()
    assert shown.count("validation loss") == 1
    assert shown.count(table_row(EPOCH)) == 2
    assert shown.count("Compiling for this machine took 2.0 s more") == 1
