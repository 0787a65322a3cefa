"""Each argument's limits: the last values that are accepted, and the first that are refused."""

import math

import numpy as np
import pytest

from pellucid import optim
from pellucid.errors import PellucidError
from pellucid.optim import schedules
from pellucid.parameter import Parameter

BELOW_0, BELOW_1, ABOVE_1 = -1e-9, math.nextafter(1, 0), math.nextafter(1, 2)
TINY = 1e-300

SHARE_OF_STEPS = ([1, 2, TINY, 0.5, 1.0], [0, -1, 0.0, ABOVE_1, -0.5])
FACTOR = ([0.0, 0.5, 1.0], [BELOW_0, ABOVE_1])
FACTOR_ABOVE_0 = ([TINY, 0.5, 1.0], [0.0, BELOW_0, ABOVE_1])
POSITIVE = ([TINY, 1.5], [0.0, BELOW_0])
NOT_NEGATIVE = ([0.0, 1.5], [BELOW_0])
MOMENTUM = ([0.0, BELOW_1], [BELOW_0, 1.0])
BETAS = (
    [(0.0, BELOW_1), (BELOW_1, 0.0)],
    [(BELOW_0, 0.5), (0.5, BELOW_0), (1.0, 0.5), (0.5, 1.0), (0.9,), (0.9, 0.9, 0.9)],
)

SCHEDULES = [
    (schedules.Step, "every", *SHARE_OF_STEPS),
    (schedules.Step, "gamma", *FACTOR_ABOVE_0),
    (schedules.Exponential, "final", *FACTOR_ABOVE_0),
    (schedules.Cosine, "final", *FACTOR),
    (schedules.Linear, "final", *FACTOR),
    (schedules.OneCycle, "peak", [TINY, BELOW_1], [0.0, 1.0]),
    (schedules.OneCycle, "start_division", [1.0, 1e9], [BELOW_1, 0.0]),
    (schedules.OneCycle, "final_division", [1.0, 1e9], [BELOW_1, 0.0]),
    (schedules.Warmup, "steps", *SHARE_OF_STEPS),
    (schedules.Warmup, "then", [schedules.Warmup()], [0.5, None]),
]
OPTIMIZERS = [
    *[
        (kind, name, *limits)
        for kind in optim.OPTIMIZERS.values()
        for name, limits in {
            "lr": POSITIVE,
            "weight_decay": NOT_NEGATIVE,
            "clip_norm": POSITIVE,
            "lookahead": ([1, 2, None], [0, -1]),
            "lookahead_rate": FACTOR_ABOVE_0,
            "lr_factors": ([(("*", 0.0),), {"bias": 2.0}], [(("*", BELOW_0),), {"bias": -1.0}]),
            "decay_kinds": ([(), ("weight", "norm")], [("weights",)]),
        }.items()
    ],
    (optim.SGD, "momentum", *MOMENTUM),
    (optim.Muon, "momentum", *MOMENTUM),
    (optim.Muon, "iterations", [1, 9], [0, -1]),
    (optim.Muon, "adam_lr", *POSITIVE),
    (optim.Muon, "adam_betas", *BETAS),
    (optim.RMSprop, "momentum", *MOMENTUM),
    (optim.RMSprop, "alpha", *MOMENTUM),
    (optim.RMSprop, "eps", *NOT_NEGATIVE),
    (optim.Adam, "betas", *BETAS),
    (optim.Adam, "eps", *NOT_NEGATIVE),
    (optim.AdamW, "betas", *BETAS),
    (optim.AdamW, "eps", *NOT_NEGATIVE),
    (optim.Adagrad, "lr_decay", *NOT_NEGATIVE),
    (optim.Adagrad, "eps", *NOT_NEGATIVE),
]


def each(table):
    names = [f"{kind.__name__} {name}" for kind, name, *_ in table]
    return pytest.mark.parametrize(("kind", "name", "accepted", "refused"), table, ids=names)


@each(SCHEDULES)
def test_a_schedule_accepts_values_up_to_its_limits(kind, name, accepted, refused):
    for value in accepted:
        assert getattr(kind(**{name: value}), name) == value
    for value in refused:
        with pytest.raises(PellucidError, match=f"{kind.__name__}.*{name}"):
            kind(**{name: value})


@each(OPTIMIZERS)
def test_an_optimizer_accepts_values_up_to_its_limits(kind, name, accepted, refused):
    def made(value):
        return kind([Parameter("w", (2, 2), "zeros")], **{"lr": 0.1} | {name: value})

    for value in accepted:
        expected = tuple(value.items()) if isinstance(value, dict) else value
        assert getattr(made(value), name) == expected
    for value in refused:
        with pytest.raises(PellucidError):
            made(value)


@pytest.mark.parametrize("decay", [0.0, BELOW_1])
def test_a_moving_average_accepts_decays_up_to_its_limits(decay):
    assert (
        optim.ExponentialMovingAverage({"w": Parameter("w", (2,), "zeros")}, decay).decay == decay
    )


@pytest.mark.parametrize("decay", [BELOW_0, 1.0, np.nan])
def test_a_moving_average_refuses_other_decays(decay):
    with pytest.raises(PellucidError, match="decay"):
        optim.ExponentialMovingAverage({"w": Parameter("w", (2,), "zeros")}, decay)
