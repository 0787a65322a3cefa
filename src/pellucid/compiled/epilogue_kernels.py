"""The passes over memory that an epilogue is made of, as kernels over what `in_lanes` returns.

That is (H, W, C, N) with the images in the lanes, or (N·H, W, 1, C) with the channels in them.
Numbers of a channel, such as norm (3, C), are one number for all lanes in the first case. In the
second they are handed over as (3, 1, C) and read as the channels' own numbers are. A kernel is
compiled for either.
"""

import numpy as np

from pellucid.compiled.arithmetic import (
    above,
    add,
    choose,
    either,
    equal,
    fma,
    relu_tile,
    subtract,
    tile_sum,
    unequal,
)
from pellucid.compiled.channels import normalization, normalization_gradient
from pellucid.compiled.jit import jit, jit_exact, jit_inline
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    fetch_runs_ahead,
    live_lanes,
    load_bytes,
    load_run,
    store_bytes,
    store_tile,
    zero_tile,
)

VECTORS = 4
WIDTH = VECTORS * LANES
PART = 16
"""Pixels that are summed together, channel by channel, so that the sums stay in registers.

With more, the next channel's numbers would be read too late after their neighbours'.
"""


@jit_inline
def of_channel(numbers, row, c, n, lanes):
    """Return the number of channel c, or a run of those of the channels in the lanes from n on."""
    if numbers.ndim == 3:
        return load_run(numbers, row * numbers.shape[2] + n, VECTORS, lanes)
    return numbers[row, c]


@jit_inline
def read_ahead(x, i, lanes):
    """Return the run x[i …], after asking for what is read next."""
    fetch_runs_ahead(x, i, VECTORS)
    return load_run(x, i, VECTORS, lanes)


@jit_inline
def _centred(z, norm, c, n, lanes):
    """``z − mean``."""
    return subtract(z, of_channel(norm, 0, c, n, lanes))


@jit_inline
def _scaled(off, norm, c, n, lanes):
    """``off·scale + shift`` for off = z − mean."""
    return fma(off, of_channel(norm, 1, c, n, lanes), of_channel(norm, 2, c, n, lanes))


@jit_inline
def _before_norm(dn, off, abc, c, n, lanes):
    """``a·dn + b·off + c``: see `channels`."""
    rest = fma(off, of_channel(abc, 1, c, n, lanes), of_channel(abc, 2, c, n, lanes))
    return fma(dn, of_channel(abc, 0, c, n, lanes), rest)


@jit_inline
def _write_sum(tile, found, row, c, n, lanes):
    """Write the sum of a tile for channel c, or each lane for itself, to a row of `found`."""
    if found.ndim == 3:
        store_tile(tile, found, row * found.shape[2] + n, 0, 1, lanes)
    else:
        found[row, c] = tile_sum(tile)


@jit_inline
def _summed_together(numbers, N):
    """Return how many pixels, and how many lanes (all images, or a run), are summed at once."""
    return (4 * PART, WIDTH) if numbers.ndim == 3 else (PART, N)


@jit
def statistics(mine, z, parts):
    """Write m, Σ(z − m) and Σ(z − m)² of each part into parts (3·parts, C).

    Each part is read once: ``Σ(z − mean)² = Σ(z − m)² − count·(mean − m)²`` for any m, and where m
    is near the mean, here that of the part's first pixel, little is subtracted.
    """
    H, W, C, N = z.shape
    zs, pixels = z.reshape(-1), H * W
    together, span = _summed_together(parts, N)
    for part in share_of(mine, -(-pixels // together)):
        first, end = part * together, min((part + 1) * together, pixels)
        for c in range(C):
            for start in range(0, N, span):
                own = live_lanes(N - start, VECTORS)
                near = zero_tile(1, VECTORS)
                for n in range(start, min(start + span, N), WIDTH):
                    lanes = live_lanes(N - n, VECTORS)
                    near = add(near, load_run(zs, (first * C + c) * N + n, VECTORS, lanes))
                _write_sum(near, parts, 3 * part, c, start, own)
                if parts.ndim == 2:
                    parts[3 * part, c] /= np.float32(N)
                m = of_channel(parts, 3 * part, c, start, own)
                rest, square = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
                for pixel in range(first, end):
                    for n in range(start, min(start + span, N), WIDTH):
                        lanes = live_lanes(N - n, VECTORS)
                        run = read_ahead(zs, (pixel * C + c) * N + n, lanes)
                        # places that are not alive hold 0 and must not count
                        off = choose(lanes, subtract(run, m), np.float32(0))
                        rest, square = add(rest, off), fma(off, off, square)
                _write_sum(rest, parts, 3 * part + 1, c, start, own)
                _write_sum(square, parts, 3 * part + 2, c, start, own)


@jit_exact
def statistics_of_all(parts, z, eps, weight, bias, moments, norm, found):
    """Write mean and variance of each channel of z into moments and found; then see `channels`.

    ``Σ(z − mean)² = Σ_parts (Σ(z − mean_part)² + count·(mean_part − mean)²)``.
    Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983.
    """
    together, _ = _summed_together(parts, 1)
    pixels = z.shape[0] * z.shape[1]
    put_together(parts.reshape(len(parts), -1), together * z.size // pixels, z.size, moments)
    normalization(moments, eps, weight, bias, norm)
    for c in range(len(weight)):
        found[0, c], found[1, c] = moments[0, c], moments[1, c]


@jit_inline
def put_together(parts, size, whole, moments):
    """Write mean and variance into moments, for parts of so many numbers of all channels."""
    C = moments.shape[1]
    for c in range(C):
        moments[0, c] = moments[1, c] = 0
    count = whole // C
    for part in range(len(parts) // 3):
        own = np.float64(min(size, whole - part * size) // C)
        for c in range(C):
            moments[0, c] += own / count * (parts[3 * part, c] + parts[3 * part + 1, c] / own)
    for part in range(len(parts) // 3):
        own = np.float64(min(size, whole - part * size) // C)
        for c in range(C):
            off = parts[3 * part + 1, c] / own
            apart = parts[3 * part, c] + off - moments[0, c]
            square = parts[3 * part + 2, c] - own * off**2
            moments[1, c] += square / count + own / count * apart**2


@jit
def epilogue_kernel(mine, z, norm, shortcut, add_shortcut, relu, y):
    """``y = relu((z − mean)·scale + shift + shortcut)``, all (H, W, C, N), in one pass.

    norm (3, C). Called for epilogues without pooling, and to write images whose norm was deferred.
    """
    H, W, C, N = z.shape
    zs, ss, ys = z.reshape(-1), shortcut.reshape(-1), y.reshape(-1)
    for position in share_of(mine, H * W):
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                i = (position * C + c) * N + n
                fetch_runs_ahead(ys, i, VECTORS)
                value = _centred(read_ahead(zs, i, lanes), norm, c, n, lanes)
                value = _scaled(value, norm, c, n, lanes)
                if add_shortcut:
                    value = add(value, read_ahead(ss, i, lanes))
                if relu:
                    value = relu_tile(value)
                store_tile(value, ys, i, N, 1, lanes)


@jit_inline
def _window_taps(
    row, column, first, width, kernel_width, pixels, taps,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length,
):  # fmt: skip
    """List which pixel each tap of one window meets, in the image that begins at pixel `first`.

    Return how many do.
    """
    count, pixels[0], taps[0] = 0, 0, 0
    for i in range(row_first[row], row_first[row + 1]):
        for r in range(row_length[i]):
            for j in range(column_first[column], column_first[column + 1]):
                for s in range(column_length[j]):
                    pixel = (row_source[i] + r) * width + column_source[j] + s
                    pixels[count] = first + pixel
                    taps[count] = (row_tap[i] + r) * kernel_width + column_tap[j] + s
                    count += 1
    return count


@jit
def pooled_epilogue_kernel(
    mine, z, norm, relu, y, winner, winning, KH, KW,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length,
):  # fmt: skip
    """``y = pool(relu((z − mean)·scale + shift))`` in one pass: z (H, W, C, N), y (OH, OW, C, N).

    winner (OH, OW, C, N) is the tap that won, as a byte, and winning the z that it read, if wanted.
    """
    _, W, C, N = z.shape
    OH, OW, height = len(row_first) - 1, y.shape[1], y.shape[0]
    size = (
        z.shape[0] * W * OH // height
    )  # pixels of an image, of which some may lie one below the other
    zs, ys, winners, values = z.reshape(-1), y.reshape(-1), winner.reshape(-1), winning.reshape(-1)
    pixels, taps = np.empty(KH * KW, np.int64), np.empty(KH * KW, np.int64)
    for position in share_of(mine, height * OW):
        count = _window_taps(
            position // OW % OH, position % OW, position // (OW * OH) * size, W, KW, pixels, taps,
            row_first, row_tap, row_source, row_length,
            column_first, column_tap, column_source, column_length,
        )  # fmt: skip
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                # the first tap wins whatever it is, even −∞
                best = add(zero_tile(1, VECTORS), np.float32(-np.inf))
                tap = add(zero_tile(1, VECTORS), np.float32(taps[0]))
                won = load_run(zs, (pixels[0] * C + c) * N + n, VECTORS, lanes)
                for k in range(count):
                    value = load_run(zs, (pixels[k] * C + c) * N + n, VECTORS, lanes)
                    scaled = _scaled(_centred(value, norm, c, n, lanes), norm, c, n, lanes)
                    # the first of equal maxima wins, and what is not a number wins
                    better = either(above(scaled, best), unequal(scaled, scaled))
                    best = choose(better, scaled, best)
                    tap = choose(better, np.float32(taps[k]), tap)
                    won = choose(better, value, won)
                o = (position * C + c) * N + n
                if relu:
                    best = relu_tile(best)
                store_tile(best, ys, o, N, 1, lanes)
                if values.size > 0:
                    store_tile(won, values, o, N, 1, lanes)
                store_bytes(tap, winners, o, lanes)


@jit
def gradient_sums(mine, dy, y, z, norm, relu, own, parts):
    """Compute each part's Σ dn and Σ dn·(z − mean) into parts (2·parts, C), where dn = dy if y > 0.

    If y is z's `own`, without a shortcut, it is worked out again: that is faster than to read it.
    """
    H, W, C, N = dy.shape
    ds, ys, zs, pixels = dy.reshape(-1), y.reshape(-1), z.reshape(-1), H * W
    together, span = _summed_together(parts, N)
    for part in share_of(mine, -(-pixels // together)):
        for c in range(C):
            for start in range(0, N, span):
                total, product = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
                for pixel in range(part * together, min((part + 1) * together, pixels)):
                    for n in range(start, min(start + span, N), WIDTH):
                        lanes = live_lanes(N - n, VECTORS)
                        i = (pixel * C + c) * N + n
                        dn = read_ahead(ds, i, lanes)
                        off = _centred(read_ahead(zs, i, lanes), norm, c, n, lanes)
                        if relu:
                            value = _scaled(off, norm, c, n, lanes)
                            if not own:
                                value = read_ahead(ys, i, lanes)
                            dn = choose(above(value, np.float32(0)), dn, np.float32(0))
                        total, product = add(total, dn), fma(dn, off, product)
                lanes = live_lanes(N - start, VECTORS)
                _write_sum(total, parts, 2 * part, c, start, lanes)
                _write_sum(product, parts, 2 * part + 1, c, start, lanes)


@jit_exact
def gradient_sums_of_all(parts, moments, norm, weight, count, gradients, abc):
    """Add up what `gradient_sums` found; what follows from the sums, `channels` says."""
    sums, found = np.zeros((2, len(weight))), parts.reshape(len(parts), -1)
    for part in range(0, len(parts), 2):
        for k in range(2):
            for c in range(len(weight)):
                sums[k, c] += found[part + k, c]
    normalization_gradient(sums, moments, norm.reshape(3, -1), weight, count, gradients, abc)


@jit
def gradient_kernel(mine, dy, y, z, norm, relu, own, scaled, abc, dz, dn_out, keep_dn):
    """``dz = a·dn + b·(z − mean) + c`` per channel if scaled, else dn, where dn = dy if y > 0."""
    H, W, C, N = dy.shape
    ds, ys, zs, dzs, dns = (
        dy.reshape(-1), y.reshape(-1), z.reshape(-1), dz.reshape(-1), dn_out.reshape(-1)
    )  # fmt: skip
    for position in share_of(mine, H * W):
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                i = (position * C + c) * N + n
                dn = read_ahead(ds, i, lanes)
                off = zero_tile(1, VECTORS)
                if scaled or own:
                    off = _centred(read_ahead(zs, i, lanes), norm, c, n, lanes)
                if relu:
                    value = _scaled(off, norm, c, n, lanes)
                    if not own:
                        value = read_ahead(ys, i, lanes)
                    dn = choose(above(value, np.float32(0)), dn, np.float32(0))
                if keep_dn:
                    store_tile(dn, dns, i, N, 1, lanes)
                if scaled:
                    dn = _before_norm(dn, off, abc, c, n, lanes)
                fetch_runs_ahead(dzs, i, VECTORS)
                store_tile(dn, dzs, i, N, 1, lanes)


@jit
def disjoint_pooled_gradient_kernel(mine, dy, y, winner, z, norm, relu, scaled, abc, dz, KH, KW):
    """Do `gradient_kernel` where windows without overlap cover the image."""
    OH, OW, C, N = dy.shape
    W = dz.shape[1]
    ds, ys, taps = dy.reshape(-1), y.reshape(-1), winner.reshape(-1)
    zs, dzs = z.reshape(-1), dz.reshape(-1)
    for position in share_of(mine, OH * OW):
        oh, ow = position // OW, position % OW
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                o = (position * C + c) * N + n
                dn, won = load_run(ds, o, VECTORS, lanes), load_bytes(taps, o, VECTORS, lanes)
                if relu:
                    alive = above(load_run(ys, o, VECTORS, lanes), np.float32(0))
                    dn = choose(alive, dn, np.float32(0))
                for k in range(KH * KW):
                    pixel = (oh * KH + k // KW) * W + ow * KW + k % KW
                    p = (pixel * C + c) * N + n
                    part = choose(equal(won, np.float32(k)), dn, np.float32(0))
                    if scaled:
                        off = _centred(load_run(zs, p, VECTORS, lanes), norm, c, n, lanes)
                        part = _before_norm(part, off, abc, c, n, lanes)
                    store_tile(part, dzs, p, N, 1, lanes)


@jit
def pooled_gradient_kernel(
    mine, dy, y, winner, z, norm, relu, scaled, abc, dz, KH, KW,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length,
):  # fmt: skip
    """Do `gradient_kernel` for any windows: a pixel gets the dy of each window that it won."""
    height, W, C, N = dz.shape
    H, OW = len(row_first) - 1, dy.shape[1]
    size = dy.shape[0] * OW * H // height  # outputs of an image
    ds, ys, winners = dy.reshape(-1), y.reshape(-1), winner.reshape(-1)
    zs, dzs = z.reshape(-1), dz.reshape(-1)
    outputs, turned = np.empty(KH * KW, np.int64), np.empty(KH * KW, np.int64)
    for position in share_of(mine, height * W):
        count = _window_taps(
            position // W % H, position % W, position // (W * H) * size, OW, KW, outputs, turned,
            row_first, row_tap, row_source, row_length,
            column_first, column_tap, column_source, column_length,
        )  # fmt: skip
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                dn = zero_tile(1, VECTORS)
                for k in range(count):
                    o = (outputs[k] * C + c) * N + n
                    tap = np.float32(KH * KW - 1 - turned[k])
                    won = equal(load_bytes(winners, o, VECTORS, lanes), tap)
                    part = choose(won, load_run(ds, o, VECTORS, lanes), np.float32(0))
                    if relu:
                        alive = above(load_run(ys, o, VECTORS, lanes), np.float32(0))
                        part = choose(alive, part, np.float32(0))
                    dn = add(dn, part)
                p = (position * C + c) * N + n
                if scaled:
                    off = _centred(load_run(zs, p, VECTORS, lanes), norm, c, n, lanes)
                    dn = _before_norm(dn, off, abc, c, n, lanes)
                store_tile(dn, dzs, p, N, 1, lanes)
