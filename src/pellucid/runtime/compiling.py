"""Show progress while kernels are compiled, and keep that time apart from all other."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from shutil import get_terminal_size
from time import monotonic, perf_counter
from typing import Any

from pellucid.notebook import in_notebook

_ONCE = "Compiling for this machine, once"
_SAID = "pellucid: compiling for this machine; this happens once"
_BETWEEN = 5.0  # seconds between lines where no bar can be drawn


_listeners: list[Callable[[str], None]] = []


def listen(listener: Callable[[str], None]) -> Callable[[], None]:
    """Tell `listener` in a line what is compiled, and "" at the end; return what stops that.

    It is told again and again, from several threads.

    Examples
    --------
    >>> heard = []
    >>> stop = listen(heard.append)
    >>> began("conv.direct")
    >>> ended()
    >>> stop()
    >>> "conv.direct" in heard[0], heard[-1]
    (True, '')
    """
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def _tell(line: str) -> None:
    for listener in list(_listeners):
        listener(line)


class Progress:
    """A progress bar over `total` kernels: drawn, in a line, or said from time to time."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._began = total, 0, monotonic()
        self._said = 0.0
        self._bar: Any = None
        self._working: list[str] = []
        self._ended = threading.Event()
        self._shows = threading.Thread(target=self._keep_showing, daemon=True)

    def __enter__(self) -> "Progress":
        if _can_draw():
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task("compiling", total=self._total, names="")
        elif not _can_rewrite():
            kernels = f"{self._total} kernel{'s' * (self._total > 1)}"
            print(f"{_SAID}: {kernels}", file=sys.stderr, flush=True)
            self._said = monotonic()
        self._shows.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._shows.join()
        seconds = monotonic() - self._began
        _count(seconds)
        _tell("")
        if self._bar is not None:
            self._bar.stop()
        elif _can_rewrite():
            _close_line(self._done, seconds)

    def working(self, names: list[str]) -> None:
        """Show the kernels that are being compiled now."""
        self._working = names
        self._show()

    def done(self) -> None:
        """Count a finished kernel."""
        self._done += 1
        self._show()

    def _keep_showing(self) -> None:
        while not self._ended.wait(1.0):
            self._show()

    def _show(self) -> None:
        now, names = monotonic(), ", ".join(self._working)
        line = (
            f"{self._done} of {self._total} kernels compiled in {now - self._began:.0f} s; "
            f"now {names}"
        )
        _tell(line)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, names=names)
        elif _can_rewrite():
            _rewrite(f"{_ONCE}: {line}")
        elif now - self._said > _BETWEEN and self._done < self._total:
            self._said = now
            print(f"pellucid: {line}", file=sys.stderr, flush=True)


def _can_draw() -> bool:
    if find_spec("rich") is None:
        return False
    from rich.console import Console

    # in notebooks, rich would need widgets
    return Console(stderr=True).is_terminal and not in_notebook()


def _can_rewrite() -> bool:
    """Return whether a line on stderr can be replaced by the next one."""
    return sys.stderr.isatty() or in_notebook()


def _rewrite(text: str) -> None:
    """Replace the line, cut where it would wrap: it could not be removed then."""
    width = get_terminal_size().columns - 1
    erase = "\r\033[K" if sys.stderr.isatty() else f"\r{' ' * width}\r"
    sys.stderr.write(f"{erase}{text[:width]}")
    sys.stderr.flush()


def _close_line(kernels: int, seconds: float) -> None:
    """Remove the line; in a notebook, where an empty one would remain, say what was done."""
    done = f"{_ONCE}: {kernels} kernel{'s' * (kernels != 1)} in {seconds:.0f} s"
    _rewrite("" if sys.stderr.isatty() else done)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    names = Column(no_wrap=True, overflow="ellipsis", ratio=1)  # shortened if space is scarce
    return Progress(
        TextColumn(_ONCE),
        BarColumn(bar_width=24),
        MofNCompleteColumn(table_column=Column(min_width=5, no_wrap=True)),
        TimeElapsedColumn(table_column=Column(min_width=7, no_wrap=True)),
        TextColumn("{task.fields[names]}", style="dim", table_column=names),
        transient=True,
        expand=True,
        console=Console(stderr=True),
    )


# Kernels compiled one at a time, when they are needed


class _Kernel:
    """A kernel that is being compiled now, for as long as `goes_on` says so."""

    def __init__(self, name: str, goes_on: Callable[[], bool], start: float) -> None:
        self.name, self.goes_on, self.start = name, goes_on, start
        self.ended = threading.Event()


class _OnDemand(threading.local):
    """The kernels being compiled in this thread; one may need another."""

    def __init__(self) -> None:
        self.kernels: list[_Kernel] = []


_on_demand = _OnDemand()
_silent = False
_lock = threading.Lock()
_begun = 0  # kernels compiled on demand, and shown
_took = 0.0  # seconds for these, but for the last
_last_said = 0.0


def began(name: str, goes_on: Callable[[], bool] = lambda: True) -> None:
    """Show that a kernel is being compiled on demand, and for how long, while `goes_on`."""
    global _begun
    kernels = _on_demand.kernels
    kernels[:] = [kernel for kernel in kernels if kernel.goes_on()]  # one may have failed
    kernels.append(_Kernel(name, goes_on, kernels[0].start if kernels else monotonic()))
    if _silent:
        return
    with _lock:
        _begun += 1
    _show(kernels[-1])
    threading.Thread(target=_keep_showing, args=(kernels[-1],), daemon=True).start()


def ended() -> None:
    """Remove the message."""
    global _took
    kernels = _on_demand.kernels
    if kernels:
        kernel = kernels.pop()
        kernel.ended.set()
        if not kernels and not _silent:  # `Progress` counts for all that it shows
            _count(monotonic() - kernel.start)
            _took += monotonic() - kernel.start
    if not _silent:
        if not kernels:
            _tell("")
        if _can_rewrite():
            _close_line(_begun, _took)


def _keep_showing(kernel: _Kernel) -> None:
    while not kernel.ended.wait(1.0) and kernel.goes_on():
        _show(kernel)


def _show(kernel: _Kernel) -> None:
    """Show a kernel in the last line of a terminal, elsewhere in a line from time to time."""
    global _last_said
    seconds = _took + monotonic() - kernel.start
    line = f"kernel {_begun}, {kernel.name}; {seconds:.0f} s so far"
    _tell(line)
    if _can_rewrite():
        _rewrite(f"{_ONCE}: kernel {_begun}, {seconds:.0f} s, {kernel.name}")
    elif not _last_said:
        _last_said = monotonic()
        print(f"{_SAID}: {kernel.name} first", file=sys.stderr, flush=True)
    elif monotonic() - _last_said > _BETWEEN:
        _last_said = monotonic()
        print(f"pellucid: compiling for this machine: {line}", file=sys.stderr, flush=True)


@contextmanager
def silence() -> Iterator[None]:
    """Show nothing inside the ``with`` block."""
    global _silent
    _silent = True
    try:
        yield
    finally:
        _silent = False


# The time


_spent = 0.0


def spent() -> float:
    """Return for how many seconds this process has waited for kernels to be compiled."""
    return _spent


def clock() -> float:
    """Return a time in seconds, for measuring durations, that stands still while compiling.

    Kernels are compiled once for a machine, so this is no part of the time that training takes.
    """
    return perf_counter() - _spent


def _count(seconds: float) -> None:
    global _spent
    with _lock:
        _spent += seconds
