"""Pooling agrees with PyTorch's, for generated geometries, ties and padding included."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pellucid as pl
from pellucid import engine
from pellucid import layers as nn
from pellucid.errors import ShapeError
from twins import assert_twins_agree


def images(size, seed, ties=True):
    """Images with H ≠ W in general, whose few different values make many ties."""
    generator = np.random.default_rng(seed)
    shape = (2, 3, *size)
    return generator.integers(-3, 3, shape).astype(float) if ties else generator.normal(size=shape)


@st.composite
def windows(draw, dilations=(1,)):
    """The arguments of a pooling layer, and a size of images."""
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.none() | st.tuples(st.integers(1, 5), st.integers(1, 5)))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    dilation = draw(st.sampled_from(dilations)), draw(st.sampled_from(dilations))
    for side, k, p, d in zip(size, kernel, padding, dilation, strict=True):
        assume(side + 2 * p >= d * (k - 1) + 1)
    arguments = {"kernel_size": kernel, "stride": stride, "padding": padding}
    arguments["ceil_mode"] = draw(st.booleans())
    return size, arguments, dilation


@settings(max_examples=150, deadline=None)
@given(windows(dilations=(1, 1, 2, 3)), st.integers(0, 99))
def test_max_pooling_agrees(case, seed):
    size, arguments, dilation = case
    arguments["dilation"] = dilation
    ours, theirs, x = nn.MaxPool2d(**arguments), torch.nn.MaxPool2d(**arguments), images(size, seed)
    # where a dilated window misses the image wholly, PyTorch's gradient lands at another image
    assume(np.isfinite(ours(x)).all())
    assert_twins_agree(ours, theirs, x, seed=seed)


# Each is a geometry whose outputs times the kernel give the image's side: PADDED has windows that
# lie side by side but begin in the padding.
PADDED = [(9, 3, 1), (8, 4, 1), (10, 5, 2), (14, 7, 3), ((6, 9), (2, 3), (0, 1))]


@pytest.mark.parametrize("engine_name", engine.NAMES)
@pytest.mark.parametrize("chain", ["pool", "relu pool", "norm pool", "norm relu pool"])
@pytest.mark.parametrize(("side", "kernel", "padding"), [*PADDED, (4, 2, 1), (6, 2, 0), (7, 3, 0)])
def test_max_pooling_after_a_convolution_agrees_fused_or_not(
    side, kernel, padding, chain, engine_name
):
    size = (side, side) if isinstance(side, int) else side
    x = images(size, 0, ties=False).astype(np.float32)
    pools = [library.MaxPool2d(kernel, padding=padding) for library in (nn, torch.nn)]
    steps = [
        {"pool": pool, "relu": library.ReLU(), "norm": library.BatchNorm2d(4)}
        for library, pool in zip((nn, torch.nn), pools, strict=True)
    ]
    model = nn.Sequential(nn.Conv2d(3, 4, 1), *(steps[0][step] for step in chain.split()))
    twin = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 1), *(steps[1][step] for step in chain.split())
    ).double()
    twin.load_state_dict({name: torch.tensor(v) for name, v in model.state_dict().items()})
    inner = torch.tensor(x.astype(float), requires_grad=True)
    expected = twin(inner)
    dy = images(expected.shape[2:], 1, ties=False)[:, :1] * np.ones((1, 4, 1, 1))
    expected.backward(torch.tensor(dy))

    with engine.using(engine_name):
        for run in (model, pl.fuse(model)):
            model.zero_grad()
            y, cache = run.forward(x, nn.StepContext())
            dx = run.backward(dy.astype(np.float32), cache)
            np.testing.assert_allclose(y, expected.detach(), rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(dx, inner.grad, rtol=1e-4, atol=1e-5)
            for name, parameter in twin.named_parameters():
                found = model.named_parameters()[name].grad
                np.testing.assert_allclose(found, parameter.grad, rtol=1e-4, atol=1e-4)


@settings(max_examples=150, deadline=None)
@given(windows(), st.booleans(), st.integers(0, 99))
def test_average_pooling_agrees(case, count_include_pad, seed):
    size, arguments, _ = case
    arguments["count_include_pad"] = count_include_pad
    ours, theirs = nn.AvgPool2d(**arguments), torch.nn.AvgPool2d(**arguments)
    assert_twins_agree(ours, theirs, images(size, seed, ties=False), seed=seed)


sides = st.integers(1, 9)


@settings(max_examples=80, deadline=None)
@given(st.tuples(sides, sides), st.tuples(st.none() | sides, st.none() | sides), st.integers(0, 99))
def test_adaptive_pooling_agrees(size, output_size, seed):
    for ours, theirs, x in (
        (nn.AdaptiveAvgPool2d, torch.nn.AdaptiveAvgPool2d, images(size, seed, ties=False)),
        (nn.AdaptiveMaxPool2d, torch.nn.AdaptiveMaxPool2d, images(size, seed)),
    ):
        assert_twins_agree(ours(output_size), theirs(output_size), x, seed=seed)


def test_global_average_pooling_is_adaptive_pooling_to_one():
    x = images((5, 7), 0, ties=False)
    assert_twins_agree(nn.GlobalAvgPool2d(), torch.nn.AdaptiveAvgPool2d(1), x)


@pytest.mark.parametrize(
    "name", ["MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d"]
)
def test_single_precision_stays_and_agrees(name):
    x = images((8, 6), 0, ties=False).astype(np.float32)
    assert_twins_agree(getattr(nn, name)(3), getattr(torch.nn, name)(3), x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (nn.MaxPool2d(3, 2, 1), torch.nn.MaxPool2d(3, 2, 1)),
        (nn.AvgPool2d(3, 2, 1), torch.nn.AvgPool2d(3, 2, 1)),
        (nn.AdaptiveMaxPool2d(3), torch.nn.AdaptiveMaxPool2d(3)),
    ],
)
def test_a_value_that_is_not_finite_reaches_the_same_outputs(ours, theirs, value):
    x = images((6, 7), 1)
    x[0, 0, 2, 3] = x[1, 1, 0, 0] = x[1, 2, 5, 6] = value
    x[0, 1] = value
    np.testing.assert_array_equal(ours(x), theirs(torch.tensor(x)).numpy())


def test_among_values_of_minus_infinity_the_gradient_goes_to_the_same_one():
    x = np.full((1, 1, 5, 5), -np.inf)
    for arguments in ((3, 2, 1), (2, 2, 1), (3, 1, 1)):
        assert_twins_agree(nn.MaxPool2d(*arguments), torch.nn.MaxPool2d(*arguments), x)


@pytest.mark.parametrize("arguments", [(2, 1, 2), (3, 2, 2), (5, 1, (2, 3))])
def test_both_refuse_padding_of_more_than_half_the_kernel(arguments):
    for name in ("MaxPool2d", "AvgPool2d"):
        with pytest.raises(RuntimeError, match="half of"):
            getattr(torch.nn, name)(*arguments)(torch.ones(1, 1, 9, 9))
        with pytest.raises(ShapeError, match="more than half of the kernel"):
            getattr(nn, name)(*arguments)
