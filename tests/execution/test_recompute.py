"""Training with recomputed activations: the same bits in less memory."""

import hashlib
import tracemalloc
from itertools import combinations, pairwise

import numpy as np
import pytest

import pellucid as pl
from kernels import numbers
from pellucid import engine, execution
from pellucid import layers as nn
from pellucid.execution.recompute import Recomputed, Size, cuts
from pellucid.losses import cross_entropy
from pellucid.optim import SGD
from pellucid.parallel import Team
from pellucid.runtime.workspace import Workspace

SHAPE = 3, 12, 12


def _convolution(inputs, outputs, **options):
    norm = nn.BatchNorm2d(outputs, **options)
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), norm, nn.ReLU()


def _residual(channels):
    body = nn.Sequential(*_convolution(channels, channels), *_convolution(channels, channels)[:2])
    return nn.Residual(body, activation=nn.ReLU())


def _head(channels):
    return nn.GlobalAvgPool2d(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(channels, 4)


def _shared():
    twice = nn.Conv2d(8, 8, 3, padding=1)
    inner = twice, nn.BatchNorm2d(8), nn.ReLU(), twice, nn.Dropout2d(0.2), nn.ReLU()
    return nn.Sequential(*_convolution(3, 8), *inner, *_head(8))


def _graph():
    run = nn.Sequential(*_convolution(8, 8), nn.Dropout(0.2), *_convolution(8, 8)), "stem"
    nodes = {
        "stem": (nn.Conv2d(3, 8, 3, padding=1), "x"),
        "run": run,
        "sum": (nn.Add(), ("run", "stem")),
        "pool": (nn.GlobalAvgPool2d(), "sum"),
        "flat": (nn.Flatten(), "pool"),
        "out": (nn.Linear(8, 4), "flat"),
    }
    return nn.Graph(nodes)


NETWORKS = {
    "a chain, with dropout between": lambda: nn.Sequential(
        *_convolution(3, 8), *_convolution(8, 16), nn.MaxPool2d(2), nn.Dropout(0.5),
        *_convolution(16, 16), *_convolution(16, 8), *_head(8),
    ),
    "dropout everywhere": lambda: nn.Sequential(
        *_convolution(3, 8), nn.Dropout(0.2), *_convolution(8, 8), nn.Dropout(0.3),
        *_convolution(8, 8), nn.Dropout2d(0.1), *_convolution(8, 8), nn.Dropout(0.1), *_head(8),
    ),
    "residual blocks": lambda: nn.Sequential(
        *_convolution(3, 8), _residual(8), nn.Sequential(_residual(8), nn.Dropout(0.1)), *_head(8)
    ),
    "the mean of all batches": lambda: nn.Sequential(
        *_convolution(3, 8, momentum=None), *_convolution(8, 8, momentum=None), *_head(8)
    ),
    "branches": lambda: nn.Sequential(
        *_convolution(3, 8), nn.Concat(nn.Sequential(*_convolution(8, 4)), nn.Identity()),
        *_head(12),
    ),
    "a layer used twice": _shared,
    "a graph": _graph,
}  # fmt: skip


def trained(build, recompute, **options):
    """Return the sum of all values, and the history, after two epochs with smaller last batches."""
    model, x = pl.initialize(build(), seed=1), numbers((70, *SHAPE))
    if options.pop("dtype", None) == "float64":
        model, x = model.astype("float64"), x.astype("float64")
    data = x, np.arange(70) % 4
    options |= {"averages": 0.9, "batch_size": 16, "epochs": 2, "recompute": recompute}
    history = list(pl.train(model, data, optimizer=SGD(model.parameters(), 0.05), **options))
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        digest.update(value.tobytes())
    return digest.hexdigest(), [epoch.loss for epoch in history]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("by", ["reference", "compiled"])
def test_the_weights_and_running_statistics_are_the_same_bits(name, by):
    with engine.using(by):
        assert trained(NETWORKS[name], True) == trained(NETWORKS[name], False)


def test_in_float64_too():
    build = NETWORKS["residual blocks"]
    with engine.using("compiled"):
        kept, recomputed = (trained(build, each, dtype="float64") for each in (False, True))
    assert recomputed == kept


def test_in_shards_too():
    build = NETWORKS["a chain, with dropout between"]
    with engine.using("compiled"):
        kept, recomputed = (trained(build, each, parallel=Team(shards=2)) for each in (False, True))
    assert recomputed == kept


@pytest.mark.parametrize("name", ["a chain, with dropout between", "residual blocks"])
def test_steps_are_replayed_all_the_same(name):
    model = pl.initialize(NETWORKS[name](), seed=1)
    program, x = execution.for_training(model, recompute=True), numbers((16, *SHAPE))
    with engine.using("compiled"):
        for step in range(5):
            y, cache = program.forward(x, nn.StepContext(step=step))
            program.backward(y, cache, input_gradient=False)
    assert program.captured == [x.shape]


def test_inference_and_observers_see_the_layers_themselves():
    model = pl.initialize(NETWORKS["residual blocks"](), seed=1)
    program, x, seen = execution.Program(model, recompute=True), numbers((4, *SHAPE)), []
    with engine.using("reference"):
        np.testing.assert_array_equal(program(x), model(x))
        with nn.observe(forward=lambda layer, *_: seen.append(type(layer))):
            program.forward(x, nn.StepContext())
    assert nn.Residual in seen
    assert Recomputed not in seen


@pytest.mark.parametrize("by", ["reference", "compiled"])
def test_a_deep_network_needs_a_fraction_of_the_memory(by):
    layers = [layer for _ in range(48) for layer in _convolution(16, 16)]
    x, taken = numbers((16, 16, 16, 16)), []
    with engine.using(by):
        for recompute in (False, True):
            model = pl.initialize(nn.Sequential(*layers, *_head(16)), seed=1)
            program, workspace = execution.Program(model, recompute), Workspace()
            program.part_for(x)
            tracemalloc.start()
            with workspace.used():
                y, cache = program.forward(x, nn.StepContext())
                _, gradient = cross_entropy(y, np.arange(16) % 4)
                program.backward(gradient, cache, input_gradient=False)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            taken.append(peak if by == "reference" else workspace.nbytes)
    assert taken[1] < 0.45 * taken[0]


def _most(sizes, starts):
    """Return the most memory needed at any time, by definition."""
    needed, stored = [], 0
    for start, end in pairwise([*starts, len(sizes)]):
        stored += sizes[start].given
        needed.append(stored + sum(size.kept for size in sizes[start:end]))
    return max(needed)


@pytest.mark.parametrize("seed", range(20))
def test_the_cuts_need_the_least_memory_possible(seed):
    random = np.random.default_rng(seed)
    sizes = [Size(*map(int, random.integers(1, 100, 2))) for _ in range(9)]
    possible = (
        [0, *cut] for count in range(9) for cut in combinations(range(1, len(sizes)), count)
    )
    least = min(_most(sizes, cut) for cut in possible)
    assert _most(sizes, cuts(sizes)) == least


def test_layers_of_one_size_are_cut_into_about_the_square_root_of_their_number():
    sizes = [Size(10, 10)] * 100
    assert 10 <= len(cuts(sizes)) <= 15
    assert _most(sizes, cuts(sizes)) < 0.2 * _most(sizes, [0])
