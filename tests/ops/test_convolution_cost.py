"""What convolution costs and how exact it is: error bounds, memory, multiplications."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.contract import Convolution
from pellucid.errors import PellucidError
from pellucid.geometry import Window
from pellucid.reference.conv import (
    choose,
    conv2d,
    conv2d_algorithm,
    fft,
    im2col,
    loops,
    pieces,
    winograd,
)
from pellucid.testing.strategies import convolutions, windows

# the rounding unit of each type, and a type in which its errors can be seen
TYPES = {np.float32: (2.0**-24, np.float64), np.float64: (2.0**-53, np.longdouble)}
THREE_BY_THREE = convolutions(windows(kernels=st.just(3), plain=True))


def passes(algorithm, case):
    """The three results, and for each how many products one sum has."""
    window, groups = case.window, case.groups
    (N, F, OH, OW), (_, channels, KH, KW) = case.dy.shape, case.weight.shape
    return (
        (algorithm.forward(case.x, case.weight, window, groups), channels * KH * KW),
        (algorithm.input_gradient(case.dy, case.weight, window, groups), F // groups * KH * KW),
        (algorithm.weight_gradient(case.dy, case.x, window, groups), N * OH * OW),
    )


def absolute(case):
    """The same case with the absolute values of its numbers."""
    return type(case)(
        case.window, case.groups, case.origin, abs(case.x), abs(case.weight), abs(case.dy)
    )


def gamma(n, u):
    return n * u / (1 - n * u)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("algorithm", [loops, im2col], ids=["loops", "im2col"])
def test_sums_of_products_are_as_exact_as_their_bound(algorithm, dtype):
    u, wide = TYPES[dtype]

    @settings(max_examples=40, deadline=None)
    @given(convolutions())
    def within(case):
        case = case.astype(dtype)
        exact = passes(loops, case.astype(wide))
        sizes = passes(loops, absolute(case.astype(wide)))
        for (ours, n), (true, _), (size, _) in zip(
            passes(algorithm, case), exact, sizes, strict=True
        ):
            assert (abs(ours - true) <= gamma(n, u) * size).all()

    within()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("algorithm", [winograd.F2, winograd.F4], ids=["winograd2", "winograd4"])
def test_winograds_errors_stay_below_their_bound(algorithm, dtype):
    u, wide = TYPES[dtype]
    positive = winograd.Winograd(
        algorithm.m, abs(algorithm.A_T), abs(algorithm.G), abs(algorithm.B_T)
    )

    @settings(max_examples=40, deadline=None)
    @given(THREE_BY_THREE)
    def within(case):
        case = case.astype(dtype)
        exact = passes(loops, case.astype(wide))
        sizes = passes(positive, absolute(case.astype(np.float64)))
        tiles = len(case.x) * algorithm.tiles(case.window)
        terms = case.weight.shape[1], case.dy.shape[1] // case.groups, tiles
        for n, (ours, _), (true, _), (size, _) in zip(
            terms, passes(algorithm, case), exact, sizes, strict=True
        ):
            allowed = gamma(n + 4 * (algorithm.m + 2) + 12, u) * size
            assert (abs(ours - true) <= allowed).all()

    within()


def test_the_smaller_tiles_are_as_exact_as_the_definition_and_the_larger_lose_a_digit():
    source = np.random.default_rng(0)
    x = source.normal(size=(2, 64, 14, 14)).astype(np.float32)
    weight = source.normal(size=(64, 64, 3, 3)).astype(np.float32)
    window = Window.of((14, 14), 3, padding=1)
    exact = im2col.forward(x.astype(float), weight.astype(float), window, 1)

    def error(algorithm):
        return float(np.sqrt(np.mean((algorithm.forward(x, weight, window, 1) - exact) ** 2)))

    assert error(winograd.F2) < 3 * error(im2col)
    assert 3 * error(im2col) < error(winograd.F4) < 30 * error(im2col)


@pytest.mark.parametrize("dtype", TYPES)
def test_the_fourier_transforms_errors_stay_below_their_bound(dtype):
    u, wide = TYPES[dtype]

    def norms(a):
        return np.sqrt((a.astype(wide) ** 2).sum(axis=(2, 3)))

    @settings(max_examples=40, deadline=None)
    @given(convolutions())
    def within(case):
        case = case.astype(dtype)
        exact = passes(loops, case.astype(wide))
        x, w, dy = norms(case.x), norms(case.weight), norms(case.dy)
        per_group = len(w) // case.groups
        seen = np.zeros((len(w), x.shape[1]), wide)  # a filter's norms at the channels it sees
        for f in range(len(w)):
            first = f // per_group * w.shape[1]
            seen[f, first : first + w.shape[1]] = w[f]
        of_pairs = dy.T @ x  # (F, C)
        own = [of_pairs[f][seen[f] > 0] for f in range(len(w))]
        sizes = x @ seen.T, dy @ seen, np.array(own).reshape(w.shape)
        terms = w.shape[1], per_group, len(x)
        factor = 21 * math.log2(math.prod(fft.field_size(case.window)))
        for n, (ours, _), (true, _), size in zip(
            terms, passes(fft, case), exact, sizes, strict=True
        ):
            assert (abs(ours - true) <= u * (factor + n + 4) * size[:, :, None, None]).all()

    within()


# memory


@given(windows(), st.integers(1, 20), st.integers(1, 50_000), st.integers(1, 10_000))
def test_pieces_cover_every_output_once_and_stay_small(window, images, row_bytes, limit):
    rows = window.output_size[0]
    covered = np.zeros((images, rows), int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "SCRATCH", limit)
        patch.setattr(pieces, "PIECE", limit // 4)
        for piece in pieces.pieces(window, images, row_bytes):
            part = covered[piece.images, piece.rows]
            part += 1
            assert piece.window.output_size[0] == part.shape[1]
            assert part.size * row_bytes <= limit or part.size == 1
    assert (covered == 1).all()


def test_a_large_batch_of_large_images_stays_within_the_budget():
    window = Window.of((224, 224), 3, padding=1)
    shapes = (256, 64, 224, 224), (64, 64, 3, 3), window, 1
    for name in ("im2col", "fft"):
        assert choose.get(name).scratch_bytes(*shapes, itemsize=4) <= pieces.SCRATCH
    for algorithm in winograd.F2, winograd.F4:
        weights = (algorithm.m + 2) ** 2 * 64 * 64 * 4
        assert algorithm.scratch_bytes(*shapes, itemsize=4) <= pieces.SCRATCH + weights


def test_the_loops_need_memory_for_the_padded_images_alone():
    window = Window.of((5, 7), 3, padding=((1, 2), (0, 3)))
    padded = np.pad(np.zeros((2, 3, 5, 7), np.float32), ((0, 0), (0, 0), (1, 2), (0, 3)))
    shapes = (2, 3, 5, 7), (4, 3, 3, 3), window, 1
    assert choose.get("loops").scratch_bytes(*shapes, itemsize=4) == padded.nbytes


@pytest.mark.parametrize("order", ["batch last", "C order"])
@pytest.mark.parametrize("share", [1, 4])
@pytest.mark.parametrize("name", ["im2col", "fft", "winograd2", "winograd4"])
def test_no_pass_takes_more_memory_than_it_may(name, share, order, monkeypatch):
    N, C, F, size = 12, 4, 4, 40
    algorithm, window = choose.get(name), Window.of((size, size), 3, padding=1)
    source = np.random.default_rng(0)
    x, dy = (source.normal(size=(c, size, size, N)) for c in (C, F))
    x, dy = x.transpose(3, 0, 1, 2), dy.transpose(3, 0, 1, 2)
    weight = source.normal(size=(F, C, 3, 3))
    if order == "C order":
        x, dy = x.copy(order="C"), dy.copy(order="C")
    runs = (
        lambda: algorithm.forward(x, weight, window, 1),
        lambda: algorithm.input_gradient(dy, weight, window, 1),
        lambda: algorithm.weight_gradient(dy, x, window, 1),
    )
    whole = [run() for run in runs]
    monkeypatch.setattr(pieces, "SCRATCH", 2**19)
    monkeypatch.setattr(pieces, "PIECE", 2**19 // share)
    shapes = x.shape, weight.shape, window, 1
    promised = algorithm.scratch_bytes(*shapes, x.itemsize)
    assert promised <= 2**19 + (36 * C * F * 8 if name.startswith("winograd") else 0)
    for run, expected in zip(runs, whole, strict=True):
        tracemalloc.start()
        result = run()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9)
        assert peak - result.nbytes < 2**19 + 2**15  # the rest is Python's own


# the choice


def test_typical_layers_get_the_algorithm_that_is_fastest_for_them():
    def chosen(N, C, F, size, kernel, **options):
        groups = options.pop("groups", 1)
        window = Window.of((size, size), kernel, padding="same", **options)
        shapes = (N, C, size, size), (F, C // groups, kernel, kernel)
        name, reason = choose.choose(*shapes, window, groups)
        assert reason
        assert conv2d_algorithm(Convolution(*shapes, window, groups)) == name
        return name

    assert chosen(64, 1, 8, 28, 5) == "im2col"
    assert chosen(64, 8, 16, 14, 5) == "im2col"
    assert chosen(64, 3, 64, 32, 3) == "im2col"  # too few channels to pay for the transforms
    assert chosen(64, 64, 64, 32, 3) == "winograd4"
    assert chosen(64, 64, 64, 32, 3, stride=2) == "im2col"
    assert chosen(64, 64, 64, 32, 3, dilation=2) == "im2col"
    assert chosen(64, 64, 64, 32, 3, groups=64) == "im2col"
    assert chosen(1, 512, 512, 7, 3) == "im2col"  # too few tiles to pay for the weights' transform
    assert chosen(64, 512, 512, 2, 3) == "im2col"  # an output of 2×2 fills a quarter of a tile
    assert chosen(64, 64, 128, 14, 1) == "im2col"
    assert chosen(64, 16, 16, 32, 11) == "fft"
    assert chosen(0, 64, 64, 32, 3) == "im2col"


def test_auto_computes_the_same_whatever_it_chooses():
    source = np.random.default_rng(0)
    for channels, size, kernel in ((32, 32, 3), (4, 24, 15), (2, 9, 5)):
        x = source.normal(size=(2, channels, size, size))
        weight = source.normal(size=(channels, channels, kernel, kernel))
        window = Window.of((size, size), kernel, padding="same")
        auto, plain = (
            conv2d(x, weight, None, Convolution(x.shape, weight.shape, window, 1, name))
            for name in ("auto", "im2col")
        )
        np.testing.assert_allclose(auto, plain, rtol=1e-9, atol=1e-9)


def test_what_an_algorithm_cannot_do_and_unknown_names_are_told():
    window = Window.of((9, 9), 5, stride=2)
    shapes = (1, 1, 9, 9), (1, 1, 5, 5), window, 1
    with pytest.raises(PellucidError) as told:
        conv2d_algorithm(Convolution(*shapes, "winograd4"))
    assert str(told.value) == (
        "Winograd needs a 3×3 kernel, stride 1 and dilation 1, not a 5×5 kernel, stride (2, 2) and "
        "dilation (1, 1); use 'im2col', or 'auto' for the fastest suitable one"
    )
    with pytest.raises(PellucidError, match="'winograd'; did you mean 'winograd"):
        conv2d_algorithm(Convolution(*shapes, "winograd"))
    with pytest.raises(
        PellucidError, match="Known: auto, precise, tuned, loops, im2col, fft, winograd2, winograd4"
    ):
        conv2d_algorithm(Convolution(*shapes, "gemm"))


def test_multiplications_are_counted_as_the_papers_count_them():
    window = Window.of((8, 8), 3, padding=1)
    shapes = (10, 6, 8, 8), (4, 6, 3, 3), window, 1
    definition = 10 * 4 * 6 * 64 * 9
    assert loops.multiplications(*shapes) == im2col.multiplications(*shapes) == definition
    assert winograd.F2.multiplications(*shapes) * 9 * 4 == definition * 16
    assert winograd.F4.multiplications(*shapes) * 9 * 16 == definition * 36
    grouped = (10, 6, 8, 8), (4, 3, 3, 3), window, 2
    for name in ("loops", "im2col", "winograd2", "winograd4"):
        algorithm = choose.get(name)
        assert 2 * algorithm.multiplications(*grouped) == algorithm.multiplications(*shapes)
    wide = (10, 6, 64, 64), (4, 6, 31, 31), Window.of((64, 64), 31, padding="same"), 1
    assert fft.multiplications(*wide) < im2col.multiplications(*wide) / 20


def test_good_lengths_have_small_factors_and_are_the_nearest():
    smooth = sorted(2**a * 3**b * 5**c for a in range(11) for b in range(7) for c in range(5))
    for n in range(1, 600):
        window = Window((n, 1), (1, 1))
        assert fft.field_size(window)[0] == next(length for length in smooth if length >= n)
