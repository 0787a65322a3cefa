"""Of several processes one speaks for all, and all end together."""

import os
import sys
import time
import traceback
from pathlib import Path

from pellucid.errors import LostProcessError
from pellucid.parallel import Team, launched

STATUS = "PELLUCID_STATUS_FILE"
"""Where the process that speaks for all writes the exit status: mpiexec would comment on it."""

team: Team | None = None
"""The processes, once they are connected."""


def hush() -> None:
    """Let only the first of several processes be heard."""
    if launched.rank() is not None and not _mpiexec_has_terminal():
        sys.stdout.isatty = lambda: False  # type: ignore[method-assign]  # as far as Python asks
    if launched.rank():
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115, until the end


def _mpiexec_has_terminal() -> bool:
    """Return whether the output goes to a terminal: Open MPI gives processes one of its own.

    Where the system does not tell, this process's own is believed.
    """
    try:
        return "/dev/pts/" in os.readlink(f"/proc/{os.getppid()}/fd/1")  # noqa: PTH115, no file
    except OSError:
        return sys.stdout.isatty()


def speak() -> None:
    """Be heard again: the process that was the first has ended, or this one has a fault to tell."""
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def tell_fault() -> None:
    """Tell of an error of the program itself, and end all processes."""
    if launched.rank() is not None:
        speak()
        traceback.print_exc()
        sys.exit(leave(1))


def leave(status: int) -> int:
    """End together with the others; return the status to exit with.

    Where an error concerns all, the first process has told it when the last one is here. Where the
    others do not come, they are ended.
    """
    if launched.rank() is None:
        return status
    leads = team.leads if team is not None else launched.rank() == 0
    written = os.environ.get(STATUS)
    if written and leads:
        Path(written).write_text(f"{status}")
    if status and team is None and not leads:
        time.sleep(1)
    if status and team is not None:
        try:
            team.part(2 if leads else 10)
        except LostProcessError:
            team.communicator.abort(status)
    return 0 if written else status
