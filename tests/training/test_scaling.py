"""The record of processes says where each spent its time, and a resumed run continues it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pellucid.errors import FileError
from pellucid.parallel import Spent
from pellucid.training import Epoch, log_scaling, read_scaling

SPENT = [Spent("a", 3, 1.5, 0.25, 0.125), Spent("b", 4, 2.5, 1.25, 3.125)]


def epochs(*numbers: int) -> list[Epoch]:
    return [Epoch(n, 4, 9, 0.5, None, None, None, 0.1, 1.0, 1.0, False) for n in numbers]


def log(path: Path, *numbers: int, spent: list[Spent] = SPENT) -> None:
    team: Any = SimpleNamespace(spent=spent)
    assert list(log_scaling(epochs(*numbers), team, path)) == epochs(*numbers)


def test_each_epoch_has_a_row_for_each_process(tmp_path: Path) -> None:
    path = tmp_path / "scaling.csv"
    log(path, 1, 2)
    assert path.read_text().splitlines() == [
        "epoch,process,host,steps,compute,wait,exchange",
        "1,0,a,3,1.5000,0.2500,0.1250",
        "1,1,b,4,2.5000,1.2500,3.1250",
        "2,0,a,3,1.5000,0.2500,0.1250",
        "2,1,b,4,2.5000,1.2500,3.1250",
    ]
    assert read_scaling(path) == SPENT


def test_the_last_epoch_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scaling.csv"
    log(path, 1, spent=SPENT[::-1])
    log(path, 2)
    assert read_scaling(path) == SPENT


def test_a_resumed_run_replaces_the_epochs_that_it_repeats(tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole.csv", tmp_path / "resumed.csv"
    log(whole, 1, 2, 3)
    log(resumed, 1, 2, 3, spent=SPENT[:1])
    log(resumed, 1)
    log(resumed, 2, 3)
    assert resumed.read_text() == whole.read_text()


def test_a_record_without_epochs_names_no_process(tmp_path: Path) -> None:
    path = tmp_path / "scaling.csv"
    path.write_text("epoch,process,host,steps,compute,wait,exchange\n")
    assert read_scaling(path) == []


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read"):
        read_scaling(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("epoch,loss\n1,0.5\n")
    with pytest.raises(FileError, match="not a record of processes"):
        read_scaling(tmp_path / "other.csv")
