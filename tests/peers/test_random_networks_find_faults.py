"""Small faults are put into the library, one at a time: random networks find each of them.

Only networks with what the fault is in are tried, so that few are needed.
"""

from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np
import pytest

from pellucid import ops, reference
from pellucid.compiled import epilogue
from pellucid.errors import PellucidError
from pellucid.execution.blocks import Block
from pellucid.execution.capture import RecordingContext
from pellucid.explain import Tracer
from pellucid.interchange.keras import orders
from pellucid.interchange.onnx.writer import convolution as onnx_convolution
from pellucid.layers import pooling as pooling_layers
from pellucid.layers.batch_norm import ChannelNorm
from pellucid.layers.residual import Residual
from pellucid.optim.base import Optimizer
from pellucid.reference import padding, pooling
from pellucid.reference.conv import im2col
from random_networks.drawing import Case, draw
from random_networks.exchange import exchanged
from random_networks.node import code
from random_networks.verdict import Ways, computed, differences

NETWORKS = 12
"""So many are tried at most."""


@dataclass(frozen=True)
class Fault:
    """Where a fault is put, the fault, given what was there, and what a network has to have."""

    owner: Any
    name: str
    change: Any
    needs: tuple[str, ...] = ()
    ways: Ways = computed


def cover_without_padding(window):
    """Once a fault: max-pooling's gradients were moved where windows begin in the padding."""
    (OH, OW), (KH, KW) = window.output_size, window.kernel
    return window.stride == window.kernel and window.size == (OH * KH, OW * KW)


def with_options(**options):
    return lambda function: lambda *args, **kwargs: function(*args, **(kwargs | options))


def ignoring_ceil_mode(pooling_window):
    return lambda shape, kernel, stride, sides, dilation, _: pooling_window(
        shape, kernel, stride, sides, dilation, False
    )


def losing_a_channel(backward):
    def changed(self, dy, *args, **kwargs):
        kept = np.arange(dy.shape[1]) > 0
        return backward(self, dy * kept[None, :, None, None], *args, **kwargs)

    return changed


def decaying_everything(step):
    def changed(self):
        self.decay_kinds = ("weight", "bias", "norm")
        step(self)

    return changed


def keeping_the_last_gradient(self, values, caches, start):
    """Once a value is read twice, one of its gradients is forgotten."""
    found = [*(np.zeros_like(value) for value in values[:-1]), start]
    for i in reversed(range(len(self.nodes))):
        node = self.nodes[i]
        dx = node.layer.backward(found[i + 1], caches[i])
        for read, part in zip(node.reads, dx if node.layer.inputs != 1 else (dx,), strict=True):
            found[read] = part
    return found


FAULTS = {
    "max-pooling's gradient moves with the padding": Fault(
        epilogue,
        "_cover",
        lambda _: cover_without_padding,
        ("nn.MaxPool2d(kernel_size=3, padding=1)",),
    ),
    "a derivative is a thousandth too large": Fault(
        ops,
        "gelu_gradient",
        lambda gradient: lambda *args: gradient(*args) * 1.001,
        ("GELU",),
    ),
    "a fused residual forgets its shortcut's gradient": Fault(
        Block,
        "backward_of_conv",
        lambda backward: lambda self, dz, x, wanted, onto=None: backward(self, dz, x, wanted),
        ("Residual", "BatchNorm2d"),
    ),
    "replayed steps keep a dropout mask": Fault(
        RecordingContext, "draw_again", lambda _: lambda self, step: None, ("Dropout", "Conv2d")
    ),
    "momentum of running statistics is turned round": Fault(
        ChannelNorm,
        "update_running",
        lambda record: lambda self, step, momentum, *rest: record(self, step, 1 - momentum, *rest),
        ("BatchNorm2d",),
    ),
    "ceil_mode is not heard": Fault(
        pooling_layers, "pooling_window", ignoring_ceil_mode, ("ceil_mode=True",)
    ),
    "padding is averaged over": Fault(
        pooling,
        "_counts",
        lambda counts: lambda window, include_padding: counts(window, True),
        ("count_include_pad=False",),
    ),
    "groups change places": Fault(
        im2col, "_grouped", lambda grouped: lambda *args: grouped(*args)[::-1], ("groups=2",)
    ),
    "reflection repeats the edge": Fault(
        padding,
        "_source",
        lambda source: (
            lambda size, side, mode: source(size, side, mode.replace("reflect", "replicate"))
        ),
        ("reflect",),
    ),
    "every parameter decays": Fault(
        Optimizer, "step", decaying_everything, ("'decay_kinds': ('weight',)", "SGD")
    ),
    "Adam does not correct its bias": Fault(
        reference, "adam", with_options(step=10**6), ("'type': 'Adam'",)
    ),
    "Nesterov's momentum is the usual one": Fault(
        reference, "sgd", with_options(nesterov=False), ("nesterov",)
    ),
    "a residual loses a channel's gradient": Fault(
        Residual, "backward", losing_a_channel, ("nn.Residual",)
    ),
    "an ONNX file pads the opposite sides": Fault(
        onnx_convolution,
        "pads",
        lambda pads: lambda sides: pads(tuple(side[::-1] for side in sides)),
        ("Conv2d", "padding=((1, 0)"),
        exchanged,
    ),
    "Keras flattens in our order": Fault(
        orders,
        "channels_last",
        lambda _: lambda shape: np.arange(np.prod(shape)),
        ("AdaptiveAvgPool2d(output_size=(2, 2)), nn.Flatten()",),
        exchanged,
    ),
    "a trace forgets a gradient": Fault(
        Tracer, "_backward", lambda _: keeping_the_last_gradient, ("nn.Residual",), exchanged
    ),
}


def networks_with(words: tuple[str, ...]) -> Any:
    """Yield random networks whose code, or training, has these words."""
    for seed in count():
        case: Case = draw(seed)
        text = code(case.node, case.shape) + str(case.training if case.is_trained else "")
        if all(word in text for word in words):
            yield case


def differs(case: Case, ways: Ways) -> bool:
    try:
        return bool(differences(case, noises=1, ways=ways))
    except PellucidError:  # its layers do not even fit each other any more
        return True


def found_after(cases: list[Case], ways: Ways) -> int | None:
    return next((i for i, case in enumerate(cases, 1) if differs(case, ways)), None)


@pytest.mark.parametrize("name", FAULTS)
def test_random_networks_find_it(name, monkeypatch, record_property):
    fault = FAULTS[name]
    cases = list(islice(networks_with(fault.needs), NETWORKS))
    assert not differs(cases[0], fault.ways)
    monkeypatch.setattr(fault.owner, fault.name, fault.change(getattr(fault.owner, fault.name)))
    needed = found_after(cases, fault.ways)
    record_property("networks", needed)
    assert needed is not None
