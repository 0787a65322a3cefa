"""The table of equivalent layers of Pellucid and Keras, used in both directions.

The first pair that applies is used, so special cases come before general ones.
"""

from __future__ import annotations

from typing import Any

from pellucid import layers as nn
from pellucid.geometry import pair as both
from pellucid.interchange.keras import transposed
from pellucid.interchange.keras.activations import ACTIVATIONS
from pellucid.interchange.keras.orders import (
    IMAGE,
    KERNEL,
    MATRIX,
    OUTPUTS,
    VECTOR,
    keras_axis,
    our_axis,
)
from pellucid.interchange.keras.pair import Argument, Config, Pair, UnreadableError, simple
from pellucid.interchange.keras.weightless import WEIGHTLESS
from pellucid.parameter import Parameter
from pellucid.types import Shape

# Convolution and linear layers

_KERNEL = {"weight": ("kernel", KERNEL), "bias": ("bias", OUTPUTS)}
_WINDOW = {"kernel_size": "kernel_size", "stride": "strides", "dilation": "dilation_rate"}


def _plain(layer: nn.Conv2d, shape: Shape) -> bool:
    """Keras has no stride with dilation, no circular padding and no flipped kernel."""
    strided, dilated = both(layer.stride, "stride"), both(layer.dilation, "dilation")
    padded = layer.padding_mode in ("zeros", "reflect")
    return padded and not layer.flip_kernel and (1, 1) in (strided, dilated)


def _depthwise(layer: nn.Conv2d, shape: Shape) -> bool:
    """Whether the convolution is depthwise, with equal strides in both directions."""
    alone = layer.groups == layer.in_channels > 1
    return _plain(layer, shape) and alone and len(set(both(layer.stride, "stride"))) == 1


def _growing(layer: nn.ConvTranspose2d, shape: Shape) -> bool:
    """Keras's transposed convolution has neither groups nor, on a CPU, dilation."""
    dilated = both(layer.dilation, "dilation") != (1, 1)
    return layer.groups == 1 and not layer.flip_kernel and not dilated


CONVOLUTIONS = (
    Pair(
        kind=nn.Conv2d,
        keras_kind="DepthwiseConv2D",
        arguments=_WINDOW | {"bias": "use_bias"},
        weights=_KERNEL,
        when=_depthwise,
        to_keras=lambda conv, shape: {"depth_multiplier": conv.out_channels // conv.in_channels},
        from_keras=lambda config, shape: {
            "out_channels": config["depth_multiplier"] * shape[1],
            "groups": shape[1],
        },
        border=0.0,
    ),
    Pair(
        kind=nn.Conv2d,
        keras_kind="Conv2D",
        arguments=_WINDOW | {"out_channels": "filters", "groups": "groups", "bias": "use_bias"},
        weights=_KERNEL,
        when=_plain,
        border=0.0,
    ),
    Pair(
        kind=nn.ConvTranspose2d,
        keras_kind="Conv2DTranspose",
        arguments=_WINDOW | {"out_channels": "filters", "bias": "use_bias"},
        weights=_KERNEL,
        when=_growing,
        to_keras=transposed.whole,
        from_keras=transposed.from_keras,
    ),
    Pair(
        kind=nn.Linear,
        keras_kind="Dense",
        arguments={"out_features": "units", "bias": "use_bias"},
        weights={"weight": ("kernel", MATRIX), "bias": ("bias", OUTPUTS)},
        when=lambda linear, shape: len(shape) == 2,
    ),
)

# Pooling


def _pool_stride(config: Config) -> dict[str, Any]:
    """Use None where Keras's strides equal the window."""
    window = config["pool_size"] == config["strides"]
    return {"stride": None if window else simple(config["strides"])}


POOLING = (
    Pair(
        kind=nn.MaxPool2d,
        keras_kind="MaxPooling2D",
        arguments={"kernel_size": "pool_size", "stride": "strides"},
        from_keras=lambda config, shape: _pool_stride(config),
        when=lambda pool, shape: both(pool.dilation, "dilation") == (1, 1),
        border=float("-inf"),
    ),
    Pair(
        kind=nn.AvgPool2d,
        keras_kind="AveragePooling2D",
        arguments={"kernel_size": "pool_size", "stride": "strides"},
        from_keras=lambda config, shape: (
            _pool_stride(config) | {"count_include_pad": config["padding"] == "valid"}
        ),
        border=0.0,
    ),
    Pair(kind=nn.GlobalAvgPool2d, keras_kind="GlobalAveragePooling2D", fixed={"keepdims": True}),
    *(
        Pair(
            kind=kind,
            keras_kind=keras_kind,
            fixed={"keepdims": True},
            when=lambda pool, shape: pool.output_shape(shape)[2:] == (1, 1),
            from_keras=lambda config, shape: {"output_size": 1},
        )
        for kind, keras_kind in (
            (nn.AdaptiveAvgPool2d, "GlobalAveragePooling2D"),
            (nn.AdaptiveMaxPool2d, "GlobalMaxPooling2D"),
        )
    ),
    *(
        Pair(
            kind=kind,
            keras_kind=keras_kind,
            to_keras=lambda pool, shape: {"output_size": pool.output_shape(shape)[2:]},
            from_keras=lambda config, shape: {"output_size": simple(config["output_size"])},
        )
        for kind, keras_kind in (
            (nn.AdaptiveAvgPool2d, "AdaptiveAveragePooling2D"),
            (nn.AdaptiveMaxPool2d, "AdaptiveMaxPooling2D"),
        )
    ),
)

# Normalisation

_AFFINE = {"weight": ("gamma", VECTOR), "bias": ("beta", VECTOR)}
_LEARNED = Argument(("center", "scale"))


def _keeping(momentum: float) -> float:
    """Convert the momentum: Keras weights the old value with it, Pellucid the new one."""
    return round(1 - momentum, 12)


def _batch_norm(kind: type[nn.Layer], ndim: int) -> Pair:
    """Return the pair for inputs with `ndim` axes."""
    return Pair(
        kind=kind,
        keras_kind="BatchNormalization",
        arguments={
            "eps": "epsilon",
            "momentum": Argument(("momentum",), _keeping, _keeping),
            "affine": _LEARNED,
        },
        weights=_AFFINE
        | {"running_mean": ("moving_mean", VECTOR), "running_var": ("moving_variance", VECTOR)},
        fixed={"axis": -1},
        when=lambda norm, shape: (
            len(shape) == ndim and norm.track_running_stats and norm.momentum is not None
        ),
        reads_when=lambda config, shape: len(shape) == ndim,
        each_alone=True,
    )


def _over_axes(norm: nn.LayerNorm, shape: Shape) -> dict[str, Any]:
    count = 1 if isinstance(norm.normalized_shape, int) else len(norm.normalized_shape)
    axes = [keras_axis(axis, len(shape)) for axis in range(len(shape) - count, len(shape))]
    scale, center = norm.weight is not None, isinstance(norm.bias, Parameter)
    return {"axis": sorted(axes), "scale": scale, "center": center}


def _over_shape(config: Config, shape: Shape) -> dict[str, Any]:
    given = config["axis"] if isinstance(config["axis"], list | tuple) else [config["axis"]]
    axes = sorted(our_axis(axis, len(shape)) for axis in given)
    if axes != list(range(len(shape) - len(axes), len(shape))):
        raise UnreadableError("it normalises over channels at each position (axis=-1)")
    return {
        "normalized_shape": tuple(shape[axis] for axis in axes),
        "elementwise_affine": config["scale"] or config["center"],
        "bias": config["center"],
    }


NORMALIZATION = (
    _batch_norm(nn.BatchNorm2d, 4),
    _batch_norm(nn.BatchNorm1d, 2),
    Pair(
        kind=nn.LayerNorm,
        keras_kind="LayerNormalization",
        arguments={"eps": "epsilon"},
        weights={"weight": ("gamma", IMAGE), "bias": ("beta", IMAGE)},
        each_alone=True,  # a flattened image is normalised as a whole
        to_keras=_over_axes,
        from_keras=_over_shape,
    ),
    Pair(
        kind=nn.GroupNorm,
        keras_kind="GroupNormalization",
        arguments={"num_groups": "groups", "eps": "epsilon", "affine": _LEARNED},
        weights=_AFFINE,
        fixed={"axis": -1},
    ),
    Pair(
        kind=nn.InstanceNorm2d,
        keras_kind="GroupNormalization",
        arguments={"eps": "epsilon", "affine": _LEARNED},
        weights=_AFFINE,
        fixed={"axis": -1},
        when=lambda norm, shape: not norm.track_running_stats,
        to_keras=lambda norm, shape: {"groups": norm.num_features},
    ),
)

PAIRS = (*CONVOLUTIONS, *POOLING, *NORMALIZATION, *ACTIVATIONS, *WEIGHTLESS)
