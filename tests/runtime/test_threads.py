"""How many threads compute: no more than are asked for, nor than are granted."""

import pytest

from pellucid.errors import PellucidError
from pellucid.runtime import threads


@pytest.fixture
def quota(tmp_path, monkeypatch):
    """Have four processors, and return the file in which a container's share of time stands."""
    monkeypatch.delenv("PELLUCID_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    file = tmp_path / "cpu.max"
    monkeypatch.setattr(threads, "_QUOTA", file)
    return file


@pytest.mark.parametrize(
    ("said", "granted"),
    [
        ("max 100000", 4),
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("900000 100000", 4),
        ("nonsense", 4),
    ],
)
def test_as_many_as_a_container_is_granted(quota, said, granted):
    quota.write_text(said)
    assert threads.granted() == granted


@pytest.mark.parametrize(("asked", "granted"), [("1", 1), ("3", 3), ("4", 4), ("100", 4)])
def test_fewer_can_be_asked_for_and_never_more(quota, monkeypatch, asked, granted):
    assert threads.granted() == 4  # there is no quota
    monkeypatch.setenv("PELLUCID_NUM_THREADS", asked)
    assert threads.granted() == granted


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5", " "])
def test_what_is_no_number_of_threads_is_refused(quota, monkeypatch, asked):
    monkeypatch.setenv("PELLUCID_NUM_THREADS", asked)
    with pytest.raises(PellucidError, match="PELLUCID_NUM_THREADS is a number from 1"):
        threads.granted()
