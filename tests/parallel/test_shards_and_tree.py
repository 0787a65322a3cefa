"""How batches are cut, and that a sum over shards does not depend on who adds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import PellucidError
from pellucid.parallel import Team
from pellucid.parallel.shards import cut, divided
from pellucid.parallel.tree import TreeSum
from threads_as_processes import run_as


@given(st.integers(1, 300), st.integers(1, 40))
def test_shards_cover_a_batch_in_order_and_none_is_a_single_sample(samples, shards):
    parts = cut(samples, shards)
    covered = [number for part in parts for number in range(part.start, part.stop)]
    sizes = [part.stop - part.start for part in parts]
    assert covered == list(range(samples))
    assert len(parts) <= shards
    assert samples == 1 or min(sizes) >= 2
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == shards or samples < 2 * shards


@given(st.integers(0, 50), st.integers(1, 20))
def test_things_are_divided_evenly(count, among):
    parts = divided(count, among)
    assert [number for part in parts for number in part] == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def by_definition(values):
    """Return the sum in the order of a binary tree over a number of leaves that is a power of 2."""
    if len(values) == 1:
        return values[0]
    half = 1 << ((len(values) - 1).bit_length() - 1)
    return by_definition(values[:half]) + by_definition(values[half:])


@given(st.integers(1, 20), st.randoms(use_true_random=False))
def test_a_sum_is_that_of_the_tree_in_whatever_order_shards_come(count, random):
    values = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)
    total, order = TreeSum(count), list(range(count))
    random.shuffle(order)
    for shard in order:
        total.add((0, shard), values[shard].copy())
    assert total.result.tobytes() == by_definition(list(values)).tobytes()


@pytest.mark.parametrize("length", [1, 5, 10_000])
@pytest.mark.parametrize("shards", [1, 3, 8, 11])
@pytest.mark.parametrize("processes", [1, 2, 3, 4, 7])
def test_processes_add_up_the_same_bits(processes, shards, length):
    values = np.random.default_rng(0).normal(size=(shards, length)).astype(np.float32)

    def added(team):
        known = TreeSum(shards)
        for shard in team.mine(shards):
            known.add((0, shard), values[shard].copy())
        return team.sum(known, shards, length, np.float32).tobytes()

    sums = run_as(processes, added, shards=max(shards, processes))
    assert sums == [by_definition(list(values)).tobytes()] * processes


def test_gathering_gives_all_to_all():
    assert (
        run_as(3, lambda team: team.gather({"rank": team.rank}))
        == [[{"rank": 0}, {"rank": 1}, {"rank": 2}]] * 3
    )


def test_a_failure_of_one_is_told_by_all():
    def fail(team):
        return team.together(lambda: 1 / 0 if team.rank == 1 else team.rank)

    first, second, third = run_as(3, fail)
    assert isinstance(second, ZeroDivisionError)
    assert f"{first}" == f"{third}" == "process 1: division by zero"


def test_a_failure_of_all_is_told_as_it_is():
    def fail():
        raise PellucidError("no such file")

    errors = run_as(2, lambda team: team.together(fail))
    assert [f"{error}" for error in errors] == ["no such file"] * 2


def test_who_differs_is_named():
    errors = run_as(3, lambda team: team.check_same({"seed": "7", "data": f"{team.rank == 2}"}))
    assert {f"{error}" for error in errors} == {
        "process 2 has another data than process 0: True, not False"
    }


def test_one_process_is_a_team():
    team = Team(shards=2)
    assert (team.rank, team.size, team.leads, list(team.mine(2))) == (0, 1, True, [0, 1])
    assert team.gather_bytes(b"x") == [b"x"]


def test_more_processes_than_shards_are_refused():
    errors = run_as(3, lambda team: None, shards=2)
    assert all("3 processes share 2 shards" in f"{error}" for error in errors)
