"""Optimisers, learning-rate schedules, and averages of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pellucid import descriptions
from pellucid.optim import schedules
from pellucid.optim.adagrad import Adagrad
from pellucid.optim.adam import Adam, AdamW
from pellucid.optim.averaging import ExponentialMovingAverage
from pellucid.optim.base import Optimizer
from pellucid.optim.muon import Muon
from pellucid.optim.rmsprop import RMSprop
from pellucid.optim.sgd import SGD
from pellucid.parameter import Parameter

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "ExponentialMovingAverage",
    "Muon",
    "Optimizer",
    "RMSprop",
    "build",
    "chosen",
    "schedules",
]


def __dir__() -> list[str]:
    return __all__


OPTIMIZERS: Mapping[str, type[Optimizer]] = {
    optimizer.__name__: optimizer for optimizer in (SGD, Adam, AdamW, RMSprop, Adagrad, Muon)
}


def build(description: Any, parameters: Sequence[Parameter]) -> Optimizer:
    """Build the optimiser that `description` describes, for `parameters`.

    >>> build({"type": "SGD", "momentum": 0.9}, [Parameter("w", (1,), "ones")])
    SGD(1 parameter, lr=0.01, momentum=0.9)
    """
    return descriptions.build("optimizer", description, OPTIMIZERS, parameters=parameters)


def chosen(given: Optimizer | str, parameters: Sequence[Parameter]) -> Optimizer:
    """Return an optimiser unchanged, or make one from its name, such as "adam".

    >>> chosen("adam", [Parameter("w", (1,), "ones")])
    Adam(1 parameter, lr=0.001)
    """
    home = "pellucid.optim"
    return descriptions.chosen("optimizer", given, OPTIMIZERS, home, parameters=parameters)
