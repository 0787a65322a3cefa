"""Convolution."""

import numpy as np

from learners.solutions import right, wrong


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
