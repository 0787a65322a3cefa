"""Sizes and padding."""

import numpy as np

from learners.solutions import right, wrong


@wrong("output_size", "one_too_few")
def _(size, kernel, stride=1, padding=0, dilation=1):
    span = dilation * (kernel - 1) + 1
    return (size + 2 * padding - span) // stride


@wrong("output_size", "not_whole")
def _(size, kernel, stride=1, padding=0, dilation=1):
    return (size - dilation * (kernel - 1) - 1 + 2 * padding) / stride + 1


@wrong("output_size", "dilation_ignored")
def _(size, kernel, stride=1, padding=0, dilation=1):
    return (size - kernel + 2 * padding) // stride + 1


@wrong("output_size", "padding_counted_once")
def _(size, kernel, stride=1, padding=0, dilation=1):
    return int((size + padding - (kernel - 1) * dilation - 1) / stride) + 1


@right("output_size")
def _(size, kernel, stride=1, padding=0, dilation=1):
    starts = range(-padding, size + padding - dilation * (kernel - 1), stride)
    return len(starts)


@wrong("pad2d", "image_in_the_corner")
def _(x, padding):
    N, C, H, W = x.shape
    out = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    out[:, :, :H, :W] = x
    return out


@wrong("pad2d", "every_axis_padded")
def _(x, padding):
    return np.pad(x, padding)


@wrong("pad2d", "padding_before_only")
def _(x, padding):
    N, C, H, W = x.shape
    out = np.zeros((N, C, H + padding, W + padding))
    out[:, :, padding:, padding:] = x
    return out


@right("pad2d")
def _(x, padding):
    N, C, H, W = x.shape
    out = np.zeros((N, C, H + 2 * padding, W + 2 * padding), x.dtype)
    out[:, :, padding : padding + H, padding : padding + W] = x
    return out
