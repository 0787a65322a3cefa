"""Output and exit of several processes: only one prints, and all end together."""

import os
import sys
import time
import traceback
from pathlib import Path

from pellucid.errors import LostProcessError
from pellucid.parallel import Team, launched

STATUS = "PELLUCID_STATUS_FOLDER"
"""Environment variable: folder for the processes' exit statuses, on which mpiexec would comment."""

team: Team | None = None
"""The team of processes, once they are connected."""


def hush() -> None:
    """Silence all processes except the first."""
    if launched.rank() is not None and not _mpiexec_has_terminal():
        sys.stdout.isatty = lambda: False  # type: ignore[method-assign]  # only what Python sees
    if launched.rank():
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115, open to the end


def _mpiexec_has_terminal() -> bool:
    """Return whether the output of ``mpiexec`` goes to a terminal.

    Open MPI gives each process a pseudo-terminal, which says nothing about that. If the system does
    not tell, the process's own output decides.
    """
    try:
        return "/dev/pts/" in os.readlink(f"/proc/{os.getppid()}/fd/1")  # noqa: PTH115, not a file
    except OSError:
        return sys.stdout.isatty()


def speak() -> None:
    """Restore output: the first process has ended, or this one must report an internal error."""
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def tell_fault() -> None:
    """Report an internal error and end all processes."""
    if launched.rank() is not None:
        speak()
        traceback.print_exc()
        sys.exit(leave(1))


def leave(status: int) -> int:
    """End together with the other processes; return the exit status.

    If all processes fail with the same error, this gives the first one time to print it. If the
    others do not end, they are aborted.
    """
    if launched.rank() is None:
        return status
    leads = team.leads if team is not None else launched.rank() == 0
    written = os.environ.get(STATUS)
    if written:
        Path(written, f"{launched.rank():06}").write_text(f"{status}")
    if status and team is None and not leads:
        time.sleep(1)
    if status and team is not None:
        try:
            team.part(2 if leads else 10)
        except LostProcessError:
            team.communicator.abort(status)
    status = 0 if written else status
    if team is not None:
        team.communicator.status = status
    return status
