"""What can be done with the records of a training run on their way to the user.

Each of these takes records and yields the same records, so that they can be put around one another:

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
    """End the run once `monitor` has not improved for `patience` epochs.

    Parameters
    ----------
    patience
        At least 1: how many epochs in a row may pass without an improvement on the best so far.
    monitor
        ``validation_loss``, ``validation_accuracy``, ``loss`` or ``accuracy``.
    history
        The epochs before an interruption (``state.history``), so that the run that continues stops
        where the whole run would have stopped.
    tolerance
        An improvement is more than this.

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
            raise TrainingError(f"early stopping: this run has no {monitor.replace('_', ' ')}")
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
    """Keep the history in a CSV file, one row an epoch.

    The file is written anew from ``state.history`` each time, whole or not at all, so that a run
    that was interrupted leaves no row out and repeats none.
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
    """Return the history that `log_csv` keeps in a file.

    Raises
    ------
    FileError
        There is no such file, or it is something else.
    """
    check_is_file(path, "the history.csv of a run")
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return History(map(_read_epoch, rows))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise FileError(f"{path} is no history of a training run: {error!s:.300}") from error


def _read_epoch(row: dict[str, str]) -> Epoch:
    kinds = {name: kind for name, kind in annotations_of(Epoch).items() if name != "metrics"}
    values = {name: _READ[kind](row.pop(name)) for name, kind in kinds.items()}
    return Epoch(**values, metrics={name: float(value) for name, value in row.items()})


_READ: dict[Any, Callable[[str], Any]] = {
    int: int,
    float: float,
    float | None: lambda text: float(text) if text else None,
    bool: {"True": True, "False": False}.__getitem__,
}
"""How a field of `Epoch` is read, by its type."""


_ASKING = [
    number
    for number in (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    if number is not None
]
"""The signals that ask a run to end: Ctrl-C, the system's, that of a terminal that is closed."""

_PASSED_ON = getattr(signal, "SIGUSR1", None)
"""The signal that ``mpiexec`` passes on to processes; with others it ends them itself."""

_PATIENCE = 10.0  # seconds


def stop_on_signal(
    records: Iterable[R],
    stopped: Callable[[signal.Signals], None] | None = None,
    team: Team | None = None,
) -> Iterator[R]:
    """End the run after the present batch when Ctrl-C is pressed, or SIGTERM or SIGHUP comes.

    The signals are heeded as by `signals_noted`, while the records are drawn.

    Parameters
    ----------
    stopped
        Called with the signal when the run has ended for it.
    team
        The processes that train together: all end after the same step if one received a signal.
    """
    with signals_noted(team) as received:
        for record in records:
            yield record
            if received if team is None else team.ends:
                break
    if team is not None and team.ends and not received:
        received = [signal.SIGTERM]  # that is, whichever it was that another process received
    if received and stopped is not None:
        stopped(received[0])


@contextmanager
def signals_noted(team: Team | None = None) -> Iterator[list[signal.Signals]]:
    """Note the signals that ask the program to end, instead of ending it, in the ``with`` block.

    What is being done can so be finished, and saved. A signal interrupts at once
    (KeyboardInterrupt) if the first one came more than ten seconds ago. A signal that the program
    ignores, as it does Ctrl-C in the background, stays ignored. Outside the main thread, where
    Python handles no signals, nothing is changed and nothing noted.
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
            if signal.getsignal(number) is note:  # whoever has changed it meanwhile means it
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
