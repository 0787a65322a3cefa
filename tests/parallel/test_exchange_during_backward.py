"""Gradients are exchanged during the backward pass: the same bits, also after a failure."""

from threading import Barrier

import numpy as np
import pytest

import pellucid as pl
from pellucid import layers as nn
from pellucid import optim
from pellucid.errors import PellucidError, TrainingError
from pellucid.parallel import Team
from threads_as_processes import run_as


class Passing(nn.Identity):
    """An identity that calls a function in its backward pass."""

    action = staticmethod(lambda: None)

    def backward(self, dy, cache, *, input_gradient=True):
        self.action()
        return super().backward(dy, cache, input_gradient=input_gradient)


def network():
    return nn.Sequential(
        *(nn.Linear(4, 8), Passing(), nn.Linear(8, 8), Passing(), nn.Linear(8, 3)),
    )


def trained(team, model=None, bucket_bytes=64, epochs=2):
    """Return the weights after training, as bytes."""
    drawn = np.random.default_rng(0)
    arrays = drawn.normal(size=(40, 4)).astype(np.float32), drawn.integers(0, 3, 40)
    model = network() if model is None else model
    nn.initialize(model, 1)
    team.bucket_bytes = bucket_bytes
    adam = optim.Adam(model.parameters(), clip_norm=0.5)
    pl.fit(model, arrays, optimizer=adam, batch_size=16, epochs=epochs, parallel=team)
    return b"".join(value.tobytes() for value in model.state_dict().values())


@pytest.fixture(scope="module")
def alone():
    return trained(Team(shards=8))


@pytest.mark.parametrize("bucket_bytes", [1, 100, 1 << 20])
@pytest.mark.parametrize("processes", [2, 3])
def test_the_size_of_buckets_changes_no_bit(processes, bucket_bytes, alone):
    found = run_as(processes, lambda team: trained(team, bucket_bytes=bucket_bytes))
    assert found == [alone] * processes


def test_buckets_are_sent_before_the_backward_pass_ends(alone):
    """When both processes have come to their last backward pass, the last layer is sent."""
    both = Barrier(2)

    def watched(team):
        model, started, seen = network(), [], []
        start = team.communicator.start

        def noted(send, receive, channel=0):
            started.append(channel)
            return start(send, receive, channel)

        def look():
            seen.append({channel for channel in started if channel > 1})

        team.communicator.start = noted
        vars(model[1])["action"], vars(model[3])["action"] = look, both.wait
        result = trained(team, model)
        return result, seen[3], {channel for channel in started if channel > 1}

    for result, during, afterwards in run_as(2, watched):
        assert result == alone
        assert during  # in the fourth shard, which is the last of four
        assert during < afterwards


@pytest.mark.parametrize("shard", range(1, 5))
def test_a_failure_in_a_backward_pass_ends_all_and_leaves_nothing_behind(shard, alone):
    def failing(team):
        model, passes = network(), []

        def action():
            passes.append(None)
            if team.rank == 1 and len(passes) == shard:
                raise PellucidError("broken here")

        vars(model[1])["action"] = action
        with pytest.raises(PellucidError, match="broken here") as told:
            trained(team, model)
        return type(told.value), trained(team)

    first, second = run_as(2, failing)
    assert first == (TrainingError, alone)
    assert second == (PellucidError, alone)
