"""Runs by several processes: start them, and coordinate them."""

import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from pellucid import parallel
from pellucid.cli import common, lock, speaking
from pellucid.errors import LostProcessError, PellucidError, missing_extra
from pellucid.parallel import SHARDS, Team, launched
from pellucid.parallel.mpi import TIMEOUT

if TYPE_CHECKING:
    from pellucid.training import TrainingState

T = TypeVar("T")

_PANEL = "Several processes"

Processes = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="The number of processes that train together on this machine; needs pellucid\\[mpi]. "
        "For several machines put `mpiexec` in front instead.",
        rich_help_panel=_PANEL,
    ),
]
Shards = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Cut each batch into so many parts, which the processes divide among themselves. The "
        "result depends on this number, and not on that of processes.",
        show_default=f"{SHARDS}, with several processes",
        rich_help_panel=_PANEL,
    ),
]
SyncBatchNorm = Annotated[
    bool,
    typer.Option(
        "--sync-batch-norm",
        help="Let batch normalisation use the statistics of the whole batch instead of those of a "
        "shard. It takes more time and memory.",
        rich_help_panel=_PANEL,
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=1,
        help="How long the processes wait for one that does not answer.",
        rich_help_panel=_PANEL,
    ),
]

LOST = 75
"""Exit status of a run that lost a process, was saved, and can be resumed."""


class Several(Exception):  # noqa: N818, not an error
    """Requests that the command be started by several processes."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


def team(
    processes: int | None, shards: Callable[[], int | None], timeout: float = TIMEOUT
) -> Team | None:
    """Return the team of processes that run this command, or None if batches are not sharded.

    Parameters
    ----------
    processes
        Number of processes, if the user gave it.
    shards
        Function that returns the number of shards, or None if the user did not give it.
    timeout
        Seconds without an answer after which a process is considered hanging.

    Raises
    ------
    Several
        Only one process is running, and the user asked for several.
    """
    started = launched.size()
    if started is not None:
        if processes not in (None, started):
            raise PellucidError(
                f"mpiexec started {started} processes, and --processes asks for {processes}; "
                "leave one of them out"
            )
        speaking.team = parallel.mpi(started, timeout)
        wanted = speaking.team.together(shards)
        speaking.team = Team(speaking.team.communicator, wanted or SHARDS)
        return speaking.team
    wanted = shards()
    if processes is None and wanted is None:
        return None
    if processes is not None and processes > 1:
        parallel.check_number(processes, wanted or SHARDS)
        raise Several(processes)
    return Team(shards=wanted or SHARDS)


def synchronised(team: Team | None, sync_batch_norm: bool) -> Team | None:
    """Return the team, which a run with shared batch statistics needs even for one process."""
    if sync_batch_norm:
        team = team or Team()
        team.sync_batch_norm = True
    return team


def start(count: int, arguments: list[str]) -> int:
    """Run the command in `count` processes and return their exit status."""
    mpiexec = _mpiexec()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, speaking.STATUS: folder}
        command = [*mpiexec, "-n", f"{count}", sys.executable, "-m", "pellucid", *arguments]
        child = subprocess.Popen(command, env=environment, start_new_session=True)
        received = _watch(child)
        told = _told(Path(folder))
        # if no process came to the end, mpiexec may call that success all the same
        ended = told[0] if told else child.returncode or LOST
        return 128 + received[0] if received and ended else ended


def _told(folder: Path) -> list[int]:
    """Return the exit statuses that processes wrote, in the order of their ranks.

    A process that was killed while writing leaves an empty file, and counts as lost.
    """
    return [int(status) for path in sorted(folder.iterdir()) if (status := path.read_text())]


def _mpiexec() -> list[str]:
    """Return the ``mpiexec`` command with its options."""
    here = Path(sys.executable).with_name("mpiexec")
    found = f"{here}" if here.exists() else shutil.which("mpiexec")
    if found is None:
        raise missing_extra("--processes", "an MPI library with mpiexec", "mpi")
    version = subprocess.run(
        [found, "--version"], capture_output=True, text=True, check=False
    ).stdout
    if "Open MPI" not in version:
        return [found]
    if os.name == "posix" and os.geteuid() == 0 and not os.environ.get("OMPI_ALLOW_RUN_AS_ROOT"):
        raise PellucidError(
            "Open MPI starts nothing as root, unless OMPI_ALLOW_RUN_AS_ROOT=1 and "
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 are set; use another account, or set both"
        )
    return [found, "--with-ft", "ulfm", "--oversubscribe", "--bind-to", "none"]


def _watch(child: "subprocess.Popen[bytes]") -> list[int]:
    """Wait for mpiexec to end; return the signals that asked this process to end.

    The first two are forwarded as SIGUSR1, which mpiexec passes on to the processes, and later ones
    as SIGTERM.
    """
    received: list[int] = []

    def pass_on(number: int, _frame: Any) -> None:
        received.append(number)
        child.send_signal(signal.SIGUSR1 if len(received) < 3 else signal.SIGTERM)

    if os.name == "posix":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, pass_on)
    child.wait()
    return received


def each(team: Team | None, action: Callable[[], T]) -> T:
    """Run `action` in each process, in the first one before the others."""
    return action() if team is None else team.in_turn(action)


@contextmanager
def shared(team: Team | None, folder: AbstractContextManager[Path]) -> Iterator[Path]:
    """Enter the run's folder in the first process, and share its path with the others."""
    with ExitStack() as entered:
        if team is None:
            yield entered.enter_context(folder)
            return
        path = team.together(lambda: f"{entered.enter_context(folder)}" if team.leads else "")
        yield Path(team.gather(path)[0])


def write_once(
    team: Team | None, state: "TrainingState", folder: Path, action: Callable[[], None]
) -> None:
    """Run `action` in all processes, of which the first one writes the run.

    If that one is lost before it is done, the next one takes its place, and all run it again.
    Another process may still wait for the end of the training: then all return to that point.
    """
    from pellucid.training.agreement import recover

    if team is None:
        action()
        return
    led, wrote = team.leads, False
    lost: LostProcessError | None = None
    with ExitStack() as holding:
        while True:
            try:
                if lost is not None:
                    recover(state, team, lost)
                    team.meet(failed=False)
                    lost = None
                if team.leads and not led:
                    led = True
                    take_over(holding, folder)
                if any(team.gather(wrote, math.inf)):
                    return
                action()
                wrote = team.leads
            except LostProcessError as error:
                if not team.communicator.can_shrink:
                    return
                lost = error


def take_over(holding: ExitStack, folder: Path) -> None:
    """Write the run from now on, in place of the first process, which was lost."""
    speaking.speak()
    holding.enter_context(lock.locked(folder))
    common.note("The first process was lost; another one now writes the run.")


def wait_to_lead(team: Team | None, records: Iterator[Any]) -> bool:
    """Train until this process is the first one, or to the end; return whether it is."""
    if team is None or team.leads:
        return True
    return any(team.leads for _ in records)
