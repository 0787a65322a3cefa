"""Images as columns: im2col and col2im."""

import numpy as np

from learners.solutions import right, wrong


def unfold(x, kernel_size, stride, padding):
    KH, KW = kernel_size
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    N, C, H, W = x.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    six = np.zeros((N, C, KH, KW, OH, OW), x.dtype)
    for i in range(KH):
        for j in range(KW):
            six[:, :, i, j] = x[:, :, i : i + stride * OH : stride, j : j + stride * OW : stride]
    return six


@wrong("im2col", "patch_column_by_column")
def _(x, kernel_size, stride=1, padding=0):
    six = unfold(x, kernel_size, stride, padding)
    N, C, KH, KW, OH, OW = six.shape
    return six.swapaxes(2, 3).reshape(N, C * KH * KW, OH * OW)


@wrong("im2col", "patches_as_rows")
def _(x, kernel_size, stride=1, padding=0):
    six = unfold(x, kernel_size, stride, padding)
    N, C, KH, KW, OH, OW = six.shape
    return six.transpose(0, 4, 5, 1, 2, 3).reshape(N, OH * OW, C * KH * KW)


@wrong("im2col", "reshaped_without_transposing")
def _(x, kernel_size, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    N, C, OH, OW, KH, KW = windows.shape
    return windows.reshape(N, C * KH * KW, OH * OW)


@wrong("im2col", "too_slow")
def _(x, kernel_size, stride=1, padding=0):
    KH, KW = kernel_size
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    N, C, H, W = x.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    columns = np.zeros((N, C * KH * KW, OH * OW), x.dtype)
    for n, c, i, j, o, p in np.ndindex(N, C, KH, KW, OH, OW):
        columns[n, (c * KH + i) * KW + j, o * OW + p] = x[n, c, o * stride + i, p * stride + j]
    return columns


@right("im2col")
def _(x, kernel_size, stride=1, padding=0):
    six = unfold(x, kernel_size, stride, padding)
    return six.reshape(len(six), -1, six.shape[4] * six.shape[5])


@right("im2col")
def _(x, kernel_size, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    N, C, H, W = x.shape
    KH, KW = kernel_size
    o, p = np.arange(0, H - KH + 1, stride), np.arange(0, W - KW + 1, stride)
    rows = (np.arange(KH)[:, None, None, None] + o[:, None]).repeat(KW, 1).repeat(len(p), 3)
    columns = (np.arange(KW)[:, None, None] + p).repeat(len(o), 1)[None].repeat(KH, 0)
    return x[:, :, rows, columns].reshape(N, C * KH * KW, -1)


def fold(columns, input_shape, kernel_size, stride, padding, add=True):
    N, C, H, W = input_shape
    KH, KW = kernel_size
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    six = columns.reshape(N, C, KH, KW, OH, OW)
    image = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    for o in range(OH):
        for p in range(OW):
            h, w = o * stride, p * stride
            if add:
                image[:, :, h : h + KH, w : w + KW] += six[..., o, p]
            else:
                image[:, :, h : h + KH, w : w + KW] = six[..., o, p]
    return image


@wrong("col2im", "overwritten")
def _(columns, input_shape, kernel_size, stride=1, padding=0):
    H, W = input_shape[2:]
    image = fold(columns, input_shape, kernel_size, stride, padding, add=False)
    return image[:, :, padding : padding + H, padding : padding + W]


@wrong("col2im", "padding_left")
def _(columns, input_shape, kernel_size, stride=1, padding=0):
    return fold(columns, input_shape, kernel_size, stride, padding)


@wrong("col2im", "cut_at_the_wrong_end")
def _(columns, input_shape, kernel_size, stride=1, padding=0):
    H, W = input_shape[2:]
    return fold(columns, input_shape, kernel_size, stride, padding)[:, :, :H, :W]


@right("col2im")
def _(columns, input_shape, kernel_size, stride=1, padding=0):
    H, W = input_shape[2:]
    image = fold(columns, input_shape, kernel_size, stride, padding)
    return image[:, :, padding : padding + H, padding : padding + W]


@wrong("conv2d_im2col", "cut_into_wrong_rows")
def _(x, weight, bias, stride=1, padding=0):
    six = unfold(x, weight.shape[2:], stride, padding)
    N, *_, OH, OW = six.shape
    F = len(weight)
    y = weight.reshape(F, -1) @ six.reshape(N, -1, OH * OW) + bias[:, None]
    return y.reshape(N, F, OW, OH)


@wrong("conv2d_im2col", "batch_and_filters_mixed")
def _(x, weight, bias, stride=1, padding=0):
    six = unfold(x, weight.shape[2:], stride, padding)
    N, *_, OH, OW = six.shape
    F = len(weight)
    columns = six.reshape(N, -1, OH * OW).transpose(1, 0, 2).reshape(-1, N * OH * OW)
    return (weight.reshape(F, -1) @ columns + bias[:, None]).reshape(N, F, OH, OW)


@wrong("conv2d_im2col", "filters_transposed_by_reshaping")
def _(x, weight, bias, stride=1, padding=0):
    six = unfold(x, weight.shape[2:], stride, padding)
    N, *_, OH, OW = six.shape
    F = len(weight)
    rows = six.reshape(N, -1, OH * OW).swapaxes(1, 2)
    y = rows @ weight.reshape(-1, F) + bias
    return y.swapaxes(1, 2).reshape(N, F, OH, OW)


@right("conv2d_im2col")
def _(x, weight, bias, stride=1, padding=0):
    six = unfold(x, weight.shape[2:], stride, padding)
    N, *_, OH, OW = six.shape
    F = len(weight)
    y = weight.reshape(F, -1) @ six.reshape(N, -1, OH * OW) + bias[:, None]
    return y.reshape(N, F, OH, OW)


@right("conv2d_im2col")
def _(x, weight, bias, stride=1, padding=0):
    six = unfold(x, weight.shape[2:], stride, padding)
    return np.tensordot(six, weight, ((1, 2, 3), (1, 2, 3))).transpose(0, 3, 1, 2) + bias.reshape(
        -1, 1, 1
    )
