"""Processes that MPI connects: the same bits, also where one is killed."""

import json
from pathlib import Path

import pytest

import parallel_run
from mpi import mpiexec
from pellucid.parallel import Team
from pellucid.training import records

PROGRAM = Path(parallel_run.__file__)


@pytest.fixture(scope="module")
def alone():
    state = parallel_run.new_state()
    for _ in records(state, parallel_run.data(333), parallel_run.data(70, seed=1), Team(shards=8)):
        pass
    return parallel_run.told(state)


@pytest.mark.parametrize("processes", [2, 4])
def test_any_number_of_processes_gives_the_same_bits(processes, alone, tmp_path):
    done = mpiexec(processes, PROGRAM, tmp_path / "told.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "told.json").read_text()) == alone | {"processes": processes}


@pytest.mark.parametrize("killed", [-1, 1])
def test_shared_batch_statistics_give_the_same_bits(killed, tmp_path):
    state, team = parallel_run.new_state(), Team(shards=8, sync_batch_norm=True)
    for _ in records(state, parallel_run.data(333), parallel_run.data(70, seed=1), team):
        pass
    arguments = PROGRAM, tmp_path / "told.json", f"{killed}", "7", "1"
    done = mpiexec(3, *arguments, options=["--with-ft", "ulfm"])
    assert done.returncode == 0, done.stderr
    left = 3 if killed < 0 else 2
    assert json.loads((tmp_path / "told.json").read_text()) == parallel_run.told(state) | {
        "processes": left
    }


@pytest.mark.parametrize(("killed", "step"), [(0, 5), (2, 11)])
def test_the_others_go_on_when_a_process_is_killed(killed, step, alone, tmp_path):
    arguments = PROGRAM, tmp_path / "told.json", f"{killed}", f"{step}"
    done = mpiexec(3, *arguments, options=["--with-ft", "ulfm"])
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "told.json").read_text()) == alone | {"processes": 2}
