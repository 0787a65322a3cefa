"""What is not said is as in PyTorch: arguments of one name have one default."""

import inspect

import pytest
import torch

from pellucid import losses, optim
from pellucid.layers.base import registry

OTHERWISE = {
    "Muon": {"lr": 0.02, "weight_decay": 0.0},  # those of its author, Keller Jordan
    "SGD": {"lr": 0.01},  # PyTorch's 0.001 is for no network in particular
    "Softmax": {"dim": 1},  # the classes; PyTorch guesses, and warns
    "LogSoftmax": {"dim": 1},
    "CrossEntropy": {"ignore_index": None},  # PyTorch leaves out a class -100, if there is one
    "Upsample": {"align_corners": False},  # which PyTorch's None means
}
"""Where we differ, and what our default is."""


def defaults(function):
    """Return the defaults of a function's or a class's arguments, numbers of one kind."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def pairs():
    for home, theirs in ((registry, torch.nn), (optim.OPTIMIZERS, torch.optim)):
        for name, ours in home.items():
            if hasattr(theirs, name):
                yield pytest.param(name, ours, getattr(theirs, name), id=name)
    for ours, theirs in (
        (losses.CrossEntropy, torch.nn.CrossEntropyLoss),
        (losses.BinaryCrossEntropy, torch.nn.BCEWithLogitsLoss),
        (losses.MeanSquaredError, torch.nn.MSELoss),
    ):
        yield pytest.param(ours.__name__, ours, theirs, id=ours.__name__)


@pytest.mark.parametrize(("name", "ours", "theirs"), list(pairs()))
def test_arguments_have_pytorchs_defaults(name, ours, theirs):
    own, known = defaults(ours), defaults(theirs)
    different = {
        argument: own[argument]
        for argument in own.keys() & known.keys()
        if own[argument] != known[argument]
    }
    assert different == OTHERWISE.get(name, {})
