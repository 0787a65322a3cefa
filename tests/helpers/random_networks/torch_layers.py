"""Layers without running statistics as functions (layer, x, weight, bias) of PyTorch."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pellucid import layers as nn

Function = Callable[[Any, Any, Tensor | None, Tensor | None], Tensor]


def both(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def sides(padding: Any, size: Any, kernel: Any, stride: Any, dilation: Any) -> list[int]:
    """Return the padding as [left, right, top, bottom], the order of `F.pad`."""
    if padding == "same":
        around = []
        for axis in (1, 0):
            outputs = -(-size[axis] // stride[axis])
            extent = dilation[axis] * (kernel[axis] - 1) + 1
            total = max((outputs - 1) * stride[axis] + extent - size[axis], 0)
            around += [total // 2, total - total // 2]
        return around
    vertical, horizontal = (padding, padding) if isinstance(padding, int) else padding
    return [*both(horizontal), *both(vertical)]


def _window(layer: Any, x: Tensor) -> tuple[Any, Any, Any, list[int]]:
    kernel, dilation = both(layer.kernel_size), both(layer.dilation)
    stride = kernel if layer.stride is None else both(layer.stride)
    return kernel, stride, dilation, sides(layer.padding, x.shape[2:], kernel, stride, dilation)


def _max_pool(layer: Any, x: Tensor, *_: Any) -> Tensor:
    kernel, stride, dilation, (left, right, top, bottom) = _window(layer, x)
    # PyTorch writes gradients outside the image if a window lies entirely in the padding
    sound = dilation == (1, 1) or left + right + top + bottom == 0
    if sound and left == right and top == bottom and layer.padding != "same":
        return F.max_pool2d(x, kernel, stride, (top, left), dilation, layer.ceil_mode)
    if layer.ceil_mode:
        right += _missing(x.shape[3], left, right, kernel[1], stride[1], dilation[1])
        bottom += _missing(x.shape[2], top, bottom, kernel[0], stride[0], dilation[0])
    x = F.pad(x, [left, right, top, bottom], value=-torch.inf)
    return F.max_pool2d(x, kernel, stride, 0, dilation)


def _missing(size: int, before: int, after: int, kernel: int, stride: int, dilation: int) -> int:
    """Return the padding that the last window lacks; it must begin in the image or before it."""
    extent = dilation * (kernel - 1) + 1
    last = -(-(size + before + after - extent) // stride) * stride
    last -= stride * (last >= size + before)
    return max(0, last + extent - (size + before + after))


def _avg_pool(layer: Any, x: Tensor, *_: Any) -> Tensor:
    kernel, stride, dilation, (left, right, top, bottom) = _window(layer, x)
    counts = layer.count_include_pad
    if left == right and top == bottom and dilation == (1, 1) and layer.padding != "same":
        return F.avg_pool2d(x, kernel, stride, (top, left), layer.ceil_mode, counts)
    if layer.ceil_mode:
        raise NotImplementedError
    channels = x.shape[1]
    ones = torch.ones(channels, 1, *kernel, dtype=x.dtype)
    inside = F.pad(torch.ones_like(x), [left, right, top, bottom], value=float(counts))
    x = F.pad(x, [left, right, top, bottom])
    total, count = (F.conv2d(v, ones, None, stride, 0, dilation, channels) for v in (x, inside))
    return total / count


def _upsample(layer: Any, x: Tensor, *_: Any) -> Tensor:
    corners = layer.align_corners if layer.mode == "bilinear" else None
    size = None if layer.size is None else both(layer.size)
    return F.interpolate(x, size, layer.scale_factor, layer.mode, corners)


def _resize(layer: Any, x: Tensor, *_: Any) -> Tensor:
    if layer.mode == "nearest":
        exact = layer.coordinates == "half_pixel"
        return F.interpolate(x, layer.size, None, "nearest-exact" if exact else "nearest")
    mode = {"linear": "bilinear", "cubic": "bicubic"}[layer.mode]
    corners = layer.coordinates == "align_corners"
    return F.interpolate(x, layer.size, None, mode, corners, antialias=layer.antialias)


def _adaptive_size(layer: Any) -> Any:
    size = layer.output_size
    return size if isinstance(size, int) else tuple(size)


def _pad2d(layer: Any, x: Tensor, *_: Any) -> Tensor:
    around = sides(layer.padding, x.shape[2:], (1, 1), (1, 1), (1, 1))
    if layer.mode == "constant":
        return F.pad(x, around, value=layer.value)
    return F.pad(x, around, layer.mode)


def _slice(layer: Any, x: Tensor, *_: Any) -> Tensor:
    places = range(x.shape[layer.axis])[slice(layer.start, layer.stop, layer.step)]
    return x.index_select(layer.axis, torch.tensor(list(places)))


def _pad(layer: Any, x: Tensor, *_: Any) -> Tensor:
    around = [side for pair in reversed(layer.padding) for side in pair]
    return F.pad(x, around, value=layer.value)


def _reshape(layer: Any, x: Tensor, *_: Any) -> Tensor:
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(layer.shape)])


FUNCTIONS: dict[type[nn.Layer], Function] = {
    nn.Linear: lambda layer, x, w, b: F.linear(x, w, b),
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _avg_pool,
    nn.AdaptiveAvgPool2d: lambda layer, x, w, b: F.adaptive_avg_pool2d(x, _adaptive_size(layer)),
    nn.AdaptiveMaxPool2d: lambda layer, x, w, b: F.adaptive_max_pool2d(x, _adaptive_size(layer)),
    nn.GlobalAvgPool2d: lambda layer, x, w, b: x.mean((2, 3), keepdim=True),
    # F.group_norm refuses a group of one value, but only if the batch has a single image
    nn.GroupNorm: lambda layer, x, w, b: torch.group_norm(x, layer.num_groups, w, b, layer.eps),
    nn.LayerNorm: lambda layer, x, w, b: F.layer_norm(
        x, torch.Size(both_or_all(layer.normalized_shape)), w, b, layer.eps
    ),
    nn.LocalResponseNorm: lambda layer, x, w, b: F.local_response_norm(
        x, layer.size, layer.alpha, layer.beta, layer.k
    ),
    nn.ReLU: lambda layer, x, w, b: F.relu(x),
    nn.ReLU6: lambda layer, x, w, b: F.relu6(x),
    nn.LeakyReLU: lambda layer, x, w, b: F.leaky_relu(x, layer.negative_slope),
    nn.ELU: lambda layer, x, w, b: F.elu(x, layer.alpha),
    nn.SELU: lambda layer, x, w, b: F.selu(x),
    nn.GELU: lambda layer, x, w, b: F.gelu(x, approximate=layer.approximate),
    nn.SiLU: lambda layer, x, w, b: F.silu(x),
    nn.Hardswish: lambda layer, x, w, b: F.hardswish(x),
    nn.Softplus: lambda layer, x, w, b: F.softplus(x, layer.beta, layer.threshold),
    nn.Sigmoid: lambda layer, x, w, b: torch.sigmoid(x),
    nn.Tanh: lambda layer, x, w, b: torch.tanh(x),
    nn.Softmax: lambda layer, x, w, b: torch.softmax(x, layer.dim),
    nn.LogSoftmax: lambda layer, x, w, b: torch.log_softmax(x, layer.dim),
    nn.PReLU: lambda layer, x, w, b: F.prelu(x, w),
    nn.Affine: lambda layer, x, w, b: layer.scale * x + layer.shift,
    nn.Power: lambda layer, x, w, b: x**layer.exponent,
    nn.Erf: lambda layer, x, w, b: torch.erf(x),
    nn.Exp: lambda layer, x, w, b: torch.exp(x),
    nn.Abs: lambda layer, x, w, b: torch.abs(x),
    nn.Clip: lambda layer, x, w, b: F.hardtanh(x, layer.low, layer.high),
    nn.HardSigmoid: lambda layer, x, w, b: F.hardtanh(layer.alpha * x + layer.beta, 0.0, 1.0),
    nn.Softsign: lambda layer, x, w, b: F.softsign(x),
    nn.ThresholdedReLU: lambda layer, x, w, b: F.threshold(x, layer.alpha, 0.0),
    nn.Scale: lambda layer, x, w, b: x * w,
    nn.Shift: lambda layer, x, w, b: x + b,
    nn.Flatten: lambda layer, x, w, b: torch.flatten(x, layer.start_dim, layer.end_dim),
    nn.Identity: lambda layer, x, w, b: x,
    nn.Upsample: _upsample,
    nn.Resize: _resize,
    nn.Pad2d: _pad2d,
    nn.Pad: _pad,
    nn.Reshape: _reshape,
    nn.Permute: lambda layer, x, w, b: x.permute(layer.dims),
    nn.Slice: _slice,
    nn.Take: lambda layer, x, w, b: x.index_select(layer.axis, torch.tensor(layer.indices)),
    nn.Expand: lambda layer, x, w, b: x.expand(layer.shape),
    nn.ReduceSum: lambda layer, x, w, b: x.sum(layer.axes, layer.keepdims),
    nn.ReduceMean: lambda layer, x, w, b: x.mean(layer.axes, layer.keepdims),
    nn.ReduceMax: lambda layer, x, w, b: torch.amax(x, layer.axes, layer.keepdims),
    nn.Add: lambda layer, x, w, b: sum(x[1:], start=x[0]),
    nn.Cat: lambda layer, x, w, b: torch.cat(list(x), layer.axis),
    nn.BroadcastAdd: lambda layer, x, w, b: x[0] + x[1],
    nn.Subtract: lambda layer, x, w, b: x[0] - x[1],
    nn.Multiply: lambda layer, x, w, b: x[0] * x[1],
    nn.Divide: lambda layer, x, w, b: x[0] / x[1],
    nn.Maximum: lambda layer, x, w, b: torch.maximum(x[0], x[1]),
    nn.Minimum: lambda layer, x, w, b: torch.minimum(x[0], x[1]),
    nn.MatMul: lambda layer, x, w, b: x[0] @ x[1],
    nn.Where: lambda layer, x, w, b: torch.where(x[0] > 0, x[1], x[2]),
    nn.ArgMax: lambda layer, x, w, b: x.argmax(layer.axis, layer.keepdims).to(x.dtype),
    nn.Heaviside: lambda layer, x, w, b: (x > 0).to(x.dtype),
    nn.Log: lambda layer, x, w, b: torch.log(x),
    nn.PixelShuffle: lambda layer, x, w, b: F.pixel_shuffle(x, layer.upscale_factor),
    nn.PixelUnshuffle: lambda layer, x, w, b: F.pixel_unshuffle(x, layer.downscale_factor),
}


def both_or_all(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)
