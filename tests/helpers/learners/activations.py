"""Activations, pooling, shapes."""

import numpy as np

from learners.solutions import right, wrong


@wrong("relu", "input_overwritten")
def _(x):
    x[x < 0] = 0
    return x


@wrong("relu", "cut_at_one")
def _(x):
    return np.minimum(np.maximum(x, 0), 1)


@right("relu")
def _(x):
    return np.where(x > 0, x, 0)


@right("relu")
def _(x):
    return x * (x > 0)


@right("relu")
def _(x):
    out = x.copy()
    out[out < 0] = 0
    return out


@right("relu")
def _(x):
    return [max(0.0, float(value)) for value in x]


@wrong("sigmoid", "overflows")
def _(x):
    e = np.exp(x)
    return e / (e + 1)


@right("sigmoid")
def _(x):
    out = np.empty_like(x)
    out[x >= 0] = 1 / (1 + np.exp(-x[x >= 0]))
    e = np.exp(x[x < 0])
    out[x < 0] = e / (1 + e)
    return out


@right("sigmoid")
def _(x):
    return 1 / (1 + np.exp(-np.clip(x, -700, 700)))


@wrong("max_pool2d", "starts_at_zero")
def _(x, kernel_size, stride):
    N, C, H, W = x.shape
    OH, OW = (H - kernel_size) // stride + 1, (W - kernel_size) // stride + 1
    y = np.zeros((N, C, OH, OW))
    for n, c, o, p in np.ndindex(y.shape):
        for i in range(kernel_size):
            for j in range(kernel_size):
                y[n, c, o, p] = max(y[n, c, o, p], x[n, c, o * stride + i, p * stride + j])
    return y


@wrong("max_pool2d", "moves_by_the_kernel")
def _(x, kernel_size, stride):
    k = kernel_size
    N, C, H, W = x.shape
    x = x[:, :, : H // k * k, : W // k * k]
    return x.reshape(N, C, H // k, k, W // k, k).max(axis=(3, 5))


@right("max_pool2d")
def _(x, kernel_size, stride):
    N, C, H, W = x.shape
    OH, OW = (H - kernel_size) // stride + 1, (W - kernel_size) // stride + 1
    y = np.full((N, C, OH, OW), -np.inf)
    for i in range(kernel_size):
        for j in range(kernel_size):
            part = x[:, :, i : i + stride * OH : stride, j : j + stride * OW : stride]
            y = np.maximum(y, part)
    return y


@wrong("receptive_field", "strides_ignored")
def _(layers):
    size = 1
    for kernel, _ in layers:
        size = size + kernel - 1
    return size


@right("receptive_field")
def _(layers):
    seen = 1
    for kernel, stride in reversed(layers):
        seen = (seen - 1) * stride + kernel
    return seen
