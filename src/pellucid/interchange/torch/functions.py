"""The table of PyTorch's functions and methods, and how each is converted to layers.

Each entry has the signature of PyTorch's function, so that Python assigns the arguments. It returns
the `Use` of a layer, several uses, a value unchanged, or numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.torch.arithmetic import ARITHMETIC
from pellucid.interchange.torch.rearranging import REARRANGING
from pellucid.interchange.torch.values import Use, Wire, take
from pellucid.layers import Layer


def _of_one(make: Callable[..., Layer]) -> Callable[..., Use]:
    """Return a converter that passes the function's arguments on to a layer."""

    def use(x: Wire, *arguments: Any, inplace: bool = False, **options: Any) -> Use:
        return Use(make(*arguments, **options), x)

    return use


def _softmax(make: Callable[[int], Layer]) -> Callable[..., Use]:
    def use(x: Wire, dim: int, _stacklevel: int = 3, dtype: None = None) -> Use:
        _must(dtype is None, "dtype")
        return Use(make(dim), x)

    return use


def _dropout(make: Callable[[float], Layer]) -> Callable[..., Use]:
    def use(x: Wire, p: float = 0.5, training: bool = True, inplace: bool = False) -> Use:
        if training and p > 0:
            raise PellucidError(
                "it leaves out values in inference too, as that is its default; give it "
                "training=self.training"
            )
        return Use(make(p), x)

    return use


def _threshold(x: Wire, threshold: float, value: float, inplace: bool = False) -> Use:
    _must(value == 0, "value")
    return Use(nn.ThresholdedReLU(threshold), x)


def _prelu(x: Wire, weight: Tensor) -> Use:
    return Use(take(nn.PReLU(weight.numel()), {"weight": weight}), x)


def _max_pool2d(
    x: Wire,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Use:
    _must(not return_indices, "return_indices")
    layer = nn.MaxPool2d(kernel_size, stride or None, padding, dilation, ceil_mode)
    return Use(layer, x)


def _avg_pool2d(
    x: Wire,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: None = None,
) -> Use:
    _must(divisor_override is None, "divisor_override")
    layer = nn.AvgPool2d(kernel_size, stride or None, padding, ceil_mode, count_include_pad)
    return Use(layer, x)


def _interpolate(
    x: Wire,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Use:
    _must(not recompute_scale_factor, "recompute_scale_factor")
    _must(not antialias, "antialias")
    if mode == "bicubic":
        return _bicubic(x, size, scale_factor, bool(align_corners))
    size, factor = (tuple(v) if isinstance(v, list) else v for v in (size, scale_factor))
    return Use(nn.Upsample(size, factor, mode, bool(align_corners)), x)


def _bicubic(x: Wire, size: Any, factor: Any, align_corners: bool) -> Use:
    """Convert bicubic interpolation."""
    size, factor = (
        None if v is None else (v, v) if isinstance(v, int | float) else tuple(v)
        for v in (size, factor)
    )
    if align_corners and size is None:  # aligned corners need a whole number of pixels
        size = tuple(int(n * f) for n, f in zip(x.sizes[2:], factor, strict=True))
        factor = None
    where = "align_corners" if align_corners else "half_pixel"
    return Use(nn.Resize(size, factor, "cubic", where), x)


def _conv2d(
    x: Wire,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Use:
    F, C, KH, KW = weight.shape
    kernel, learned = (KH, KW), bias is not None
    layer = nn.Conv2d(C * groups, F, kernel, stride, padding, dilation, groups, learned)
    return Use(take(layer, {"weight": weight, "bias": bias}), x)


def _linear(x: Wire, weight: Tensor, bias: Tensor | None = None) -> Use:
    outputs, inputs = weight.shape
    layer = nn.Linear(inputs, outputs, bias is not None)
    return Use(take(layer, {"weight": weight, "bias": bias}), x)


def _layer_norm(
    x: Wire,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Use:
    _must(weight is not None or bias is None, "bias, without a weight,")
    shape, learned = tuple(normalized_shape), weight is not None
    layer = nn.LayerNorm(shape, eps, learned, bias is not None)
    return Use(take(layer, {"weight": weight, "bias": bias}), x)


def _must(holds: bool, argument: str) -> None:
    if not holds:
        raise PellucidError(f"the argument {argument} has no equivalent")


_READERS: Mapping[str, Callable[..., Any]] = {
    **ARITHMETIC,
    **REARRANGING,
    "relu": _of_one(nn.ReLU),
    "relu6": _of_one(nn.ReLU6),
    "leaky_relu": _of_one(nn.LeakyReLU),
    "elu": _of_one(nn.ELU),
    "selu": _of_one(nn.SELU),
    "gelu": _of_one(nn.GELU),
    "silu": _of_one(nn.SiLU),
    "hardswish": _of_one(nn.Hardswish),
    "hardsigmoid": _of_one(nn.HardSigmoid),
    "hardtanh": lambda x, min_val=-1.0, max_val=1.0, inplace=False: Use(
        nn.Clip(min_val, max_val), x
    ),
    "mish": lambda x, inplace=False: Use(nn.Multiply(), x, Use(nn.Tanh(), Use(nn.Softplus(), x))),
    "celu": lambda x, alpha=1.0, inplace=False: Use(
        nn.Affine(alpha), Use(nn.ELU(), Use(nn.Affine(1 / alpha), x))
    ),
    "logsigmoid": lambda x: Use(nn.Affine(-1.0), Use(nn.Softplus(), Use(nn.Affine(-1.0), x))),
    "tanhshrink": lambda x: Use(nn.Subtract(), x, Use(nn.Tanh(), x)),
    "softplus": _of_one(nn.Softplus),
    "softsign": _of_one(nn.Softsign),
    "threshold": _threshold,
    "prelu": _prelu,
    "sigmoid": _of_one(nn.Sigmoid),
    "tanh": _of_one(nn.Tanh),
    "softmax": _softmax(nn.Softmax),
    "log_softmax": _softmax(nn.LogSoftmax),
    "dropout": _dropout(nn.Dropout),
    "dropout2d": _dropout(nn.Dropout2d),
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "adaptive_avg_pool2d": lambda x, output_size: Use(nn.AdaptiveAvgPool2d(_pair(output_size)), x),
    "adaptive_max_pool2d": lambda x, output_size: Use(nn.AdaptiveMaxPool2d(_pair(output_size)), x),
    "pixel_shuffle": _of_one(nn.PixelShuffle),
    "pixel_unshuffle": _of_one(nn.PixelUnshuffle),
    "local_response_norm": _of_one(nn.LocalResponseNorm),
    "interpolate": _interpolate,
    "conv2d": _conv2d,
    "linear": _linear,
    "layer_norm": _layer_norm,
}
"""Converters by the name of PyTorch's function or method, or of Python's operator."""


def _pair(size: Any) -> Any:
    return tuple(size) if isinstance(size, list) else size


def reader_of(target: Any) -> Callable[..., Any] | None:
    """Return the converter of a function or of a method's name, if there is one."""
    name = target.removesuffix("_") if isinstance(target, str) else _NAMES.get(target, "")
    return _READERS.get(name)


_NAMES: Mapping[Any, str] = {getattr: "getattr"} | {
    getattr(home, written): name
    for home, in_place in ((operator, "i{}"), (torch, "{}_"), (functional, "{}_"))
    for name in _READERS
    for written in (name, in_place.format(name))
    if hasattr(home, written)
}
"""The names of PyTorch's and Python's functions in the table, also of those that work in place."""


def name_of(target: Any) -> str:
    """Return the usual name of a method or function."""
    if isinstance(target, str):
        return target
    home = getattr(target, "__module__", None) or "torch"
    return f"{home}.{_NAMES.get(target) or target.__name__}"
