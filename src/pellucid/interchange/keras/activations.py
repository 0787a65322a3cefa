"""Pairs of activation functions.

Keras offers some activations as layers, and all by name: in the layer `Activation` or as an
argument of another layer. A Pellucid layer is written with the first pair that fits.
"""

from __future__ import annotations

from typing import Any

from pellucid import layers as nn
from pellucid.interchange.keras.orders import VECTOR, keras_axis, our_axis
from pellucid.interchange.keras.pair import Config, Pair, UnreadableError
from pellucid.types import Shape


def _named(kind: type[nn.Layer], name: str, **arguments: Any) -> Pair:
    """Return the pair for an activation that Keras knows by `name`."""
    return Pair(
        kind=kind,
        keras_kind="Activation",
        fixed={"activation": name},
        when=lambda layer, shape: all(
            getattr(layer, argument) == value for argument, value in arguments.items()
        ),
        from_keras=lambda config, shape: arguments,
        each_alone=True,
    )


def _slopes(layer: nn.PReLU, shape: Shape) -> dict[str, Any]:
    """Share one slope over the spatial axes, or over all."""
    axes = range(1, len(shape))
    return {"shared_axes": list(axes[:-1] if layer.num_parameters > 1 else axes)}


def _channels(config: Config, shape: Shape) -> dict[str, Any]:
    shared, axes = config["shared_axes"] or [], set(range(1, len(shape)))
    if set(shared) == axes:
        return {"num_parameters": 1}
    if axes - set(shared) == {len(shape) - 1}:
        return {"num_parameters": shape[1]}
    raise UnreadableError("it has a slope for each position; Pellucid has one for each channel")


def _plain_softmax(layer: Any, shape: Shape) -> bool:
    return keras_axis(layer.dim, len(shape)) == -1


ACTIVATIONS = (
    Pair(
        kind=nn.ReLU,
        keras_kind="ReLU",
        fixed={"max_value": None, "negative_slope": 0, "threshold": 0},
        each_alone=True,
    ),
    Pair(
        kind=nn.ReLU6,
        keras_kind="ReLU",
        fixed={"max_value": 6, "negative_slope": 0, "threshold": 0},
        each_alone=True,
    ),
    Pair(
        kind=nn.LeakyReLU,
        keras_kind="LeakyReLU",
        arguments={"negative_slope": "negative_slope"},
        each_alone=True,
    ),
    Pair(kind=nn.ELU, keras_kind="ELU", arguments={"alpha": "alpha"}, each_alone=True),
    Pair(
        kind=nn.PReLU,
        keras_kind="PReLU",
        weights={"weight": ("alpha", VECTOR)},
        to_keras=_slopes,
        from_keras=_channels,
        each_alone=True,
    ),
    Pair(
        kind=nn.Softmax,
        keras_kind="Softmax",
        to_keras=lambda layer, shape: {"axis": keras_axis(layer.dim, len(shape))},
        from_keras=lambda config, shape: {"dim": our_axis(config["axis"], len(shape))},
        each_alone=True,
    ),
    _named(nn.ReLU, "relu"),
    _named(nn.ReLU6, "relu6"),
    _named(nn.LeakyReLU, "leaky_relu", negative_slope=0.2),
    _named(nn.ELU, "elu", alpha=1.0),
    _named(nn.SELU, "selu"),
    _named(nn.GELU, "gelu", approximate="none"),
    _named(nn.SiLU, "silu"),
    _named(nn.Hardswish, "hard_silu"),
    _named(nn.HardSigmoid, "hard_sigmoid", alpha=1 / 6, beta=0.5),
    _named(nn.Softplus, "softplus", beta=1.0),
    _named(nn.Softsign, "softsign"),
    _named(nn.Sigmoid, "sigmoid"),
    _named(nn.Tanh, "tanh"),
    _named(nn.Exp, "exponential"),
    _named(nn.Identity, "linear"),
    Pair(
        kind=nn.Softmax,
        keras_kind="Activation",
        fixed={"activation": "softmax"},
        when=_plain_softmax,
        each_alone=True,
    ),
    Pair(
        kind=nn.LogSoftmax,
        keras_kind="Activation",
        fixed={"activation": "log_softmax"},
        when=_plain_softmax,
        each_alone=True,
    ),
)
