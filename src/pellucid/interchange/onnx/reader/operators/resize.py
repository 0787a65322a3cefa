"""Convert operators that resize images."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.interchange.onnx.reader.call import Call, axis_of, image_sizes
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.interchange.onnx.reader.size import Batch
from pellucid.interchange.onnx.reader.values import Computed, UnsupportedError
from pellucid.layers import Layer, Resize, Upsample

Two = tuple[float, float]


@converts("Upsample")
def upsample(call: Call) -> Computed:
    """Convert Upsample, the name of Resize until opset 9; scales are attributes, later inputs."""
    scales = call.attribute("scales", None, list)
    if scales is None and call.has(1):
        scales = call.few(1, "scales")
    if scales is None:
        scales = [1, 1, call.number("height_scale", 1.0), call.number("width_scale", 1.0)]
    mode = {"bilinear": "linear"}.get(mode := call.word("mode", "nearest"), mode)
    return _resized(call, None, _of_images(call, scales), mode, "asymmetric", "floor")


@converts("Resize")
def resize(call: Call) -> Computed:
    """Convert Resize by sizes or scales; opset 11 added rounding and coordinate modes."""
    old = call.opset < 11
    mode = call.word("mode", "nearest")
    coordinates = "asymmetric"
    rounding = "floor"
    if not old:
        coordinates = call.word("coordinate_transformation_mode", "half_pixel")
        rounding = call.word("nearest_mode", "round_prefer_floor")
    if coordinates == "tf_crop_and_resize":
        raise UnsupportedError("coordinate_transformation_mode tf_crop_and_resize is not supported")
    call.ignore("extrapolation_value")  # used only by tf_crop_and_resize
    place = 1 if old else 2
    scales = call.few(place, "scales") if call.has(place) else []
    sizes = call.few(3, "sizes") if call.has(3) else []
    if sizes:
        height, width = _of_images(call, sizes, are_sizes=True)
        size, scale = _by_policy(call, (int(height), int(width)))
        return _resized(call, size, scale, mode, coordinates, rounding)
    call.ignore("keep_aspect_ratio_policy")
    if coordinates == "align_corners" and call.builder.producer == "pytorch":
        # aligned corners: PyTorch uses whole pixels, ONNX's tests the exact scale
        down, across = _of_images(call, scales)
        _, H, W = image_sizes(call.value())
        return _resized(call, (int(H * down), int(W * across)), None, mode, coordinates, rounding)
    return _resized(call, None, _of_images(call, scales), mode, coordinates, rounding)


def _of_images(call: Call, values: list[Any], are_sizes: bool = False) -> Two:
    """Return the sizes or scales for height and width; batch and channels must not change."""
    axes = call.integers("axes") or list(range(len(values)))
    if len(axes) != len(values) or not 0 < len(values) <= 4:
        raise UnsupportedError(f"{len(values)} sizes or scales for {len(axes)} axes")
    C, H, W = image_sizes(call.value())
    batch: Any = call.value().sizes[0]
    found = [batch, C, H, W] if are_sizes else [1, 1, 1, 1]
    for axis, value in zip(axes, values, strict=True):
        found[axis_of(axis, 4)] = value
    numbers = [not isinstance(value, Batch) for value in found]
    if not all(numbers[1:]) or found[1] != (C if are_sizes else 1):
        raise UnsupportedError(f"the batch or channels would be resized: {values}")
    stays = found[0] in (0, 1, call.batch) if numbers[0] else found[0] == batch
    if not (stays if are_sizes else numbers[0] and found[0] == 1):
        raise UnsupportedError(f"the batch or channels would be resized: {values}")
    if not all(0 < n < 2**20 for n in found[2:]):
        raise UnsupportedError(f"the size or scale {found[2:]} is not valid")
    return float(found[2]), float(found[3])


def _by_policy(call: Call, size: tuple[int, int]) -> tuple[tuple[int, int], Two | None]:
    """Return size and scale according to keep_aspect_ratio_policy."""
    policy = call.word("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return size, None
    _, H, W = image_sizes(call.value())
    given = {axis_of(axis, 4) for axis in call.integers("axes") or [2, 3]}
    both = [size[i] / old for i, old in enumerate((H, W)) if i + 2 in given]
    if policy not in ("not_larger", "not_smaller") or not both:
        raise UnsupportedError(f"the attribute keep_aspect_ratio_policy is {policy[:40]}")
    scale = min(both) if policy == "not_larger" else max(both)
    height, width = (int(np.floor(scale * old + 0.5)) for old in (H, W))
    return (height, width), (scale, scale)


def _resized(
    call: Call,
    size: tuple[int, int] | None,
    scale: Two | None,
    mode: str,
    coordinates: str,
    rounding: str,
) -> Computed:
    """Add an `Upsample` if it computes the same, else a `Resize`."""
    layer: Layer = Resize(
        size,
        scale,
        mode,
        coordinates,
        rounding,
        call.number("cubic_coeff_a", -0.75),
        bool(call.integer("exclude_outside", 0)),
        bool(call.integer("antialias", 0)),
    )
    image_sizes(call.value())
    if size is None and scale is not None and all(s in (1, 2, 3, 4) for s in scale):
        whole = int(scale[0]), int(scale[1])
        if (mode, coordinates, rounding) == ("nearest", "asymmetric", "floor"):
            layer = Upsample(scale_factor=whole)
        elif (mode, coordinates) in (("linear", "half_pixel"), ("linear", "pytorch_half_pixel")):
            layer = Upsample(scale_factor=whole, mode="bilinear")
    return call.add(layer)
