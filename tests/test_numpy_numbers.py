"""NumPy's numbers, as searches over settings give them, are taken wherever Python's are."""

import json

import numpy as np
import pytest

from layer_table import ROWS
from pellucid import descriptions, explain, losses, models, ops, optim, predict
from pellucid import layers as nn
from pellucid.data import augment, load
from pellucid.optim import schedules
from pellucid.training import TrainingState, records

X = np.random.default_rng(0).normal(size=(2, 4, 6, 6))
W = np.random.default_rng(1).normal(size=(4, 4, 3, 3))
NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(144, 3)).astype("float64")


def of_numpy(value):
    """The same arguments with NumPy's numbers."""
    if isinstance(value, tuple | list):
        return tuple(map(of_numpy, value))
    if isinstance(value, dict):
        return {k: v if k == "type" else of_numpy(v) for k, v in value.items()}
    kinds = {int: np.int64, float: np.float64, bool: np.bool_}
    return kinds.get(type(value), lambda same: same)(value)


LEAVES = [name for name, row in ROWS.items() if not row.make().children()]


@pytest.mark.parametrize("name", LEAVES)
def test_every_layer_takes_them_and_holds_plain_ones(name):
    described = ROWS[name].make().describe()
    arguments = {k: of_numpy(v) for k, v in described.items() if k not in ("type", "bias")}
    bias = {"bias": described["bias"]} if "bias" in described else {}
    layer = getattr(nn, described["type"])(**arguments, **bias)
    assert layer.describe() == described
    json.dumps(layer.describe())


DESCRIBED = [
    *((losses.build, d) for d in ({"type": "CrossEntropy", "ignore_index": 3},)),
    *((losses.build, d) for d in ({"type": "CrossEntropy", "label_smoothing": 0.5},)),
    (schedules.build, {"type": "Step", "every": 3, "gamma": 0.5}),
    (schedules.build, {"type": "Warmup", "steps": 4, "then": {"type": "Cosine", "final": 0.25}}),
    (schedules.build, {"type": "OneCycle", "peak": 0.25}),
    *((augment.build, d) for d in ({"type": "RandomCrop", "padding": 2},)),
    *((augment.build, d) for d in ({"type": "Cutout", "size": 3},)),
    (lambda d: optim.build(d, NETWORK.parameters()), {"type": "SGD", "lr": 0.5, "momentum": 0.75}),
    (lambda d: optim.build(d, NETWORK.parameters()), {"type": "Adam", "betas": [0.5, 0.75]}),
]


@pytest.mark.parametrize(("build", "description"), DESCRIBED, ids=[str(d) for _, d in DESCRIBED])
def test_settings_of_training_are_plain_numbers_whatever_was_given(build, description):
    plain = json.dumps(build(description).describe())
    given = {k: of_numpy(v) for k, v in description.items()}
    assert json.dumps(build(given).describe()) == plain


CALLS = {
    "conv2d": lambda n: ops.conv2d(X, W, stride=n(2), padding=n(1), dilation=(n(1), n(2))),
    "conv2d, groups": lambda n: ops.conv2d(X, W[:, :2], groups=n(2)),
    "conv_transpose2d": lambda n: ops.conv_transpose2d(X, W, stride=n(2), output_padding=n(1)),
    "max_pool2d": lambda n: ops.max_pool2d(X, n(2), n(2), n(1))[0],
    "avg_pool2d": lambda n: ops.avg_pool2d(X, (n(2), n(3))),
    "adaptive_max_pool2d": lambda n: ops.adaptive_max_pool2d(X, (None, n(3)))[0],
    "group_norm": lambda n: ops.group_norm(X, n(2))[0],
    "local_response_norm": lambda n: ops.local_response_norm(X, n(3))[0],
    "softmax": lambda n: ops.softmax(X, n(1)),
    "pad2d": lambda n: ops.pad2d(X, ((n(1), n(2)), (n(0), n(1)))),
    "concatenate": lambda n: ops.concatenate([X, X], n(1)),
    "initialize": lambda n: nn.initialize(nn.Linear(3, 2), n(5)).weight.value,
    "draws of a step": lambda n: nn.StepContext(n(1), n(2), n(3)).draw("dropout", (3,)),
    "a model by name": lambda n: nn.initialize(
        models.build("lenet5", (n(1), n(28), n(28)), n(10))
    ).state_dict()["conv1.weight"],
    "a model with options": lambda n: nn.initialize(
        models.mlp((n(4),), n(2), hidden=n(3))
    ).state_dict()["fc1.weight"],
    "a split": lambda n: load("digits").train.split(0.2, seed=n(3))[0].labels,
    "a subset": lambda n: load("digits").train.subset([n(1), n(2)]).labels,
    "predict": lambda n: predict(NETWORK, X, batch_size=n(1)),
    "saliency": lambda n: explain.saliency(NETWORK, X, target=n(2)),
    "a run": lambda n: trained(n),
}


def trained(n):
    x = np.random.default_rng(0).normal(size=(20, 4)).astype("f4")
    model = nn.initialize(nn.Linear(4, 2), seed=n(1))
    sgd = optim.SGD(model.parameters(), lr=0.5)
    state = TrainingState(model, sgd, batch_size=n(6), epochs=n(2), seed=n(7))
    assert len(list(records(state, (x, np.arange(20) % 2)))) == 10
    return model.weight.value


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
def test_functions_take_them(name, kind):
    np.testing.assert_array_equal(CALLS[name](kind), CALLS[name](int))


def test_a_number_that_is_none_is_still_refused():
    class Odd:
        def __index__(self):
            return 3

    assert nn.Conv2d(1, 2, Odd()).kernel_size == 3
    for wrong in (np.float64(3), "3", np.array([3])):
        with pytest.raises(ValueError, match="kernel_size"):
            nn.Conv2d(1, 2, wrong)


def test_one_dimensional_arrays_are_taken_for_tuples():
    weights = losses.CrossEntropy(np.array([0.5, 2.0], np.float32)).class_weights
    assert weights == (0.5, 2.0)
    assert nn.Take(np.array([2, 0])).indices == (2, 0)


def test_descriptions_are_as_before():
    assert descriptions.describe(schedules.Step(np.int32(4))) == {"type": "Step", "every": 4}
