"""What a seed draws does not depend on what is done with a model before it is used first."""

import copy

import numpy as np
import pytest

import pellucid as pl
from pellucid import layers as nn

SHAPE = (2, 9, 10)


def network():
    return nn.Sequential(
        conv=nn.Conv2d(2, 4, 3),
        block=nn.Residual(nn.Sequential(a=nn.Conv2d(4, 4, 3, padding=1))),
        both=nn.Concat(nn.Conv2d(4, 2, 1), nn.Conv2d(4, 3, 1)),
        flat=nn.Flatten(),
        fc=nn.Linear(5 * 7 * 8, 5),
    )


def by_hand(model):
    return [parameter.value for parameter in model.parameters()]


DONE_BEFORE = {
    "used": lambda model: model(np.zeros((1, *SHAPE), np.float32)),
    "frozen": pl.freeze,
    "fused": lambda model: pl.fuse(model)(np.zeros((1, *SHAPE), np.float32)),
    "saved": lambda model: pl.save(model, "model.safetensors"),
    "shown": lambda model: (repr(model), pl.summary(model, SHAPE)),
    "copied": copy.deepcopy,
    "turned": lambda model: model.astype("float64").astype("float32"),
    "asked for a part's weight": lambda model: model["block"].body["a"].weight.value,
    "asked for its values": by_hand,
    "traced": lambda model: pl.explain.Tracer(model).run(np.zeros((1, *SHAPE), np.float32)),
    "wrapped": lambda model: nn.Sequential(model)(np.zeros((1, *SHAPE), np.float32)),
}


@pytest.mark.parametrize("what", DONE_BEFORE)
def test_the_weights_are_the_seeds_whatever_was_done_before(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, right = network(), nn.initialize(network(), seed=0).state_dict()
    DONE_BEFORE[what](model)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)
