"""Two processes never compute in one run's folder."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from commands import Command, short
from pellucid.cli import lock, running
from pellucid.errors import FileError

pytestmark = pytest.mark.usefixtures("rows")

HOLD = """
import sys, time
from pathlib import Path
from pellucid.cli.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def held(pellucid: Command) -> "subprocess.Popen[str]":
    """A run that another process computes."""
    pellucid(*short("--out", "run"))
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, "run"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    "command", [("resume", "run"), short("--out", "run", "--force")], ids=["resume", "--force"]
)
def test_a_run_that_is_being_computed_is_left_alone(
    pellucid: Command, held: "subprocess.Popen[str]", command: tuple[str, ...]
) -> None:
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    status, _, err = pellucid(*command)
    assert status == 2
    (line,) = err.splitlines()
    assert f"process {held.pid} on {socket.gethostname()}" in line
    assert {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()} == before


def test_a_lock_whose_owner_was_killed_locks_nothing(
    pellucid: Command, held: "subprocess.Popen[str]"
) -> None:
    held.kill()
    held.wait()
    assert json.loads(Path("run/.lock").read_text())["process"] == held.pid
    assert pellucid("resume", "run", "--no-report")[0] == 0
    assert not Path("run/.lock").exists()


def test_two_runs_cannot_begin_in_one_folder(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[int] = []

    def meanwhile(*_: object, **__: object) -> None:
        second = subprocess.run(
            [sys.executable, "-m", "pellucid", *short("--out", "run", "--force")],
            capture_output=True,
            text=True,
            check=False,
        )
        inside.append(second.returncode)
        assert f"process {os.getpid()} on" in second.stderr

    monkeypatch.setattr(running, "carry_on", meanwhile)
    assert pellucid(*short("--out", "run"))[0] == 0
    assert inside == [2]


@pytest.mark.parametrize(
    ("owner", "taken"),
    [
        ({"process": os.getpid(), "host": socket.gethostname()}, True),
        ({"process": 2**22 + 1, "host": socket.gethostname()}, False),
        ({"process": 1, "host": "elsewhere"}, True),
        ({}, False),
    ],
)
def test_without_locks_of_the_file_system_what_is_written_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: dict[str, object], taken: bool
) -> None:
    def none(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", none)
    (tmp_path / ".lock").write_text(json.dumps(owner))
    if taken:
        with pytest.raises(FileError, match=r"delete .*\.lock"), lock.locked(tmp_path):
            pass
        assert json.loads((tmp_path / ".lock").read_text()) == owner
    else:
        with lock.locked(tmp_path):
            assert json.loads((tmp_path / ".lock").read_text())["process"] == os.getpid()
