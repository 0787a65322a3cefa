"""Gradients of layers."""

import numpy as np

from learners.columns import fold, unfold
from learners.solutions import right, wrong


@wrong("cross_entropy_gradient", "every_label_in_every_row")
def _(z, labels):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    p[:, labels] -= 1
    return p / len(z)


@wrong("cross_entropy_gradient", "not_averaged")
def _(z, labels):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True) - np.eye(z.shape[1])[labels]


@right("cross_entropy_gradient")
def _(z, labels):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    p[np.arange(len(z)), labels] -= 1
    return p / len(z)


@wrong("relu_backward", "passes_at_zero")
def _(dy, x):
    dx = dy.copy()
    dx[x < 0] = 0
    return dx


@wrong("relu_backward", "input_overwritten")
def _(dy, x):
    dy[x <= 0] = 0
    return dy


@wrong("linear_backward", "bias_gradient_averaged")
def _(dy, x, weight):
    return dy @ weight, dy.T @ x, dy.mean(axis=0)


@wrong("linear_backward", "weight_gradient_transposed")
def _(dy, x, weight):
    return dy @ weight, x.T @ dy, dy.sum(axis=0)


@wrong("linear_backward", "other_result")
def _(dy, x, weight):
    return dy @ weight, dy.T @ x


@right("linear_backward")
def _(dy, x, weight):
    dw = sum(np.outer(d, r) for d, r in zip(dy, x, strict=True))
    return dy.dot(weight), dw, np.ones(len(dy)) @ dy


def pool_back(dy, x, k, stride, put):
    dx = np.zeros_like(x)
    for n, c, o, p in np.ndindex(dy.shape):
        h, w = o * stride, p * stride
        put(dx[n, c, h : h + k, w : w + k], x[n, c, h : h + k, w : w + k], dy[n, c, o, p])
    return dx


@wrong("max_pool2d_backward", "ties_counted_several_times")
def _(dy, x, kernel_size, stride):
    def put(place, window, d):
        place += d * (window == np.max(window))

    return pool_back(dy, x, kernel_size, stride, put)


@wrong("max_pool2d_backward", "overwritten")
def _(dy, x, kernel_size, stride):
    def put(place, window, d):
        place[np.unravel_index(np.argmax(window), window.shape)] = d

    return pool_back(dy, x, kernel_size, stride, put)


@wrong("max_pool2d_backward", "spread_evenly")
def _(dy, x, kernel_size, stride):
    def put(place, window, d):
        place += d / kernel_size**2

    return pool_back(dy, x, kernel_size, stride, put)


@right("max_pool2d_backward")
def _(dy, x, kernel_size, stride):
    def put(place, window, d):
        place[np.unravel_index(np.argmax(window), window.shape)] += d

    return pool_back(dy, x, kernel_size, stride, put)


def conv_back(dy, x, weight, stride, padding):
    padded = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    dx, dw = np.zeros(padded.shape), np.zeros(weight.shape)
    KH, KW = weight.shape[2:]
    for n, f, o, p in np.ndindex(dy.shape):
        window = (
            n,
            slice(None),
            slice(o * stride, o * stride + KH),
            slice(p * stride, p * stride + KW),
        )
        dx[window] += dy[n, f, o, p] * weight[f]
        dw[f] += dy[n, f, o, p] * padded[window]
    H, W = x.shape[2:]
    return dx[:, :, padding : padding + H, padding : padding + W], dw, dy.sum(axis=(0, 2, 3))


@right("conv2d_backward")
def _(dy, x, weight, stride=1, padding=0):
    return conv_back(dy, x, weight, stride, padding)


@right("conv2d_backward")
def _(dy, x, weight, stride=1, padding=0):
    N, C, H, W = x.shape
    F, _, KH, KW = weight.shape
    columns = unfold(x, (KH, KW), stride, padding).reshape(N, C * KH * KW, -1)
    flat = dy.reshape(N, F, -1)
    dw = (flat @ columns.swapaxes(1, 2)).sum(axis=0).reshape(weight.shape)
    back = weight.reshape(F, -1).T @ flat
    dx = fold(back, x.shape, (KH, KW), stride, padding)
    dx = dx[:, :, padding : padding + H, padding : padding + W]
    return dx, dw, flat.sum(axis=(0, 2))


@wrong("conv2d_backward", "kernel_not_flipped")
def _(dy, x, weight, stride=1, padding=0):
    _, dw, db = conv_back(dy, x, weight, stride, padding)
    N, _, H, W = x.shape
    F, _, KH, KW = weight.shape
    spread = np.zeros((N, F, H + 2 * padding + KH - 1, W + 2 * padding + KW - 1))
    OH, OW = dy.shape[2:]
    spread[:, :, KH - 1 :: stride, KW - 1 :: stride][:, :, :OH, :OW] = dy
    windows = np.lib.stride_tricks.sliding_window_view(spread, (KH, KW), axis=(2, 3))
    dx = np.einsum("nfhwij,fcij->nchw", windows, weight)
    return dx[:, :, padding : padding + H, padding : padding + W], dw, db


@wrong("conv2d_backward", "overwritten")
def _(dy, x, weight, stride=1, padding=0):
    _, dw, db = conv_back(dy, x, weight, stride, padding)
    H, W = x.shape[2:]
    dx = np.zeros((*x.shape[:2], H + 2 * padding, W + 2 * padding))
    KH, KW = weight.shape[2:]
    for n, f, o, p in np.ndindex(dy.shape):
        h, w = o * stride, p * stride
        dx[n, :, h : h + KH, w : w + KW] = dy[n, f, o, p] * weight[f]
    return dx[:, :, padding : padding + H, padding : padding + W], dw, db


@wrong("conv2d_backward", "padding_left")
def _(dy, x, weight, stride=1, padding=0):
    padded = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    return conv_back(dy, padded, weight, stride, 0)


@wrong("conv2d_backward", "weight_gradient_averaged")
def _(dy, x, weight, stride=1, padding=0):
    dx, dw, db = conv_back(dy, x, weight, stride, padding)
    return dx, dw / len(dy), db


@wrong("conv2d_backward", "last_window_only")
def _(dy, x, weight, stride=1, padding=0):
    dx, _, db = conv_back(dy, x, weight, stride, padding)
    padded = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    dw = np.zeros(weight.shape)
    KH, KW = weight.shape[2:]
    for n, f, o, p in np.ndindex(dy.shape):
        h, w = o * stride, p * stride
        dw[f] = dy[n, f, o, p] * padded[n, :, h : h + KH, w : w + KW]
    return dx, dw, db


@wrong("conv2d_backward", "bias_gradient_averaged")
def _(dy, x, weight, stride=1, padding=0):
    dx, dw, _ = conv_back(dy, x, weight, stride, padding)
    return dx, dw, dy.mean(axis=(0, 2, 3))


@wrong("conv2d_backward", "last_filter_only")
def _(dy, x, weight, stride=1, padding=0):
    _, dw, db = conv_back(dy, x, weight, stride, padding)
    for f in range(len(weight)):
        dx = conv_back(dy[:, f : f + 1], x, weight[f : f + 1], stride, padding)[0]
    return dx, dw, db
