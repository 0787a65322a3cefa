"""Batch normalisation over all shards is that of one large batch, for any number of processes."""

import numpy as np
import pytest

import pellucid as pl
from parallel_run import data, new_state, told
from pellucid import layers as nn
from pellucid import losses, optim, training
from pellucid.errors import FileError, PellucidError, TrainingError
from pellucid.execution.lockstep import Lockstep
from pellucid.layers import StepContext
from pellucid.parallel import Team
from threads_as_processes import run_as


def network():
    body = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6, momentum=None))
    side = nn.Sequential(nn.Conv2d(6, 2, 1), nn.BatchNorm2d(2, affine=False))
    twice = nn.BatchNorm2d(8)
    nodes = {"a": (nn.Conv2d(8, 8, 1), "x"), "b": (twice, "a"), "c": (nn.Add(), ("b", "x"))}
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.Tanh(),
        nn.Residual(body, activation=nn.Sigmoid()),
        nn.Concat(nn.Identity(), side),
        nn.Graph(nodes),
        twice,
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
        nn.Linear(8, 8),
        nn.BatchNorm1d(8, track_running_stats=False),
        nn.Linear(8, 3),
    )  # fmt: skip
    return nn.initialize(model, 4).astype(np.float64)


def arrays(count=61):
    drawn = np.random.default_rng(1)
    x = drawn.normal(2.0, 3.0, (count, 2, 5, 4)) * drawn.uniform(0.1, 5, (count, 1, 1, 1))
    return x, drawn.integers(0, 3, count), drawn.uniform(0.1, 3, count)


@pytest.mark.parametrize("shards", [1, 3, 8])
def test_training_is_that_of_the_whole_batch(shards):
    def trained(parallel):
        model = network()
        sgd = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        loss = losses.CrossEntropy(class_weights=(1.0, 2.0, 0.5))
        options = {"loss": loss, "batch_size": 22, "epochs": 3, "parallel": parallel}
        history = list(pl.train(model, arrays(), optimizer=sgd, **options))
        return [epoch.loss for epoch in history], model.state_dict()

    (history, whole), (found, cut) = (
        trained(None),
        trained(Team(shards=shards, sync_batch_norm=True)),
    )
    np.testing.assert_allclose(found, history, rtol=1e-11)
    for name, value in whole.items():
        np.testing.assert_allclose(cut[name], value, rtol=1e-9, atol=1e-11, err_msg=name)


def test_statistics_of_shards_are_another_result():
    """Otherwise the test above would prove nothing."""
    steps = []
    for shared in (False, True):
        model = network()
        sgd = optim.SGD(model.parameters(), lr=0.1)
        team = Team(shards=4, sync_batch_norm=shared)
        list(pl.train(model, arrays(), optimizer=sgd, batch_size=22, parallel=team))
        steps.append(model.state_dict()["0.weight"])
    assert np.abs(steps[0] - steps[1]).max() > 1e-4


def trained(team):
    team.sync_batch_norm = True
    with pl.engine.using("reference"):
        state = new_state()
        for _ in training.records(state, data(333), data(70, seed=1), team):
            pass
        return told(state)


@pytest.mark.parametrize("processes", [2, 3, 8])
def test_any_number_of_processes_gives_the_same_bits(processes):
    assert run_as(processes, trained) == [trained(Team(shards=8))] * processes


def test_the_compiled_engine_does_the_same():
    losses_of = {}
    for by in ("reference", "compiled"):
        with pl.engine.using(by):
            state = new_state()
            team = Team(shards=4, sync_batch_norm=True)
            records = training.records(state, data(100), parallel=team)
            losses_of[by] = [record.loss for record in records if hasattr(record, "step")]
    np.testing.assert_allclose(losses_of["compiled"], losses_of["reference"], rtol=2e-3)


def test_the_gradient_is_that_of_the_formula():
    """The formula of PyTorch's SyncBatchNorm, by finite differences through all shards."""
    norm = nn.BatchNorm1d(2).astype(np.float64)
    norm.weight.value[...] = 1.5, 0.5
    drawn = np.random.default_rng(2)
    xs, dys = ([drawn.normal(size=(n, 2)) for n in (3, 2, 4)] for _ in range(2))
    inner = nn.Linear(2, 2).astype(np.float64)
    inner.weight.value[...] = np.eye(2)
    model = nn.Sequential(inner, norm)

    def value():
        ys, _ = Lockstep(model).forward(xs, [StepContext() for _ in xs])
        return sum(float((y * dy).sum()) for y, dy in zip(ys, dys, strict=True))

    lockstep = Lockstep(model)
    found = lockstep.backward(dys, lockstep.forward(xs, [StepContext() for _ in xs])[1])
    for parameter in model.parameters():
        total = sum(of_shard[parameter] for of_shard in found)
        for index in np.ndindex(parameter.shape):
            at = parameter.value[index]
            ends = []
            for moved in (at + 1e-6, at - 1e-6):
                parameter.value[index] = moved
                ends.append(value())
            parameter.value[index] = at
            assert total[index] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)


@pytest.mark.parametrize("where", ["in a layer", "in the loss"])
def test_a_failure_in_one_process_ends_all_without_waiting(where):
    def broken(*_):
        raise PellucidError("broken here")

    def failing(team):
        team.sync_batch_norm = True
        with pl.engine.using("reference"):
            state = new_state()
            records = training.records(state, data(64), parallel=team)
            if team.rank == 1 and where == "in a layer":
                state.model[5].forward = broken
            elif team.rank == 1:
                state.loss = broken
            for _ in records:
                pass

    found = run_as(3, failing)
    assert all(isinstance(error, PellucidError) and "broken here" in f"{error}" for error in found)


def test_a_run_keeps_its_kind_of_statistics(tmp_path):
    state = new_state()
    shared = Team(shards=4, sync_batch_norm=True)
    next(training.records(state, data(100), parallel=shared))
    training.save_checkpoint(state, tmp_path)
    resumed = training.resume(tmp_path, data(100), augment=state.augment)
    assert resumed.sync_batch_norm
    with pytest.raises(TrainingError, match="this run has sync_batch_norm"):
        training.records(resumed, data(100), parallel=Team(shards=4))
    other = new_state()
    other.shards = 4
    with pytest.raises(FileError, match="statistics in batch normalisation"):
        training.restore(other, tmp_path)


def test_batch_norm_inside_a_users_own_layer_is_refused():
    class Twice(nn.Sequential):
        def forward(self, x, training=None):
            y, cache = super().forward(x, training)
            return 2 * y, cache

    model = nn.Sequential(nn.Linear(4, 4), Twice(nn.BatchNorm1d(4)))
    sgd = optim.SGD(model.parameters(), lr=0.1)
    given = np.zeros((8, 4), np.float32), np.zeros(8, int)
    with pytest.raises(PellucidError, match="cannot be shared inside Twice"):
        pl.train(model, given, optimizer=sgd, parallel=Team(sync_batch_norm=True))
