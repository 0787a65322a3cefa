"""Convert one Keras layer: by a pair of equivalent layers, or by a function of its own."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.keras.converted import Context, Converted
from pellucid.interchange.keras.orders import keras_shape, our_shape
from pellucid.interchange.keras.pair import Config, Pair, UnreadableError
from pellucid.interchange.keras.pair import sides as shortest
from pellucid.interchange.keras.pairs import PAIRS


def steps(source: Any, context: Context) -> list[Converted]:
    """Return the layers that replace the Keras layer `source`."""
    kind, config = type(source).__name__, source.get_config()
    if not type(source).__module__.startswith("keras."):
        raise UnreadableError("it is not a layer of Keras itself")
    if config.get("data_format") == "channels_first":
        raise UnreadableError("it has data_format='channels_first'; use 'channels_last'")
    ndim, axis = len(context.shapes[0]), config.get("axis")
    if isinstance(axis, int):
        config["axis"] = axis if axis < 0 else axis - ndim
    elif isinstance(axis, list | tuple):
        config["axis"] = [a if a < 0 else a - ndim for a in axis]
    if (convert := _CONVERTERS.get(kind)) is not None:
        found = convert(source, config, context)
        if found is not None:
            return found
    if context.constants:
        raise UnreadableError(f"it has the constant inputs {context.constants}")
    return [_paired(kind, source, config, context), *_activation(kind, config, context)]


def _paired(kind: str, source: Any, config: Config, context: Context) -> Converted:
    """Return the equivalent layer from the table of pairs, with the weights."""
    shape: Any = context.shapes if len(context.shapes) > 1 else context.shapes[0]
    pairs = [pair for pair in PAIRS if pair.keras_kind == kind]
    pair = next((pair for pair in pairs if pair.reads(config, shape)), None)
    if pair is None:
        raise UnreadableError("with these arguments" if pairs else "")
    layer = pair.our_layer(config, shape)
    joined = _with_pad(layer, pair, config, context.pad)
    layer = joined or layer
    if getattr(source, "variable_dtype", None) == "float64":
        layer.astype("float64")
    by_features = pair.each_alone or isinstance(layer, nn.Linear)
    flattened = context.flattened if by_features else None
    for name, (keras_name, order) in pair.weights.items():
        item, variable = getattr(layer, name, None), getattr(source, keras_name, None)
        if item is not None and not isinstance(item, bool) and variable is not None:
            value = np.asarray(variable).astype(item.dtype, copy=False)
            item.value = order.from_keras(value, flattened, item.shape)
    return Converted("", layer, by_features, pair.each_alone, takes_pad=joined is not None)


def _with_pad(layer: Any, pair: Pair, config: Config, pad: nn.Pad2d | None) -> nn.Layer | None:
    """Return the layer with the padding before it merged in, if its arguments can express that."""
    if pad is None or pair.border is None or config["padding"] != "valid":
        return None
    value = pad.value if pad.mode == "constant" else 0.0
    if pad.mode in ("constant", "zeros") and value == pair.border:
        changed: dict[str, Any] = {"padding": pad.padding}
    elif pad.mode == "reflect" and isinstance(layer, nn.Conv2d):
        changed = {"padding": pad.padding, "padding_mode": "reflect"}
    else:
        return None
    try:
        joined: nn.Layer = dataclasses.replace(layer, **changed)
    except PellucidError:  # pooling accepts no padding of more than half its window
        return None
    return joined


def _activation(kind: str, config: Config, context: Context) -> list[Converted]:
    """Return the layer for the `activation` argument of a Keras layer."""
    name = config.get("activation")
    if kind == "Activation" or name in (None, "linear"):
        return []
    shape = context.shapes[0]
    for pair in PAIRS:
        if pair.keras_kind == "Activation" and pair.reads({"activation": name}, shape):
            layer = pair.our_layer({"activation": name}, shape)
            return [Converted(str(name), layer, pair.each_alone, pair.each_alone)]
    raise UnreadableError(f"with the activation {name}")


def _flatten(source: Any, config: Config, context: Context) -> list[Converted]:
    shape = context.shapes[0]
    if len(shape) < 4:
        return [Converted("", nn.Flatten(), any_order=True, keeps_order=True)]
    moved = min(shape[1], shape[2] * shape[3]) > 1
    return [Converted("", nn.Flatten(), flattened=shape[1:] if moved else None)]


def _reshape(source: Any, config: Config, context: Context) -> list[Converted]:
    """Convert a reshape: permute an image to Keras's order, reshape it, and permute it back."""
    before = keras_shape(context.shapes[0])
    size = math.prod(before)
    target = [int(n) for n in config["target_shape"]]
    if -1 in target:
        target[target.index(-1)] = size // -math.prod(target)
    if len(target) == 1:
        return _flatten(source, config, context)
    after = our_shape((1, *target))
    if len(before) == len(after) == 4 and 1 == before[1] * before[2] == target[0] * target[1]:
        return [Converted("", nn.Identity())]
    found = []
    if len(before) == 4:
        found.append(Converted("turned", nn.Permute((0, 2, 3, 1))))
    found.append(Converted("", nn.Reshape((0, *target))))
    if len(after) == 4:
        found.append(Converted("back", nn.Permute((0, 3, 1, 2))))
    return found


def _global_pooling(source: Any, config: Config, context: Context) -> list[Converted] | None:
    if config["keepdims"]:
        return None
    kept = {**config, "keepdims": True}
    return [_paired(type(source).__name__, source, kept, context), Converted("flat", nn.Flatten())]


def _dense(source: Any, config: Config, context: Context) -> list[Converted] | None:
    """Convert a dense layer that is applied to images: a 1×1 convolution."""
    if len(context.shapes[0]) != 4:
        return None
    return [_mixing(source, source.kernel, config, context), *_activation("Dense", config, context)]


def _mixing(source: Any, kernel: Any, config: Config, context: Context) -> Converted:
    """Return the 1×1 convolution for a Keras layer with a kernel (…, C, F)."""
    own = SimpleNamespace(kernel=kernel, bias=source.bias, variable_dtype=source.variable_dtype)
    plain = {"kernel_size": 1, "strides": 1, "dilation_rate": 1, "padding": "valid", "groups": 1}
    filters = {"filters": kernel.shape[-1]}
    return _paired("Conv2D", own, {**config, **plain, **filters}, context)


def _layer_norm(source: Any, config: Config, context: Context) -> list[Converted] | None:
    """Convert normalisation over the channels of each position; Pellucid needs that axis last."""
    shape = context.shapes[0]
    if len(shape) != 4 or config["axis"] not in (-1, [-1]):
        return None
    last = context._replace(shapes=((shape[0], *shape[2:], shape[1]),))
    norm = _paired("LayerNormalization", source, {**config, "axis": -2}, last)
    turned, back = nn.Permute((0, 2, 3, 1)), nn.Permute((0, 3, 1, 2))
    return [Converted("turned", turned), norm, Converted("back", back)]


def _separable(source: Any, config: Config, context: Context) -> list[Converted]:
    """Convert a separable convolution: a depthwise convolution, then a 1×1 convolution."""
    own = SimpleNamespace(kernel=source.depthwise_kernel, variable_dtype=source.variable_dtype)
    depthwise = _paired("DepthwiseConv2D", own, {**config, "use_bias": False}, context)
    inner = Context((depthwise.layer.output_shape(context.shapes[0]),), None, {}, None)
    pointwise = _mixing(source, source.pointwise_kernel, config, inner)
    return [
        depthwise._replace(suffix="depthwise"),
        pointwise,
        *_activation("SeparableConv2D", config, inner),
    ]


def _cropping(source: Any, config: Config, context: Context) -> list[Converted]:
    found, sides = [], config["cropping"]
    for axis, (before, behind) in enumerate(sides, start=2):
        if before or behind:
            part = nn.Slice(axis=axis, start=before or None, stop=-behind or None)
            found.append(Converted(("rows", "columns")[axis - 2], part))
    return found or [Converted("", nn.Identity())]


def _center_crop(source: Any, config: Config, context: Context) -> list[Converted]:
    found = []
    for axis, name in ((2, "height"), (3, "width")):
        more = context.shapes[0][axis] - config[name]
        if more < 0:
            raise UnreadableError("of an image that is smaller than the crop, which it enlarges")
        if more:
            start = more // 2
            found.append(Converted(name, nn.Slice(axis, start or None, start + config[name])))
    return found or [Converted("", nn.Identity())]


def _nothing_in_inference(source: Any, config: Config, context: Context) -> list[Converted]:
    """Convert augmentation and noise, which Keras applies only in training."""
    return [Converted("", nn.Identity(), any_order=True, keeps_order=True)]


def _pad(source: Any, config: Config, context: Context) -> list[Converted]:
    """Convert the operation `keras.ops.pad`."""
    batch, *sides, channels = [tuple(side) for side in config["pad_width"]]
    if len(sides) != 2 or {batch, channels} != {(0, 0)}:
        raise UnreadableError("it pads axes other than height and width")
    if config["mode"] not in ("constant", "reflect"):
        raise UnreadableError(f"it pads in the mode {config['mode']!r}")
    value = context.constants.get("constant_values", 0.0)
    layer = nn.Pad2d(shortest(sides), mode=config["mode"], value=float(value))
    return [Converted("", layer)]


def _normalization(source: Any, config: Config, context: Context) -> list[Converted]:
    """Convert ``(x − mean) / √variance``, whose statistics Keras gathers before training."""
    if config["invert"] or config["axis"] not in (-1, [-1]):
        raise UnreadableError("with these arguments")
    scale = 1 / np.maximum(np.sqrt(np.asarray(source.variance)), 1e-7).ravel()
    return _scaled(scale, -np.asarray(source.mean).ravel() * scale, context)


def _rescaling(source: Any, config: Config, context: Context) -> list[Converted] | None:
    if not isinstance(config["scale"], list | tuple) and not isinstance(
        config["offset"], list | tuple
    ):
        return None
    return _scaled(np.array(config["scale"]), np.array(config["offset"]), context)


def _scaled(scale: Any, shift: Any, context: Context) -> list[Converted]:
    """Return layers for ``x · scale + shift``, each a number or one value per channel."""
    C, *positions = context.shapes[0][1:]
    shape = (C, *(1 for _ in positions))
    factor, offset = nn.Scale(shape), nn.Shift(shape)
    factor.weight.value = np.broadcast_to(scale, C).reshape(shape)
    offset.bias.value = np.broadcast_to(shift, C).reshape(shape)
    return [Converted("scale", factor), Converted("", offset)]


def _arithmetic(source: Any, config: Config, context: Context) -> list[Converted] | None:
    """Convert arithmetic with a constant, such as ``x + 3``; between two tensors, pairs apply."""
    if not context.constants:
        return None
    number = context.constants.get("1")
    if len(context.constants) > 1 or not isinstance(number, int | float):
        raise UnreadableError(f"it has the constant inputs {context.constants}")
    affine = {
        "Add": lambda: nn.Affine(shift=number),
        "Subtract": lambda: nn.Affine(shift=-number),
        "Multiply": lambda: nn.Affine(scale=number),
        "TrueDivide": lambda: nn.Affine(scale=1 / number),
    }[type(source).__name__]()
    return [Converted("", affine, any_order=True, keeps_order=True)]


def _layer_scale(source: Any, config: Config, context: Context) -> list[Converted]:
    """Convert the scale per channel of ConvNeXt in `keras.applications`."""
    scale = nn.Scale((context.shapes[0][1], 1, 1))
    scale.weight.value = np.asarray(source.gamma).reshape(-1, 1, 1)
    return [Converted("", scale)]


def _scaled_sum(source: Any, config: Config, context: Context) -> list[Converted]:
    """Convert ``a + scale · b`` of Inception-ResNet in `keras.applications`."""
    nodes: dict[str, Any] = {"scaled": (nn.Affine(config["scale"]), "b")}
    return [
        Converted("", nn.Graph(nodes | {"sum": (nn.Add(), ("a", "scaled"))}, inputs=("a", "b")))
    ]


_TRAINING_ALONE = (
    "ActivityRegularization", "AlphaDropout", "GaussianDropout", "GaussianNoise", "AugMix",
    "CutMix", "MixUp", "RandAugment", "RandomBrightness", "RandomColorDegeneration",
    "RandomColorJitter", "RandomContrast", "RandomElasticTransform", "RandomErasing", "RandomFlip",
    "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective",
    "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear",
    "RandomTranslation", "RandomZoom",
)  # fmt: skip
"""Layers that are the identity in inference."""

_CONVERTERS = {
    **dict.fromkeys(_TRAINING_ALONE, _nothing_in_inference),
    "CenterCrop": _center_crop,
    "LayerScale": _layer_scale,
    "CustomScaleLayer": _scaled_sum,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "GlobalAveragePooling2D": _global_pooling,
    "GlobalMaxPooling2D": _global_pooling,
    "Dense": _dense,
    "SeparableConv2D": _separable,
    "LayerNormalization": _layer_norm,
    "Cropping2D": _cropping,
    "Pad": _pad,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    **dict.fromkeys(("Add", "Subtract", "Multiply", "TrueDivide"), _arithmetic),
}
