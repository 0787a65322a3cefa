"""Pairs of layers without weights other than activations: dropout, resizing, sums, shapes."""

from __future__ import annotations

from pellucid import layers as nn
from pellucid.interchange.keras.orders import keras_axis, our_axis
from pellucid.interchange.keras.pair import Pair, sides, simple
from pellucid.ops.padding import padding_sides
from pellucid.types import Shape


def _factors(up: nn.Upsample, shape: Shape) -> Shape:
    """Return the factors by which height and width grow."""
    (OH, OW), (H, W) = up.output_shape(shape)[2:], shape[2:]
    return OH // H, OW // W


def _whole_factors(up: nn.Upsample, shape: Shape) -> bool:
    larger = (*shape[:2], *(f * s for f, s in zip(_factors(up, shape), shape[2:], strict=True)))
    return not up.align_corners and larger == up.output_shape(shape)


_TWO: dict[type[nn.Layer], str] = {
    nn.BroadcastAdd: "Add",
    nn.Subtract: "Subtract",
    nn.Multiply: "Multiply",
    nn.Maximum: "Maximum",
    nn.Minimum: "Minimum",
}

WEIGHTLESS = (
    Pair(kind=nn.Identity, keras_kind="Identity", each_alone=True),
    Pair(kind=nn.Dropout, keras_kind="Dropout", arguments={"p": "rate"}, each_alone=True),
    Pair(kind=nn.Dropout2d, keras_kind="SpatialDropout2D", arguments={"p": "rate"}),
    Pair(
        kind=nn.Affine,
        keras_kind="Rescaling",
        arguments={"scale": "scale", "shift": "offset"},
        reads_when=lambda config, shape: (
            not isinstance(config["scale"], list | tuple)
            and not isinstance(config["offset"], list | tuple)
        ),
        each_alone=True,
    ),
    Pair(
        kind=nn.Pad2d,
        keras_kind="ZeroPadding2D",
        when=lambda pad, shape: pad.mode in ("constant", "zeros") and pad.value == 0,
        to_keras=lambda pad, shape: {"padding": padding_sides(shape, pad.padding, "constant")},
        from_keras=lambda config, shape: {"padding": sides(config["padding"])},
    ),
    Pair(
        kind=nn.Upsample,
        keras_kind="UpSampling2D",
        when=_whole_factors,
        to_keras=lambda up, shape: {"size": _factors(up, shape), "interpolation": up.mode},
        from_keras=lambda config, shape: {
            "scale_factor": simple(config["size"]),
            "mode": config["interpolation"],
        },
        reads_when=lambda config, shape: config["interpolation"] in ("nearest", "bilinear"),
    ),
    Pair(
        kind=nn.Upsample,
        keras_kind="Resizing",
        fixed={
            "interpolation": "bilinear",
            "antialias": False,
            "crop_to_aspect_ratio": False,
            "pad_to_aspect_ratio": False,
        },
        when=lambda up, shape: up.mode == "bilinear" and not up.align_corners and up.size,
        to_keras=lambda up, shape: dict(
            zip(("height", "width"), up.output_shape(shape)[2:], strict=True)
        ),
        from_keras=lambda config, shape: {
            "size": simple([config["height"], config["width"]]),
            "mode": "bilinear",
        },
    ),
    Pair(kind=nn.Add, keras_kind="Add", reads_when=lambda config, shape: len(set(shape)) == 1),
    *(
        Pair(kind=kind, keras_kind=keras_kind, reads_when=lambda config, shape: len(shape) == 2)
        for kind, keras_kind in _TWO.items()
    ),
    Pair(
        kind=nn.Cat,
        keras_kind="Concatenate",
        to_keras=lambda cat, shape: {"axis": keras_axis(cat.axis, len(shape[0]))},
        from_keras=lambda config, shape: {"axis": our_axis(config["axis"], len(shape[0]))},
    ),
)
