"""Runs by several processes: they end as those of one, also where a process is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from commands import NETWORK, Command, short
from mpi import AS_ROOT, mpiexec
from pellucid.cli import processes
from pellucid.errors import installing
from pellucid.parallel import Spent
from pellucid.training import read_scaling

pytestmark = pytest.mark.usefixtures("rows")

ENVIRONMENT = {"PELLUCID_ENGINE": "reference"}  # which starts quickly


def command(*arguments: str) -> tuple[str, ...]:
    return "-m", "pellucid", *arguments


def pellucid_by(processes: int, *arguments: str, **options: object) -> tuple[int, str, str]:
    done = mpiexec(processes, *command(*arguments), environment=ENVIRONMENT, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def alone(pellucid: Command) -> bytes:
    """Return the model that one process gives."""
    assert pellucid(*short("--shards", "4", "--engine", "reference", "--out", "alone"))[0] == 0
    return Path("alone/model.safetensors").read_bytes()


def test_processes_that_the_command_starts_end_as_one(alone: bytes) -> None:
    options = short("--processes", "2", "--shards", "4", "--out", "run")
    environment = {**os.environ, **AS_ROOT, **ENVIRONMENT}
    done = subprocess.run(
        [sys.executable, *command(*options)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Test accuracy") == 1
    assert "Processes 2; each batch in 4 shards of 2 images" in done.stdout
    assert "\033[" not in done.stdout  # which goes to no terminal
    assert Path("run/model.safetensors").read_bytes() == alone
    assert json.loads(Path("run/config.json").read_text())["shards"] == 4
    first, second = read_scaling("run/scaling.csv")
    assert isinstance(first, Spent)
    assert first.steps == second.steps > 0


def test_recomputing_changes_no_bit(pellucid: Command) -> None:
    for out, more in (("kept", ()), ("again", ("--recompute",))):
        assert pellucid(*short("--engine", "reference", "--out", out, *more))[0] == 0
    models = [Path(out, "model.safetensors").read_bytes() for out in ("kept", "again")]
    assert models[0] == models[1]
    assert json.loads(Path("again/config.json").read_text())["recompute"]
    assert pellucid("resume", "kept", "--epochs", "4", "--recompute", "--no-report")[0] == 0
    assert pellucid("resume", "again", "--epochs", "4", "--no-recompute", "--no-report")[0] == 0
    models = [Path(out, "model.safetensors").read_bytes() for out in ("kept", "again")]
    assert models[0] == models[1]


def test_statistics_of_the_whole_batch_are_shared_by_processes(pellucid: Command) -> None:
    options = short("--sync-batch-norm", "--shards", "4", "--engine", "reference")
    status, said, _ = pellucid(*options, "--out", "alone")
    assert status == 0
    assert "with statistics of the whole batch" in said
    status, _, complained = pellucid_by(2, *options, "--out", "run")
    assert status == 0, complained
    models = [Path(out, "model.safetensors").read_bytes() for out in ("alone", "run")]
    assert models[0] == models[1]
    assert pellucid("resume", "run", "--epochs", "4", "--no-report")[0] == 0
    assert json.loads(Path("run/config.json").read_text())["sync_batch_norm"]


def running(out: str) -> dict[int, int]:
    """Return the process ids of a run's processes, by rank."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().decode().split("\0")
            told = (place / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended meanwhile
            continue
        rank = next((line for line in told if line.startswith("OMPI_COMM_WORLD_RANK=")), None)
        if rank is not None and out in words and "mpiexec" not in words[0]:
            found[int(rank.partition("=")[2])] = int(place.name)
    return found


def disturbed(
    out: str, options: tuple[str, ...], disturb: Callable[[subprocess.Popen[str]], None]
) -> tuple[int, str, str]:
    """Start a run by three processes, disturb it after an epoch, and return how it ended."""
    pytest.importorskip("mpi4py")
    arguments = short("--shards", "4", "--processes", "3", "--epochs", "12", "--out", out, *options)
    process = subprocess.Popen(
        [sys.executable, *command(*arguments)],
        env={**os.environ, **AS_ROOT, **ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    history = Path(out, "history.csv")
    for _ in range(1200):
        if history.exists() and len(history.read_text().splitlines()) > 1:
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    disturb(process)
    said, complained = process.communicate(timeout=100)
    return process.returncode, said, complained


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes")


@needs_proc
def test_the_next_process_writes_the_run_when_the_first_is_killed(pellucid: Command) -> None:
    out = str(Path.cwd() / "run")
    status, _, complained = disturbed(out, (), lambda _: os.kill(running(out)[0], signal.SIGKILL))
    assert status == 0, complained
    assert "another one now writes the run" in complained
    assert len(Path("run/history.csv").read_text().splitlines()) == 13
    arguments = short("--shards", "4", "--epochs", "12", "--engine", "reference", "--out", "alone")
    assert pellucid(*arguments)[0] == 0
    model = "model.safetensors"
    assert Path("run", model).read_bytes() == Path("alone", model).read_bytes()


def wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(12000):
        if happened():
            return
        time.sleep(0.005)
    raise AssertionError("it did not happen")


@needs_proc
@pytest.mark.parametrize(
    ("last", "rank"), [("history.csv", 0), ("model.safetensors", 2), ("report.html", 0)]
)
def test_a_process_killed_at_the_very_end_leaves_a_whole_run(last: str, rank: int) -> None:
    out = str(Path.cwd() / "run")

    def is_last() -> bool:
        path = Path(out, last)
        rows = 13 if last == "history.csv" else 0
        return path.exists() and len(path.read_bytes().splitlines()) >= rows

    def kill(_: object) -> None:
        number = running(out)[rank]
        wait_for(is_last)
        with suppress(ProcessLookupError):  # the run had ended
            os.kill(number, signal.SIGKILL)

    status, _, complained = disturbed(out, ("--report",), kill)
    assert status == 0, complained
    for name in ("model.safetensors", "evaluation.json", "report.html"):
        assert Path(out, name).exists(), complained


@needs_proc
def test_a_process_that_hangs_ends_the_run_which_any_number_resumes(pellucid: Command) -> None:
    out = str(Path.cwd() / "run")
    status, _, complained = disturbed(
        out, ("--timeout", "3"), lambda _: os.kill(running(out)[1], signal.SIGSTOP)
    )
    assert status == 75
    assert "process 1 has not answered for 3 seconds. The run is saved." in complained
    assert f"pellucid resume {out}" in complained
    assert pellucid_by(2, "resume", "run", "--no-report")[0] == 0
    arguments = short("--shards", "4", "--epochs", "12", "--engine", "reference", "--out", "alone")
    assert pellucid(*arguments)[0] == 0
    model = "model.safetensors"
    assert Path("run", model).read_bytes() == Path("alone", model).read_bytes()


def test_a_request_to_end_is_passed_on_and_the_run_saved() -> None:
    status, _, complained = disturbed("run", (), lambda process: process.send_signal(signal.SIGINT))
    assert status == 130
    assert complained.count("Stopped and saved. Resume with") == 1


def told_once(status: int, complained: str, text: str) -> bool:
    """Return whether an error ended the command, and was told in one line."""
    errors = [line for line in complained.splitlines() if line.startswith("Error: ")]
    return status == 2 and errors == [f"Error: {text}"]


def test_processes_with_other_choices_are_told_once() -> None:
    others = ":", "-n", "1", sys.executable, *command(*short("--lr", "0.2"))
    status, _, complained = pellucid_by(1, *short("--lr", "0.1"), *others)
    assert told_once(status, complained, "process 1 has another --lr than process 0: 0.2, not 0.1")


def test_a_process_without_the_data_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/net.toml").write_text(NETWORK)
    others = ":", "-n", "1", "-wdir", "elsewhere", sys.executable, *command(*short())
    status, _, complained = pellucid_by(1, *short(), *others)
    text = "process 1: there is no file or folder 'rows.npz'"
    assert told_once(status, complained, text)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--processes", "9"), "9 processes share 8 shards"),
        (("--shards", "2", "--tune"), "--tune times algorithms"),
        (("--shards", "0"), "--shards"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_started(
    pellucid: Command, options: tuple[str, ...], text: str
) -> None:
    status, _, complained = pellucid(*short(*options))
    assert status == 2
    assert text in complained
    assert complained.count("\n") == 1


def test_a_run_without_shards_is_continued_by_one_process(pellucid: Command) -> None:
    assert pellucid(*short("--out", "run"))[0] == 0
    status, _, complained = pellucid("resume", "run", "--processes", "1")
    assert status == 2
    assert "was begun by one process, without --shards" in complained


def test_without_mpi_it_is_said_what_to_install(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    status, _, complained = pellucid(*short("--processes", "2"))
    assert status == 2
    assert installing("mpi") in complained


def test_the_exit_status_is_that_of_the_first_process_that_wrote_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed_while_writing_and_ended = (
        "import os, pathlib as p; f = p.Path(os.environ['PELLUCID_STATUS_FOLDER']);"
        "p.Path(f, '000000').touch(); p.Path(f, '000001').write_text('3')"
    )
    mpiexec = [sys.executable, "-c", killed_while_writing_and_ended]
    monkeypatch.setattr(processes, "_mpiexec", lambda: mpiexec)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)  # other tests need theirs
    before = signal.getsignal(signal.SIGINT)
    assert processes.start(2, []) == 3
    assert signal.getsignal(signal.SIGINT) is before
