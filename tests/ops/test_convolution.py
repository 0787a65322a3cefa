"""Convolution: the definition against SciPy, every algorithm against the definition.

What is tested here are the algorithms of the reference engine; `test_convolution_layers.py` tests
what users call, `test_convolution_cost.py` errors, memory and the choice.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d, correlate2d

from pellucid.geometry import Window
from pellucid.reference.conv import choose, im2col, loops, winograd
from pellucid.testing.adjoint import AdjointError, check_adjoint
from pellucid.testing.strategies import convolutions, windows

FAST = ("im2col", "fft", "winograd2", "winograd4")


def cases(name):
    """Convolutions that the algorithm can do."""
    if name.startswith("winograd"):
        return convolutions(windows(kernels=st.just(3), plain=True))
    return convolutions()


def passes(name, case):
    """The three results of one algorithm."""
    algorithm, (window, groups) = choose.get(name), (case.window, case.groups)
    return SimpleNamespace(
        y=algorithm.forward(case.x, case.weight, window, groups),
        dx=algorithm.input_gradient(case.dy, case.weight, window, groups),
        dw=algorithm.weight_gradient(case.dy, case.x, window, groups),
    )


def spread(values, steps):
    """`values` with zeros between, so that they lie `steps` apart."""
    (h, w), (down, right) = values.shape, steps
    wide = np.zeros(((h - 1) * down + 1, (w - 1) * right + 1))
    wide[::down, ::right] = values
    return wide


def pairs(case):
    """Every filter f with every channel c that it sees: (f, c, c within its group)."""
    F, channels = case.weight.shape[:2]
    for f in range(F):
        for c in range(channels):
            yield f, f // (F // case.groups) * channels + c, c


@settings(max_examples=100, deadline=None)
@given(convolutions())
def test_the_definition_is_scipys_correlation(case):
    window, (down, right) = case.window, case.window.stride
    y = np.zeros(case.dy.shape)
    for n, image in enumerate(case.x):
        for f, c, own in pairs(case):
            kernel = spread(case.weight[f, own], window.dilation)
            padded = np.pad(image[c], window.padding)
            y[n, f] += correlate2d(padded, kernel, "valid")[::down, ::right]
    np.testing.assert_allclose(
        loops.forward(case.x, case.weight, window, case.groups), y, rtol=1e-12, atol=1e-12
    )


@settings(max_examples=100, deadline=None)
@given(convolutions())
def test_the_definitions_gradients_are_scipys_convolution_and_correlation(case):
    window = case.window
    dx, dw = np.zeros(case.x.shape), np.zeros(case.weight.shape)
    (KH, KW), (PH, PW) = window.extent, window.padded_size
    for n, image in enumerate(case.x):
        for f, c, own in pairs(case):
            dense = np.zeros((PH - KH + 1, PW - KW + 1))  # what a stride of 1 would give
            gradient = spread(case.dy[n, f], window.stride)
            dense[: len(gradient), : gradient.shape[1]] = gradient
            kernel = spread(case.weight[f, own], window.dilation)
            dx[n, c] += convolve2d(dense, kernel, "full")[window.inner]
            taps = correlate2d(np.pad(image[c], window.padding), dense, "valid")
            dw[f, own] += taps[:: window.dilation[0], :: window.dilation[1]]
    ours = passes("loops", case)
    np.testing.assert_allclose(ours.dx, dx, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours.dw, dw, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FAST)
def test_every_algorithm_computes_the_definition(name):
    @settings(max_examples=100, deadline=None)
    @given(cases(name))
    def agrees(case):
        ours, definition = passes(name, case), passes("loops", case)
        for result in ("y", "dx", "dw"):
            np.testing.assert_allclose(
                getattr(ours, result), getattr(definition, result), rtol=1e-11, atol=1e-11
            )

    agrees()


@pytest.mark.parametrize("name", choose.names())
def test_both_gradients_are_adjoint_to_the_forward_pass(name):
    algorithm = choose.get(name)

    @settings(max_examples=30, deadline=None)
    @given(cases(name))
    def adjoint(case):
        x, weight, window, groups = case.x, case.weight, case.window, case.groups
        noise = 1e-14 * np.linalg.norm(x) * np.linalg.norm(weight) if name == "fft" else 0.0
        check_adjoint(
            lambda x: algorithm.forward(x, weight, window, groups),
            lambda dy: algorithm.input_gradient(dy, weight, window, groups),
            x,
            tolerance=1e-12,
            noise=noise,
        )
        check_adjoint(
            lambda weight: algorithm.forward(x, weight, window, groups),
            lambda dy: algorithm.weight_gradient(dy, x, window, groups),
            weight,
            tolerance=1e-12,
            noise=noise,
        )

    adjoint()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factor", [1.001, 0.999, 0.0, -1.0])
def test_the_adjoint_check_rejects_wrong_gradients(factor, dtype):
    source = np.random.default_rng(0)
    x = source.normal(size=(4, 3, 9, 8)).astype(dtype)
    weight = source.normal(size=(5, 3, 3, 3)).astype(dtype)
    window = Window.of((9, 8), 3, padding=1)
    for seed in range(10):
        with pytest.raises(AdjointError, match="they may differ by"):
            check_adjoint(
                lambda x: im2col.forward(x, weight, window, 1),
                lambda dy: dtype(factor) * im2col.input_gradient(dy, weight, window, 1),
                x,
                seed=seed,
            )
        check_adjoint(
            lambda x: im2col.forward(x, weight, window, 1),
            lambda dy: im2col.input_gradient(dy, weight, window, 1),
            x,
            seed=seed,
        )


def test_the_adjoint_check_rejects_a_gradient_of_another_shape():
    with pytest.raises(AdjointError, match=r"returns shape \(2,\), expected that of x, \(3,\)"):
        check_adjoint(lambda x: x[:2], lambda y: y, np.ones(3))


@pytest.mark.parametrize("name", choose.names())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_type_is_kept_the_batch_is_last_and_arguments_stay_as_they_are(name, dtype):
    @settings(max_examples=10, deadline=None)
    @given(cases(name))
    def holds(case):
        case = case.astype(dtype)
        before = [a.tobytes() for a in (case.x, case.weight, case.dy)]
        results = passes(name, case)
        assert [a.tobytes() for a in (case.x, case.weight, case.dy)] == before
        for result, argument in (
            (results.y, case.dy),
            (results.dx, case.x),
            (results.dw, case.weight),
        ):
            assert result.dtype == dtype
            assert result.shape == argument.shape
            assert result.flags.writeable
            assert not any(np.shares_memory(result, a) for a in (case.x, case.weight, case.dy))
        for result in (results.y, results.dx):
            assert len(result) == 1 or result.strides[0] == result.itemsize

    holds()


def test_no_images_give_no_outputs_and_a_zero_weight_gradient():
    window = Window.of((5, 4), 3, padding=1)
    x, weight, dy = np.empty((0, 2, 5, 4)), np.ones((3, 2, 3, 3)), np.empty((0, 3, 5, 4))
    for name in choose.names():
        algorithm = choose.get(name)
        assert algorithm.forward(x, weight, window, 1).shape == dy.shape
        assert algorithm.input_gradient(dy, weight, window, 1).shape == x.shape
        assert not algorithm.weight_gradient(dy, x, window, 1).any()


# im2col and col2im


def test_each_column_is_what_one_output_reads():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 6))
    window = Window.of((5, 6), (3, 2), stride=(2, 1), padding=((1, 0), (0, 2)))
    columns = im2col.im2col(x, window)
    (OH, OW), padded = window.output_size, np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2)))
    assert columns.shape == (3 * 3 * 2, OH * OW * 2)
    for oh in range(OH):
        for ow in range(OW):
            for n in range(2):
                read = padded[n, :, oh * 2 : oh * 2 + 3, ow : ow + 2]
                np.testing.assert_array_equal(columns[:, (oh * OW + ow) * 2 + n], read.ravel())


@settings(max_examples=50, deadline=None)
@given(convolutions())
def test_col2im_is_the_adjoint_of_im2col(case):
    check_adjoint(
        lambda x: im2col.im2col(x, case.window),
        lambda columns: im2col.col2im(columns, case.x.shape, case.window),
        case.x,
    )


# Winograd


@pytest.mark.parametrize("algorithm", [winograd.F2, winograd.F4])
def test_the_transforms_compute_a_correlation_of_one_row_exactly(algorithm):
    source = np.random.default_rng(0)
    d = source.integers(-9, 10, algorithm.m + 2) * 24.0  # 24·G is whole, so nothing is rounded
    g = source.integers(-9, 10, 3) * 24.0
    product = (algorithm.G @ g).round() * (algorithm.B_T @ d)
    np.testing.assert_array_equal(algorithm.A_T @ product, np.correlate(d, g, "valid"))


@pytest.mark.parametrize("name", ["winograd2", "winograd4"])
@pytest.mark.parametrize(
    "options",
    [{"kernel_size": 5}, {"kernel_size": (3, 1)}, {"stride": 2}, {"dilation": (1, 2)}],
    ids=str,
)
def test_winograd_says_what_it_cannot_do(name, options):
    window = Window.of((9, 9), **{"kernel_size": 3, **options})
    reason = choose.get(name).supports(window, 1)
    assert reason == "Winograd needs a 3×3 kernel, stride 1 and dilation 1"
    assert choose.get("im2col").supports(window, 1) is None
    assert choose.get("fft").supports(window, 1) is None
