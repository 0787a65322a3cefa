"""Functions that process the records of a training run.

Each takes records and yields them unchanged, so they can be nested::

    for record in save_checkpoints(stop_early(records(state, data, validation), patience=5), …):
"""

from __future__ import annotations

import csv
import io
import math
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Literal, TypeVar

from pellucid.arguments import Size, annotations_of, checked
from pellucid.errors import FileError, TrainingError, unknown
from pellucid.files import atomic_write, check_is_file
from pellucid.parallel import Team
from pellucid.training.records import Epoch, History, Record
from pellucid.training.state import TrainingState

R = TypeVar("R", bound=Record)

Monitor = Literal["validation_loss", "validation_accuracy", "loss", "accuracy"]
_SIGNS = {"validation_loss": -1, "validation_accuracy": 1, "loss": -1, "accuracy": 1}


def stop_early(
    records: Iterable[R],
    patience: int,
    monitor: Monitor = "validation_loss",
    history: Iterable[Epoch] = (),
    tolerance: float = 0.0,
) -> Iterator[R]:
    """End the run when `monitor` has not improved for `patience` epochs.

    Parameters
    ----------
    records
        Records of the run.
    patience
        Number of consecutive epochs without an improvement on the best value, at least 1.
    monitor
        ``"validation_loss"`` (default), ``"validation_accuracy"``, ``"loss"`` or ``"accuracy"``.
    history
        Epochs before an interruption (``state.history``), so that a resumed run stops where an
        uninterrupted one would.
    tolerance
        Least change that counts as an improvement. Default: 0.

    Examples
    --------
    >>> epochs = [Epoch(n, 9, 1, loss, None, None, None, 0.1, 1.0, 1.0, False)
    ...           for n, loss in enumerate([3.0, 2.0, 2.5, 2.25, 1.0], start=1)]
    >>> [epoch.loss for epoch in stop_early(epochs, patience=2, monitor="loss")]
    [3.0, 2.0, 2.5, 2.25]
    """
    if monitor not in _SIGNS:
        raise TrainingError(unknown("quantity to monitor", monitor, _SIGNS))
    patience = checked("patience", patience, Size)
    return _stop_early(records, patience, monitor, list(history), tolerance)


def _stop_early(
    records: Iterable[R],
    patience: int,
    monitor: Monitor,
    history: list[Epoch],
    tolerance: float,
) -> Iterator[R]:
    best, waited = -math.inf, 0

    def note(epoch: Epoch) -> bool:
        """Return whether to stop after this epoch."""
        nonlocal best, waited
        value = getattr(epoch, monitor)
        if value is None:
            raise TrainingError(
                f"early stopping watches the {monitor.replace('_', ' ')}, which this run does not "
                "have; pass validation=data, or monitor='loss'"
            )
        better = _SIGNS[monitor] * value > best + tolerance
        best, waited = (_SIGNS[monitor] * value, 0) if better else (best, waited + 1)
        return waited >= patience

    stop = False
    for epoch in history:
        stop = note(epoch)
    if stop:
        return
    for record in records:
        yield record
        if isinstance(record, Epoch) and note(record):
            return


def log_csv(records: Iterable[R], state: TrainingState, path: str | Path) -> Iterator[R]:
    """Write the history to a CSV file, one row per epoch.

    The whole file is rewritten from ``state.history`` each time, so an interrupted run neither
    omits nor repeats a row.
    """
    _write_csv(History(state.history), path)
    for record in records:
        if isinstance(record, Epoch):
            _write_csv(History(state.history), path)
        yield record


def _write_csv(history: History, path: str | Path) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, history.columns())
    writer.writeheader()
    writer.writerows(history.rows())
    atomic_write(path, text.getvalue().encode())


def read_history(path: str | Path) -> History:
    """Read the history from a file that `log_csv` wrote.

    Raises
    ------
    FileError
        The file does not exist or is not a history.
    """
    check_is_file(path, "the history.csv of a run")
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return History(map(_read_epoch, rows))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise FileError(f"{path} is not the history of a training run: {error!s:.300}") from error


def _read_epoch(row: dict[str, str]) -> Epoch:
    kinds = {name: kind for name, kind in annotations_of(Epoch).items() if name != "metrics"}
    row = {"compiling": "0", **row}  # missing in files of earlier versions
    values = {name: _READ[kind](row.pop(name)) for name, kind in kinds.items()}
    return Epoch(**values, metrics={name: float(value) for name, value in row.items()})


_READ: dict[Any, Callable[[str], Any]] = {
    int: int,
    float: float,
    float | None: lambda text: float(text) if text else None,
    bool: {"True": True, "False": False}.__getitem__,
}
"""How to read a field of `Epoch`, by its type."""


_ASKING = [
    number
    for number in (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    if number is not None
]
"""Signals that ask a run to end: Ctrl-C, the system's request, a closed terminal."""

_PASSED_ON = getattr(signal, "SIGUSR1", None)
"""The signal that ``mpiexec`` passes on to processes; on others it ends them itself."""

_PATIENCE = 10.0  # seconds


def stop_on_signal(
    records: Iterable[R],
    stopped: Callable[[signal.Signals], None] | None = None,
    team: Team | None = None,
) -> Iterator[R]:
    """End the run after the current batch on Ctrl-C, SIGTERM or SIGHUP.

    Signals are handled as in `signals_noted` while the records are drawn.

    Parameters
    ----------
    records
        Records of the run.
    stopped
        Function called with the signal after the run has ended because of it.
    team
        Processes that train together: all end after the same step if one received a signal.
    """
    with signals_noted(team) as received:
        for record in records:
            yield record
            if received if team is None else team.ends:
                break
    if team is not None and team.ends and not received:
        received = [signal.SIGTERM]  # another process received some signal
    if received and stopped is not None:
        stopped(received[0])


@contextmanager
def signals_noted(team: Team | None = None) -> Iterator[list[signal.Signals]]:
    """Collect signals that ask the program to end, instead of ending it, in the ``with`` block.

    So the work in progress can be finished and saved. A signal interrupts at once
    (KeyboardInterrupt) if the first one came more than ten seconds ago. Signals that the program
    ignores, like Ctrl-C in the background, stay ignored. Outside the main thread, where Python
    handles no signals, nothing is changed or collected.
    """
    received: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    first = math.inf

    def note(number: int, _frame: Any) -> None:
        nonlocal first
        if monotonic() - first > _PATIENCE:
            raise KeyboardInterrupt
        first = min(first, monotonic())
        received.append(signal.Signals(number))
        if team is not None:
            team.end_soon(hurry=number != _PASSED_ON)

    asking = _ASKING if team is None else [*_ASKING, _PASSED_ON]
    heeded = [
        number
        for number in asking
        if number is not None and signal.getsignal(number) != signal.SIG_IGN
    ]
    before = {number: signal.signal(number, note) for number in heeded}
    try:
        yield received
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is note:  # do not undo changes made meanwhile
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
