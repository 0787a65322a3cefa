"""What can be done with records on their way: stop, log, show."""

import csv
import io
import math
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import small_run
from pellucid.errors import FileError, PellucidError, TrainingError
from pellucid.training import (
    Epoch,
    Record,
    consumers,
    log_csv,
    read_history,
    records,
    show_progress,
    signals_noted,
    stop_early,
    stop_on_signal,
)
from pellucid.training.checkpoint import resume, save_checkpoint
from pellucid.training.consumers import Monitor
from pellucid.training.progress import table_row

DATA, VALIDATION = small_run.DATA, small_run.VALIDATION
EPOCH = Epoch(1, 9, 3, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0, 60.0, False)


def with_losses(losses: list[float]) -> list[Epoch]:
    return [replace(EPOCH, epoch=n, validation_loss=v) for n, v in enumerate(losses, start=1)]


# Stopping early


@pytest.mark.parametrize(
    ("losses", "patience", "drawn"),
    [
        ([3, 2, 1], 1, 3),
        ([3, 2, 2, 1], 1, 3),
        ([3, 2, 4, 1, 5, 5, 0], 2, 6),
        ([3, math.nan, 2], 1, 2),
        ([3, math.nan, 2], 2, 3),
        ([math.nan, 3, 4], 1, 1),
    ],
)
def test_a_run_stops_after_epochs_without_improvement(
    losses: list[float], patience: int, drawn: int
) -> None:
    assert len(list(stop_early(with_losses(losses), patience))) == drawn


def test_a_run_that_continues_stops_where_the_whole_would_have() -> None:
    losses = [3.0, 2.0, 2.5, 2.25, 2.0, 1.0]
    whole = list(stop_early(with_losses(losses), 3))
    for cut in range(len(losses)):
        before, after = with_losses(losses)[:cut], with_losses(losses)[cut:]
        rest = list(stop_early(after, 3, history=before))
        assert (before + rest)[: len(whole)] == whole
        assert len(before + rest) == max(len(whole), cut)


def test_an_improvement_is_more_than_the_tolerance() -> None:
    epochs = with_losses([3.0, 2.0, 1.95, 1.9, 1.85, 1.0])
    assert len(list(stop_early(epochs, patience=2, tolerance=0.125))) == 4
    assert len(list(stop_early(epochs, patience=2))) == 6
    exactly = with_losses([3.0, 2.5, 2.0])
    assert len(list(stop_early(exactly, patience=1, tolerance=0.5))) == 2


def test_what_grows_is_monitored_upwards() -> None:
    epochs = [replace(EPOCH, accuracy=value) for value in (0.5, 0.6, 0.6, 0.9)]
    assert len(list(stop_early(epochs, 1, "accuracy"))) == 3


@pytest.mark.parametrize(
    ("monitor", "values"),
    [
        ("loss", (3.0, 2.0, 2.0, 1.0)),
        ("validation_loss", (3.0, 2.0, 2.5, 1.0)),
        ("accuracy", (0.5, 0.75, 0.75, 1.0)),
        ("validation_accuracy", (0.5, 0.75, 0.5, 1.0)),
    ],
)
def test_losses_are_to_fall_and_accuracies_to_rise(
    monitor: Monitor, values: tuple[float, ...]
) -> None:
    epochs = [replace(EPOCH, **{monitor: value}) for value in values]
    assert len(list(stop_early(epochs, 1, monitor))) == 3


def test_what_cannot_be_monitored_is_told() -> None:
    with pytest.raises(TrainingError, match="did you mean 'validation_loss'"):
        stop_early([], 3, "validation_los")
    with pytest.raises(PellucidError, match="patience must be an integer of at least 1, not 0"):
        stop_early([], 0)
    unvalidated = [replace(EPOCH, validation_loss=None)]
    with pytest.raises(
        TrainingError, match=r"watches the validation loss, which this run .* pass validation=data"
    ):
        list(stop_early(unvalidated, 3))


def test_steps_pass_through() -> None:
    state = small_run.new_state(epochs=1)
    assert len(list(stop_early(records(state, DATA, VALIDATION), 1))) == 9


# The log


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_log_has_a_row_an_epoch_and_the_exact_values(tmp_path: Path) -> None:
    state, path = small_run.new_state(), tmp_path / "history.csv"
    assert [len(rows(path)) for _ in log_csv(records(state, DATA), state, path)] == (
        [0] * 8 + [1] * 9 + [2] * 9 + [3]
    )
    for row, epoch in zip(rows(path), state.history, strict=True):
        assert int(row["epoch"]) == epoch.epoch
        assert float(row["loss"]) == epoch.loss
        assert row["validation_loss"] == ""
        assert row["best"] == "False"


def test_the_log_of_a_resumed_run_repeats_and_misses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    state = small_run.new_state()
    for _ in islice(log_csv(records(state, DATA), state, path), 20):
        pass
    save_checkpoint(state, tmp_path)
    path.unlink()
    again = resume(tmp_path, DATA, augment=small_run.AUGMENT)
    list(log_csv(records(again, DATA), again, path))
    assert [row["epoch"] for row in rows(path)] == ["1", "2", "3"]


# Signals


@pytest.mark.usefixtures("heeded_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_after_the_batch(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    state, said = small_run.new_state(), list[signal.Signals]()
    seen = 0
    for _ in stop_on_signal(records(state, DATA), said.append):
        seen += 1
        assert not said
        if seen == 3:
            os.kill(os.getpid(), number)
    assert seen == 3
    assert (state.epoch, state.step) == (0, 3)
    assert said == [number]
    assert signal.getsignal(number) is before


def test_a_signal_in_the_middle_of_a_step_lets_it_finish() -> None:
    state = small_run.new_state()

    def interrupted() -> Iterator[Record]:
        for record in records(state, DATA):
            os.kill(os.getpid(), signal.SIGINT)
            yield record

    assert len(list(stop_on_signal(interrupted()))) == 1
    assert state.step == 1


def stubborn() -> Iterator[Record]:
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
    yield EPOCH
    yield EPOCH


def test_a_second_signal_soon_after_the_first_lets_the_batch_finish_too() -> None:
    said = list[signal.Signals]()
    assert list(stop_on_signal(stubborn(), said.append)) == [EPOCH]
    assert said == [signal.SIGINT]


def test_a_second_signal_much_later_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "_PATIENCE", -1.0)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        list(stop_on_signal(stubborn()))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_while_the_end_is_saved_does_not_interrupt() -> None:
    state, saved = small_run.new_state(), []
    with signals_noted():
        for _ in stop_on_signal(records(state, DATA)):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        saved.append(state.step)
    assert saved == [1]


def test_the_handlers_are_put_back_when_the_run_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    running = stop_on_signal(iter([EPOCH, EPOCH]))
    next(running)
    assert signal.getsignal(signal.SIGTERM) is not before
    running.close()
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for _ in stop_on_signal(iter([EPOCH])):
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    drawn: list[Record] = []
    before = signal.getsignal(signal.SIGINT)

    def draw() -> None:
        for record in stop_on_signal(iter([EPOCH, EPOCH])):
            assert signal.getsignal(signal.SIGINT) is before
            drawn.append(record)

    thread = threading.Thread(target=draw)
    thread.start()
    thread.join()
    assert len(drawn) == 2


# Progress


def test_elsewhere_than_on_a_terminal_there_is_a_row_an_epoch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = small_run.new_state()
    told = list(show_progress(records(state, DATA, VALIDATION)))
    assert len(told) == 27
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.startswith("  epoch     loss  accuracy")
    assert rows == [table_row(epoch) for epoch in state.history]
    assert all(len(row) < 80 for row in rows)


def test_a_row_says_what_there_is_to_say() -> None:
    row = table_row(replace(EPOCH, epoch=12, epochs=300, validation_loss=None))
    assert row.split()[0] == "12/300"
    assert row.split()[3:5] == ["-", "50.00%"]


def test_on_a_terminal_there_is_a_bar_and_a_row_an_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "300")
    state = small_run.new_state()
    told = list(show_progress(records(state, DATA, VALIDATION)))
    assert len(told) == 27
    shown = terminal.getvalue()
    assert all(table_row(epoch) in shown for epoch in state.history)
    assert "━" in shown
    assert "step 8/8" in shown


# Several processes


class Team:
    """A team that notes what its process tells it."""

    def __init__(self, ends_after: int = 10**9) -> None:
        self.left, self.told = ends_after, list[bool]()

    @property
    def ends(self) -> bool:
        self.left -= 1
        return self.left <= 0

    def end_soon(self, hurry: bool = False) -> None:
        self.told.append(hurry)


@pytest.mark.usefixtures("heeded_signals")
@pytest.mark.parametrize(
    ("number", "hurry"), [(signal.SIGTERM, True), (signal.SIGINT, True), (signal.SIGUSR1, False)]
)
def test_a_process_tells_the_others_that_it_was_asked_to_end(
    number: signal.Signals, hurry: bool
) -> None:
    team: Any = Team()
    with signals_noted(team) as received:
        os.kill(os.getpid(), number)
    assert received == [number]
    assert team.told == [hurry]


def test_one_process_alone_leaves_what_mpi_passes_on_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with signals_noted():
        assert signal.getsignal(signal.SIGUSR1) is before


def test_processes_end_together_whichever_was_asked() -> None:
    said = list[signal.Signals]()
    team: Any = Team(ends_after=3)
    assert len(list(stop_on_signal(iter([EPOCH] * 9), said.append, team))) == 3
    assert said == [signal.SIGTERM], "another one received some signal"


@pytest.mark.usefixtures("heeded_signals")
def test_a_process_that_was_asked_goes_on_until_all_end() -> None:
    said, seen = list[signal.Signals](), 0
    team: Any = Team(ends_after=4)
    for _ in stop_on_signal(iter([EPOCH] * 9), said.append, team):
        seen += 1
        if seen == 1:
            os.kill(os.getpid(), signal.SIGINT)
    assert seen == 4
    assert said == [signal.SIGINT]


def test_without_a_signal_nothing_is_said() -> None:
    said, team = list[signal.Signals](), Team()
    given: Any = team
    for one in (None, given):
        assert len(list(stop_on_signal(iter([EPOCH] * 3), said.append, one))) == 3
    assert said == []


# The log, read


FULL = replace(EPOCH, best=True, compiling=1.5, metrics={"top_5": 0.5, "validation_top_5": 0.25})


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    bare = replace(FULL, epoch=2, accuracy=None, validation_loss=None, best=False)
    state: Any = SimpleNamespace(history=(FULL, bare))
    list(log_csv([], state, path))
    assert list(read_history(path)) == [FULL, bare]


def test_a_log_of_an_earlier_version_has_no_time_of_compiling(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    state: Any = SimpleNamespace(history=(replace(EPOCH, compiling=0.0),))
    list(log_csv([], state, path))
    lines = [line.split(",") for line in path.read_text().splitlines()]
    at = lines[0].index("compiling")
    path.write_text("\n".join(",".join(x[:at] + x[at + 1 :]) for x in lines))
    assert list(read_history(path)) == list(state.history)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("True", "yes"), ("epoch", "number"), ("1.0", "one"), ("top_5", "loss,top_5"), ("0.5", "")],
)
def test_what_is_no_log_is_refused(was: str, becomes: str, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    state: Any = SimpleNamespace(history=(FULL,))
    list(log_csv([], state, path))
    path.write_text(path.read_text().replace(was, becomes))
    with pytest.raises(FileError, match="is not the history of a training run"):
        read_history(path)
