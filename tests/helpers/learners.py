"""Solutions as learners write them, right and wrong, independent of how the checks work.

Each wrong one is registered with its exercise and the name of its mistake.
"""

from typing import Any

import numpy as np

WRONG: list[Any] = []
RIGHT: list[Any] = []


def wrong(exercise, mistake):
    def add(function):
        WRONG.append((exercise, mistake, function))
        return function

    return add


def right(exercise):
    def add(function):
        RIGHT.append((exercise, function))
        return function

    return add


# --- sizes and padding ---------------------------------------------------------------------------


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


# --- convolution ---------------------------------------------------------------------------------


@wrong("correlate2d", "kernel_flipped")
def _(x, kernel):
    KH, KW = kernel.shape
    H, W = x.shape
    y = np.zeros((H - KH + 1, W - KW + 1))
    for o in range(y.shape[0]):
        for p in range(y.shape[1]):
            for i in range(KH):
                for j in range(KW):
                    y[o, p] += x[o + i, p + j] * kernel[KH - 1 - i, KW - 1 - j]
    return y


@wrong("correlate2d", "last_window_missing")
def _(x, kernel):
    KH, KW = kernel.shape
    rows = []
    for o in range(x.shape[0] - KH):
        row = [(x[o : o + KH, p : p + KW] * kernel).sum() for p in range(x.shape[1] - KW)]
        rows.append(row)
    return np.array(rows)


@wrong("correlate2d", "last_window_zero")
def _(x, kernel):
    KH, KW = kernel.shape
    y = np.zeros((x.shape[0] - KH + 1, x.shape[1] - KW + 1))
    for o in range(x.shape[0] - KH):
        for p in range(x.shape[1] - KW):
            y[o, p] = (x[o : o + KH, p : p + KW] * kernel).sum()
    return y


@wrong("correlate2d", "sum_not_reset")
def _(x, kernel):
    KH, KW = kernel.shape
    y = np.zeros((x.shape[0] - KH + 1, x.shape[1] - KW + 1))
    total = 0
    for o in range(y.shape[0]):
        for p in range(y.shape[1]):
            total += (x[o : o + KH, p : p + KW] * kernel).sum()
            y[o, p] = total
    return y


@wrong("correlate2d", "products_overwritten")
def _(x, kernel):
    KH, KW = kernel.shape
    y = np.zeros((x.shape[0] - KH + 1, x.shape[1] - KW + 1))
    for o, p in np.ndindex(y.shape):
        for i, j in np.ndindex(KH, KW):
            y[o, p] = x[o + i, p + j] * kernel[i, j]
    return y


@wrong("correlate2d", "output_transposed")
def _(x, kernel):
    KH, KW = kernel.shape
    y = np.zeros((x.shape[1] - KW + 1, x.shape[0] - KH + 1))
    for o in range(x.shape[0] - KH + 1):
        for p in range(x.shape[1] - KW + 1):
            y[p, o] = np.sum(x[o : o + KH, p : p + KW] * kernel)
    return y


@right("correlate2d")
def _(x, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape)
    return np.einsum("opij,ij->op", windows, kernel)


@right("correlate2d")
def _(x, kernel):
    KH, KW = kernel.shape
    OH, OW = x.shape[0] - KH + 1, x.shape[1] - KW + 1
    y = 0
    for i in range(KH):
        for j in range(KW):
            y = y + kernel[i, j] * x[i : i + OH, j : j + OW]
    return y


@right("correlate2d")
def _(x, kernel):
    return [
        [
            sum(
                float(x[o + i][p + j] * kernel[i][j])
                for i in range(len(kernel))
                for j in range(len(kernel[0]))
            )
            for p in range(len(x[0]) - len(kernel[0]) + 1)
        ]
        for o in range(len(x) - len(kernel) + 1)
    ]


def loops(x, weight, stride, padding, change):
    """Compute a convolution in loops; `change(y, n, f, o, p, patch)` writes an output."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    N, _, H, W = x.shape
    F, _, KH, KW = weight.shape
    y = np.zeros((N, F, (H - KH) // stride + 1, (W - KW) // stride + 1))
    for n, f, o, p in np.ndindex(y.shape):
        h, w = o * stride, p * stride
        change(y, n, f, o, p, x[n, :, h : h + KH, w : w + KW])
    return y


@wrong("conv2d", "bias_forgotten")
def _(x, weight, bias, stride=1, padding=0):
    def change(y, n, f, o, p, patch):
        y[n, f, o, p] = (patch * weight[f]).sum()

    return loops(x, weight, stride, padding, change)


@wrong("conv2d", "bias_for_each_channel")
def _(x, weight, bias, stride=1, padding=0):
    def change(y, n, f, o, p, patch):
        for c in range(len(patch)):
            y[n, f, o, p] += (patch[c] * weight[f, c]).sum() + bias[f]

    return loops(x, weight, stride, padding, change)


@wrong("conv2d", "channels_overwritten")
def _(x, weight, bias, stride=1, padding=0):
    def change(y, n, f, o, p, patch):
        for c in range(len(patch)):
            y[n, f, o, p] = (patch[c] * weight[f, c]).sum() + bias[f]

    return loops(x, weight, stride, padding, change)


@wrong("conv2d", "channels_summed_twice")
def _(x, weight, bias, stride=1, padding=0):
    def change(y, n, f, o, p, patch):
        for _ in range(len(patch)):
            y[n, f, o, p] += np.sum(patch * weight[f])
        y[n, f, o, p] += bias[f]

    return loops(x, weight, stride, padding, change)


@wrong("conv2d", "kernel_flipped")
def _(x, weight, bias, stride=1, padding=0):
    def change(y, n, f, o, p, patch):
        y[n, f, o, p] = (patch[:, ::-1, ::-1] * weight[f]).sum() + bias[f]

    return loops(x, weight, stride, padding, change)


@wrong("conv2d", "returned_in_the_filter_loop")
def _(x, weight, bias, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    F, _, KH, KW = weight.shape
    OH, OW = (x.shape[2] - KH) // stride + 1, (x.shape[3] - KW) // stride + 1
    out = np.zeros((len(x), F, OH, OW))
    for n in range(len(x)):
        for f in range(F):
            for o in range(OH):
                for p in range(OW):
                    h, w = o * stride, p * stride
                    patch = x[n, :, h : h + KH, w : w + KW]
                    out[n, f, o, p] = np.sum(patch * weight[f]) + bias[f]
            return out
    return out


@wrong("conv2d", "stride_in_the_size_only")
def _(x, weight, bias, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    F, _, KH, KW = weight.shape
    OH, OW = (x.shape[2] - KH) // stride + 1, (x.shape[3] - KW) // stride + 1
    out = np.zeros((len(x), F, OH, OW))
    for n, f, o, p in np.ndindex(out.shape):
        out[n, f, o, p] = np.sum(x[n, :, o : o + KH, p : p + KW] * weight[f]) + bias[f]
    return out


@wrong("conv2d", "padding_on_one_side")
def _(x, weight, bias, stride=1, padding=0):
    N, C, H, W = x.shape
    F, _, KH, KW = weight.shape
    padded = np.zeros((N, C, H + padding, W + padding))
    padded[:, :, padding:, padding:] = x
    OH, OW = (H + padding - KH) // stride + 1, (W + padding - KW) // stride + 1
    out = np.zeros((N, F, OH, OW))
    for n, f, o, p in np.ndindex(out.shape):
        patch = padded[n, :, o * stride : o * stride + KH, p * stride : p * stride + KW]
        out[n, f, o, p] = np.sum(patch * weight[f]) + bias[f]
    return out


@wrong("conv2d", "last_window_lost")
def _(x, weight, bias, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    F, _, KH, KW = weight.shape
    OH, OW = (x.shape[2] - KH + 1) // stride, (x.shape[3] - KW + 1) // stride
    out = np.zeros((len(x), F, OH, OW))
    for n, f, o, p in np.ndindex(out.shape):
        h, w = o * stride, p * stride
        out[n, f, o, p] = np.sum(x[n, :, h : h + KH, w : w + KW] * weight[f]) + bias[f]
    return out


@wrong("conv2d", "input_overwritten")
def _(x, weight, bias, stride=1, padding=0):
    def change(y, n, f, o, p, patch):
        y[n, f, o, p] = (patch * weight[f]).sum() + bias[f]

    y = loops(x, weight, stride, padding, change)
    x -= x.mean()
    return y


@wrong("conv2d", "nothing_returned")
def _(x, weight, bias, stride=1, padding=0):
    loops(x, weight, stride, padding, lambda *of: None)


@wrong("conv2d", "not_written")
def _(x, weight, bias, stride=1, padding=0):
    raise NotImplementedError


@wrong("conv2d", "other_arguments")
def _(x, weight):
    return x


@right("conv2d")
def _(x, weight, bias, stride=1, padding=0):
    def change(y, n, f, o, p, patch):
        y[n, f, o, p] = (patch * weight[f]).sum() + bias[f]

    return loops(x, weight, stride, padding, change)


@right("conv2d")
def _(x, weight, bias, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    return np.einsum("ncopij,fcij->nfop", windows, weight) + bias.reshape(1, -1, 1, 1)


@right("conv2d")
def _(x, weight, bias, stride=1, padding=0):
    N, C, H, W = x.shape
    F, _, KH, KW = weight.shape
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    y = np.zeros((N, F, OH, OW), x.dtype)
    for n in range(N):
        for f in range(F):
            for o in range(OH):
                for p in range(OW):
                    total = bias[f]
                    for c in range(C):
                        for i in range(KH):
                            for j in range(KW):
                                h, w = o * stride + i - padding, p * stride + j - padding
                                if 0 <= h < H and 0 <= w < W:
                                    total += x[n, c, h, w] * weight[f, c, i, j]
                    y[n, f, o, p] = total
    return y


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


# --- activations, pooling, shapes ----------------------------------------------------------------


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


# --- forwards through the head -------------------------------------------------------------------


@wrong("linear", "weight_not_transposed")
def _(x, weight, bias):
    return np.dot(x, weight) + bias


@wrong("softmax", "maximum_not_subtracted")
def _(z):
    e = np.exp(z)
    return e / e.sum(1)[:, None]


@wrong("softmax", "over_the_wrong_axis")
def _(z):
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


@wrong("softmax", "maximum_of_the_whole_batch")
def _(z):
    e = np.exp(z - np.max(z))
    return e / np.sum(e, axis=1, keepdims=True)


@right("softmax")
def _(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@right("softmax")
def _(z):
    shifted = (z.T - z.max(axis=1)).T
    return np.exp(shifted - np.log(np.exp(shifted).sum(axis=1))[:, None])


@wrong("cross_entropy", "logarithm_of_zero")
def _(z, labels):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.mean(np.log(p[range(len(z)), labels]))


@wrong("cross_entropy", "averaged_twice")
def _(z, labels):
    shifted = z - z.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(z)), labels].mean() / len(z)


@wrong("cross_entropy", "summed")
def _(z, labels):
    loss = 0.0
    for row, label in zip(z, labels, strict=True):
        row = row - row.max()
        loss -= row[label] - np.log(np.exp(row).sum())
    return loss


@right("cross_entropy")
def _(z, labels):
    loss = 0.0
    for row, label in zip(z, labels, strict=True):
        row = row - row.max()
        loss -= row[label] - np.log(np.exp(row).sum())
    return loss / len(z)


@wrong("mean_squared_error", "gradient_not_averaged")
def _(y, target):
    d = y - target
    return np.mean(d**2), 2 * d


@right("mean_squared_error")
def _(y, target):
    d = (y - target).ravel()
    return d @ d / d.size, (2 / d.size * d).reshape(y.shape)


# --- backwards -----------------------------------------------------------------------------------


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


# --- checking and descending ---------------------------------------------------------------------


@wrong("numerical_gradient", "forward_difference")
def _(loss, x, h=1e-5):
    out = np.zeros_like(x)
    for i in range(x.size):
        moved = x.copy()
        moved.flat[i] += h
        out.flat[i] = (loss(moved) - loss(x)) / h
    return out


@wrong("numerical_gradient", "multiplied_by_h")
def _(loss, x, h=1e-5):
    out = np.zeros_like(x)
    for i in range(x.size):
        above, below = x.copy(), x.copy()
        above.flat[i] += h
        below.flat[i] -= h
        out.flat[i] = (loss(above) - loss(below)) / 2 * h
    return out


@wrong("numerical_gradient", "input_overwritten")
def _(loss, x, h=1e-5):
    out = np.zeros_like(x)
    for i in range(x.size):
        x.flat[i] += h
        above = loss(x)
        x.flat[i] -= 2 * h
        out.flat[i] = (above - loss(x)) / (2 * h)
        x.flat[i] += h
    x += 1e-3
    return out


@right("numerical_gradient")
def _(loss, x, h=1e-5):
    moves = np.eye(x.size).reshape(-1, *x.shape) * h
    return np.reshape([(loss(x + m) - loss(x - m)) / 2 / h for m in moves], x.shape)


@wrong("sgd_step", "decay_on_biases")
def _(parameters, gradients, velocities, lr, momentum=0.0, weight_decay=0.0):
    new, v = {}, {}
    for name in parameters:
        g = gradients[name] + weight_decay * parameters[name]
        v[name] = momentum * velocities[name] + g
        new[name] = parameters[name] - lr * v[name]
    return new, v


@wrong("sgd_step", "follows_the_gradient")
def _(parameters, gradients, velocities, lr, momentum=0.0, weight_decay=0.0):
    new, v = {}, {}
    for name, w in parameters.items():
        g = gradients[name]
        if "weight" in name:
            g = g + weight_decay * w
        v[name] = momentum * velocities[name] + g
        new[name] = w - lr * g
    return new, v


@wrong("sgd_step", "input_overwritten")
def _(parameters, gradients, velocities, lr, momentum=0.0, weight_decay=0.0):
    for name, w in parameters.items():
        g = gradients[name] + (0 if name.endswith("bias") else weight_decay) * w
        velocities[name] *= momentum
        velocities[name] += g
        w -= lr * velocities[name]
    return parameters, velocities


@right("sgd_step")
def _(parameters, gradients, velocities, lr, momentum=0.0, weight_decay=0.0):
    new, v = {}, {}
    for name, w in parameters.items():
        g = gradients[name] if name.endswith("bias") else gradients[name] + weight_decay * w
        v[name] = momentum * velocities[name] + g
        new[name] = w - lr * v[name]
    return new, v


@wrong("adam_step", "without_bias_correction")
def _(w, g, m, s, t, lr, beta1=0.9, beta2=0.999, eps=1e-3):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (np.sqrt(s) + eps), m, s


@wrong("adam_step", "corrected_means_returned")
def _(w, g, m, s, t, lr, beta1=0.9, beta2=0.999, eps=1e-3):
    m = (beta1 * m + (1 - beta1) * g) / (1 - beta1**t)
    s = (beta2 * s + (1 - beta2) * g**2) / (1 - beta2**t)
    return w - lr * m / (np.sqrt(s) + eps), m, s


@wrong("adam_step", "eps_inside_the_root")
def _(w, g, m, s, t, lr, beta1=0.9, beta2=0.999, eps=1e-3):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**t) / np.sqrt(s / (1 - beta2**t) + eps), m, s


@right("adam_step")
def _(w, g, m, s, t, lr, beta1=0.9, beta2=0.999, eps=1e-3):
    m = m + (1 - beta1) * (g - m)
    s = s + (1 - beta2) * (g * g - s)
    rate = lr / (1 - beta1**t)
    return w - rate * m / ((s / (1 - beta2**t)) ** 0.5 + eps), m, s


@wrong("sgd_epoch", "gradients_accumulated")
def _(w, images, gradient, batch_size, lr):
    dw = np.zeros_like(w)
    w = w.copy()
    for start in range(0, len(images), batch_size):
        dw += gradient(w, images[start : start + batch_size])
        w -= lr * dw
    return w


@wrong("sgd_epoch", "last_batch_left_out")
def _(w, images, gradient, batch_size, lr):
    for i in range(len(images) // batch_size):
        w = w - lr * gradient(w, images[i * batch_size : (i + 1) * batch_size])
    return w


@right("sgd_epoch")
def _(w, images, gradient, batch_size, lr):
    w, rest = w.copy(), images
    while len(rest):
        batch, rest = rest[:batch_size], rest[batch_size:]
        w -= lr * gradient(w, batch)
    return w


@wrong("warmup_cosine", "starts_at_zero")
def _(step, steps, warmup, peak):
    if step < warmup:
        return step / warmup * peak
    return peak / 2 * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup)))


# --- data and metrics ----------------------------------------------------------------------------


@wrong("standardise", "leaking")
def _(train, test):
    both = np.concatenate([train, test])
    mean, std = both.mean(axis=(0, 2, 3)), both.std(axis=(0, 2, 3))
    shape = (1, -1, 1, 1)
    return (
        (train - mean.reshape(shape)) / std.reshape(shape),
        (test - mean.reshape(shape)) / std.reshape(shape),
    )


@wrong("standardise", "test_by_itself")
def _(train, test):
    def scale(x):
        return (x - x.mean((0, 2, 3), keepdims=True)) / x.std((0, 2, 3), keepdims=True)

    return scale(train), scale(test)


@wrong("standardise", "each_image_by_itself")
def _(train, test):
    def scale(x):
        return (x - x.mean((2, 3), keepdims=True)) / x.std((2, 3), keepdims=True)

    return scale(train), scale(test)


@right("standardise")
def _(train, test):
    channels = np.moveaxis(train, 1, 0).reshape(train.shape[1], -1)
    mean = channels.mean(axis=1)[:, None, None]
    std = np.sqrt(channels.var(axis=1))[:, None, None]
    return (train - mean) / std, (test - mean) / std


@wrong("confusion_matrix", "counted_once")
def _(truth, predicted, classes):
    counts = np.zeros((classes, classes), int)
    counts[truth, predicted] += 1
    return counts


@wrong("confusion_matrix", "transposed")
def _(truth, predicted, classes):
    counts = np.zeros((classes, classes), int)
    for t, p in zip(truth, predicted, strict=True):
        counts[p, t] += 1
    return counts


@right("confusion_matrix")
def _(truth, predicted, classes):
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


@wrong("precision_recall_f1", "swapped")
def _(counts):
    right = np.diag(counts)
    precision = np.divide(right, counts.sum(1), out=np.zeros(len(right)), where=counts.sum(1) > 0)
    recall = np.divide(right, counts.sum(0), out=np.zeros(len(right)), where=counts.sum(0) > 0)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros(len(right)), where=total > 0)
    return precision, recall, f1


@wrong("precision_recall_f1", "divided_by_zero")
def _(counts):
    precision = counts.diagonal() / counts.sum(0)
    recall = counts.diagonal() / counts.sum(1)
    return precision, recall, 2 * precision * recall / (precision + recall)


# --- inside and deeper ---------------------------------------------------------------------------


@wrong("grad_cam", "each_position_by_itself")
def _(maps, gradients):
    return np.maximum(np.sum(maps * gradients, axis=1), 0)


@wrong("grad_cam", "negative_left")
def _(maps, gradients):
    weights = gradients.mean(axis=(2, 3))
    return np.einsum("nc,nchw->nhw", weights, maps)


@right("grad_cam")
def _(maps, gradients):
    cam = np.einsum("nc,nchw->nhw", gradients.mean(axis=(2, 3)), maps)
    return cam * (cam > 0)


@wrong("he_scale", "kernel_forgotten")
def _(weight_shape):
    return (2 / weight_shape[1]) ** 0.5


@right("he_scale")
def _(weight_shape):
    return np.sqrt(2 / np.prod(weight_shape[1:]))


@wrong("batch_norm", "over_the_batch_only")
def _(x, gamma, beta, eps=1e-5):
    mean, var = x.mean(0), x.var(0)
    y = gamma.reshape(-1, 1, 1) * (x - mean) / np.sqrt(var + eps) + beta.reshape(-1, 1, 1)
    return y, mean, var


@wrong("batch_norm", "unbiased_variance")
def _(x, gamma, beta, eps=1e-5):
    count = x.size // x.shape[1]
    mean = x.mean((0, 2, 3), keepdims=True)
    var = ((x - mean) ** 2).sum((0, 2, 3), keepdims=True) / (count - 1)
    y = gamma.reshape(1, -1, 1, 1) * (x - mean) / np.sqrt(var + eps) + beta.reshape(1, -1, 1, 1)
    return y, mean.ravel(), var.ravel()


@right("batch_norm")
def _(x, gamma, beta, eps=1e-5):
    rows = x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])
    mean, var = rows.mean(0), ((rows - rows.mean(0)) ** 2).mean(0)
    y = (rows - mean) / np.sqrt(var + eps) * gamma + beta
    N, C, H, W = x.shape
    return y.reshape(N, H, W, C).transpose(0, 3, 1, 2), mean, var


@wrong("running_statistics", "momentum_swapped")
def _(running_mean, running_var, x, momentum=0.1):
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), ddof=1)
    return (
        momentum * running_mean + (1 - momentum) * mean,
        momentum * running_var + (1 - momentum) * var,
    )


@wrong("running_statistics", "biased_variance")
def _(running_mean, running_var, x, momentum=0.1):
    running_mean = running_mean + momentum * (x.mean((0, 2, 3)) - running_mean)
    return running_mean, running_var + momentum * (x.var((0, 2, 3)) - running_var)


@wrong("batch_norm_inference", "batch_statistics")
def _(x, gamma, beta, running_mean, running_var, eps=1e-5):
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return gamma[:, None, None] * (x - mean) / np.sqrt(var + eps) + beta[:, None, None]


@right("batch_norm_inference")
def _(x, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / np.sqrt(running_var + eps)
    shift = beta - running_mean * scale
    return x * scale[None, :, None, None] + shift[None, :, None, None]


@wrong("batch_norm_backward", "statistics_as_constants")
def _(dy, x, gamma, eps=1e-5):
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    dx = dy * gamma[:, None, None] / np.sqrt(var + eps)
    return dx, (dy * x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3))


@right("batch_norm_backward")
def _(dy, x, gamma, eps=1e-5):
    axes, n = (0, 2, 3), x.size / x.shape[1]
    mu = x.mean(axes, keepdims=True)
    std = np.sqrt(x.var(axes, keepdims=True) + eps)
    d_hat = dy * gamma[:, None, None]
    d_var = (d_hat * (x - mu) * -0.5 / std**3).sum(axes, keepdims=True)
    d_mu = (-d_hat / std).sum(axes, keepdims=True)
    dx = d_hat / std + d_var * 2 * (x - mu) / n + d_mu / n
    return dx, (dy * (x - mu) / std).sum(axes), dy.sum(axes)


@wrong("dropout", "not_scaled")
def _(x, kept, p, training):
    return np.where(kept, x, 0) if training else x


@wrong("dropout", "scales_in_inference")
def _(x, kept, p, training):
    if training:
        return np.where(kept, x / (1 - p), 0)
    return x * (1 - p)


@right("dropout")
def _(x, kept, p, training):
    if not training:
        return x
    return np.where(kept, x, 0) / (1 - p)


@wrong("residual_backward", "shortcut_forgotten")
def _(dy, body_backward):
    return body_backward(dy)


@wrong("relu", "remembers")
def _(x, seen=[]):  # noqa: B006  # the mistake itself
    seen.append(0)
    return np.maximum(x, 0) + 1e-3 * (len(seen) > 3)
