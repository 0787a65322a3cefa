"""Normalisation: the definition, gradients, running statistics, what goes wrong elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pellucid as pl
from pellucid import engine, ops
from pellucid import layers as nn
from pellucid.errors import PellucidError, ShapeError
from pellucid.testing.gradients import check_gradients

EPS = 1e-5


def values(shape, seed=0):
    """Values whose channels have different means and variances."""
    generator = np.random.default_rng(seed)
    across = generator.uniform(0.5, 3.0, (1, shape[1], *(1,) * (len(shape) - 2)))
    return generator.normal(size=shape) * across + across


def batch_last(x):
    """The same images, the batch last in memory."""
    return x.transpose(1, 2, 3, 0).copy().transpose(3, 0, 1, 2)


def with_random_parameters(layer, dtype="float64"):
    """The layer with scales and shifts that differ from 1 and 0."""
    generator = np.random.default_rng(1)
    for parameter in layer.astype(dtype).parameters():
        parameter.value = generator.uniform(0.5, 2.0, parameter.shape)
    return layer


def train(layer, *batches):
    """One committed step for each batch; returns the last output."""
    for step, x in enumerate(batches):
        training = nn.StepContext(step=step)
        y, _ = layer.forward(x, training)
        training.commit()
    return y


def batch_norm(x):
    """The definition, channel by channel."""
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        y[:, c] = (x[:, c] - x[:, c].mean()) / np.sqrt(x[:, c].var() + EPS)
    return y


def group_norm(x, groups):
    """The definition, image by image and group by group."""
    y = np.empty_like(x)
    for n in range(len(x)):
        for channels in np.split(np.arange(x.shape[1]), groups):
            group = x[n, channels]
            y[n, channels] = (group - group.mean()) / np.sqrt(group.var() + EPS)
    return y


def local_response_norm(x, size, alpha, beta, k):
    """The definition, channel by channel."""
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(0, c - size // 2) : c + (size - 1) // 2 + 1]
        y[:, c] = x[:, c] / (k + alpha / size * (near**2).sum(axis=1)) ** beta
    return y


CASES = [
    (nn.BatchNorm1d(4), (6, 4), batch_norm),
    (nn.BatchNorm1d(4), (6, 4, 3), batch_norm),
    (nn.BatchNorm2d(4), (5, 4, 3, 2), batch_norm),
    (nn.GroupNorm(2, 4), (5, 4, 3, 2), lambda x: group_norm(x, 2)),
    (nn.GroupNorm(4, 4), (5, 4), lambda x: x * 0),
    (nn.GroupNorm(4, 4), (1, 4, 1, 1), lambda x: x * 0),
    (nn.InstanceNorm2d(4), (5, 4, 3, 2), lambda x: group_norm(x, 4)),
    (nn.LayerNorm((4, 3, 2)), (5, 4, 3, 2), lambda x: group_norm(x, 1)),
    (
        nn.LayerNorm(6),
        (5, 4, 6),
        lambda x: group_norm(x.reshape(20, 6), 1).reshape(x.shape),
    ),
    (nn.LocalResponseNorm(3), (5, 4, 3, 2), lambda x: local_response_norm(x, 3, 1e-4, 0.75, 1)),
    (
        nn.LocalResponseNorm(4, 0.5, 0.6, 2.0),
        (5, 7, 3, 2),
        lambda x: local_response_norm(x, 4, 0.5, 0.6, 2.0),
    ),
]


@pytest.mark.parametrize(("layer", "shape", "definition"), CASES)
def test_values_are_standardised_where_the_definition_says(layer, shape, definition):
    x = values(shape)
    y, _ = nn.build(layer.describe()).astype("float64").forward(x, nn.StepContext())
    np.testing.assert_allclose(y, definition(x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d(3), (4, 3)),
        (nn.BatchNorm1d(3), (4, 3, 2)),
        (nn.BatchNorm2d(3), (4, 3, 2, 5)),
        (nn.BatchNorm2d(3, affine=False), (4, 3, 2, 5)),
        (nn.BatchNorm2d(3, eps=0.5, track_running_stats=False), (4, 3, 2, 5)),
        (nn.LayerNorm((3, 2, 5)), (4, 3, 2, 5)),
        (nn.LayerNorm(5, bias=False), (4, 3, 2, 5)),
        (nn.LayerNorm((2, 5), elementwise_affine=False), (4, 3, 2, 5)),
        (nn.GroupNorm(3, 6), (4, 6, 2, 5)),
        (nn.GroupNorm(1, 6, affine=False), (4, 6, 2, 5)),
        (nn.InstanceNorm2d(3), (4, 3, 2, 5)),
        (nn.InstanceNorm2d(3, affine=True, track_running_stats=True), (4, 3, 2, 5)),
        (nn.LocalResponseNorm(3, alpha=0.7), (4, 5, 2, 3)),
        (nn.LocalResponseNorm(4, alpha=0.7, beta=0.5, k=2.0), (4, 5, 2, 3)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("training", [True, False])
def test_the_gradients_are_the_derivatives(layer, shape, training):
    layer = with_random_parameters(nn.build(layer.describe()))
    train(layer, values(shape, seed=3))
    check_gradients(layer, values(shape), training=training)


class TestBatchNorm:
    def test_statistics_are_per_channel_and_not_per_activation(self):
        x = values((64, 3, 5, 4))
        x[:, :, 0, 0] += 7  # a place that is always brighter must stay so
        y = train(nn.BatchNorm2d(3).astype("float64"), x)
        np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), np.zeros(3), atol=1e-12)
        np.testing.assert_allclose(y.var(axis=(0, 2, 3)), np.ones(3), rtol=1e-4)
        assert (y[:, :, 0, 0].mean(axis=0) > 1).all()

    def test_inference_uses_the_running_statistics_and_not_those_of_the_batch(self):
        layer = with_random_parameters(nn.BatchNorm2d(3))
        layer.running_mean.value[...] = [1, 2, 3]
        layer.running_var.value[...] = [4, 9, 16]
        x = values((2, 3, 5, 4))
        standardised = (x - np.reshape([1, 2, 3], (3, 1, 1))) / np.sqrt(
            np.reshape([4, 9, 16], (3, 1, 1)) + EPS
        )
        weight, bias = (p.value[:, None, None] for p in (layer.weight, layer.bias))
        np.testing.assert_allclose(layer(x), standardised * weight + bias, rtol=1e-12)
        layer.weight = layer.bias = None
        np.testing.assert_allclose(layer(x), standardised, rtol=1e-12)

    def test_in_inference_an_image_does_not_depend_on_the_others(self):
        layer = nn.BatchNorm2d(3)
        train(layer, values((8, 3, 5, 4)).astype(np.float32))
        x = values((6, 3, 5, 4), seed=1).astype(np.float32)
        np.testing.assert_allclose(layer(x)[:1], layer(x[:1]), rtol=1e-6)

    def test_inference_changes_nothing(self):
        layer = nn.BatchNorm2d(3)
        before = layer.state_dict()
        layer(np.ones((2, 3, 4, 4), np.float32))
        for name, value in layer.state_dict().items():
            np.testing.assert_array_equal(value, before[name])

    def test_running_statistics_follow_the_batches_with_the_unbiased_variance(self):
        layer = nn.BatchNorm2d(3, momentum=0.25).astype("float64")
        mean, var = np.zeros(3), np.ones(3)
        for seed in range(5):
            x = values((4, 3, 2, 2), seed)
            train(layer, x)
            mean = 0.75 * mean + 0.25 * x.mean(axis=(0, 2, 3))
            var = 0.75 * var + 0.25 * x.var(axis=(0, 2, 3), ddof=1)
        np.testing.assert_allclose(layer.running_mean.value, mean, rtol=1e-12)
        np.testing.assert_allclose(layer.running_var.value, var, rtol=1e-12)
        assert layer.num_batches_tracked.value == 5

    def test_without_momentum_they_are_the_means_over_all_batches(self):
        layer = nn.BatchNorm2d(3, momentum=None).astype("float64")
        batches = [values((4, 3, 2, 2), seed) for seed in range(5)]
        train(layer, *batches)
        means = [x.mean(axis=(0, 2, 3)) for x in batches]
        np.testing.assert_allclose(layer.running_mean.value, np.mean(means, axis=0), rtol=1e-12)

    def test_a_step_that_is_not_committed_leaves_them_alone(self):
        layer = nn.BatchNorm2d(3)
        before = layer.state_dict()
        layer.forward(values((4, 3, 2, 2)).astype(np.float32), nn.StepContext())
        for name, value in layer.state_dict().items():
            np.testing.assert_array_equal(value, before[name])

    def test_a_step_is_committed_once(self):
        layer = nn.BatchNorm2d(3)
        training = nn.StepContext()
        layer.forward(values((4, 3, 2, 2)).astype(np.float32), training)
        training.commit()
        after = layer.state_dict()
        training.commit()
        layer.running_mean.value = np.zeros(3, np.float32)
        training.commit()
        assert layer.num_batches_tracked.value == after["num_batches_tracked"] == 1
        np.testing.assert_array_equal(layer.running_mean.value, np.zeros(3))

    def test_a_layer_used_twice_in_a_step_counts_twice(self):
        first, second = values((4, 3, 2, 2)), values((4, 3, 2, 2), seed=1)
        once_each, twice = nn.BatchNorm2d(3).astype("float64"), nn.BatchNorm2d(3).astype("float64")
        train(once_each, first, second)
        training = nn.StepContext()
        twice.forward(first, training)
        twice.forward(second, training)
        training.commit()
        for name, value in once_each.state_dict().items():
            np.testing.assert_array_equal(twice.state_dict()[name], value)
        assert twice.num_batches_tracked.value == 2

    def test_names_shapes_and_types_of_the_state_are_pytorchs(self):
        state = {k: (v.shape, str(v.dtype)) for k, v in nn.BatchNorm2d(3).state_dict().items()}
        assert state == {
            "weight": ((3,), "float32"),
            "bias": ((3,), "float32"),
            "running_mean": ((3,), "float32"),
            "running_var": ((3,), "float32"),
            "num_batches_tracked": ((), "int64"),
        }
        assert nn.BatchNorm2d(3, affine=False, track_running_stats=False).state_dict() == {}

    def test_the_state_keeps_its_types_and_can_be_loaded_after_training(self):
        layer, other = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        train(layer, values((4, 3, 2, 2)).astype(np.float32))
        other.load_state_dict(layer.state_dict())
        train(other, values((4, 3, 2, 2)).astype(np.float32))
        other.load_state_dict(layer.state_dict())
        for name, value in layer.state_dict().items():
            np.testing.assert_array_equal(other.state_dict()[name], value)
            assert other.state_dict()[name].dtype == nn.BatchNorm2d(3).state_dict()[name].dtype

    @pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1)])
    def test_a_batch_of_one_value_has_no_statistics(self, shape):
        with pytest.raises(ShapeError, match=r"more than one value per channel.*larger batch"):
            nn.BatchNorm1d(3).forward(np.ones(shape, np.float32), nn.StepContext())
        assert nn.BatchNorm1d(3)(np.ones(shape, np.float32)).shape == shape

    def test_so_says_a_fused_block_too(self):
        block = pl.fuse(nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.ReLU()))
        with pytest.raises(ShapeError, match=r"more than one value per channel.*larger batch"):
            block.forward(np.ones((1, 2, 1, 1), np.float32), nn.StepContext())

    def test_without_running_statistics_the_batchs_own_serve_in_inference_too(self):
        x = values((4, 3, 2, 2))
        layer = nn.BatchNorm2d(3, track_running_stats=False).astype("float64")
        np.testing.assert_allclose(layer(x), batch_norm(x), rtol=1e-9)

    def test_scales_and_shifts_are_of_the_kind_that_decay_can_leave_out(self):
        for layer in (nn.BatchNorm2d(3), nn.GroupNorm(1, 3), nn.LayerNorm(3)):
            assert {p.kind for p in layer.parameters()} == {"norm"}


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.integers(1, 5)] * 4), st.integers(0, 99))
def test_a_shift_or_a_scale_of_all_values_has_no_gradient(shape, seed):
    """y stays when x is shifted or scaled as a whole, so dx is orthogonal to 1 and to x."""
    N, C, H, W = shape
    x = values((N, C, H, W + 1), seed)
    generator = np.random.default_rng(seed)
    for layer, axes in (
        (nn.BatchNorm2d(C, eps=0.0), (0, 2, 3)),
        (nn.InstanceNorm2d(C, eps=0.0), (2, 3)),
        (nn.LayerNorm(x.shape[1:], eps=0.0), (1, 2, 3)),
    ):
        _, cache = layer.astype("float64").forward(x, nn.StepContext())
        dx = layer.backward(generator.normal(size=x.shape), cache)
        size = np.abs(dx).sum(axis=axes) + 1e-3
        np.testing.assert_array_less(np.abs(dx.sum(axis=axes)), 1e-9 * size)
        np.testing.assert_array_less(np.abs((dx * x).sum(axis=axes)), 1e-8 * size)


class TestInstanceNorm:
    def test_running_statistics_follow_the_means_over_the_images(self):
        x = values((4, 3, 2, 5))
        layer = nn.InstanceNorm2d(3, track_running_stats=True).astype("float64")
        train(layer, x)
        np.testing.assert_allclose(layer.running_mean.value, 0.1 * x.mean(axis=(0, 2, 3)))
        unbiased = x.var(axis=(2, 3), ddof=1).mean(axis=0)
        np.testing.assert_allclose(layer.running_var.value, 0.9 + 0.1 * unbiased)
        assert layer.num_batches_tracked.value == 0

    def test_without_them_training_and_inference_are_the_same(self):
        x, layer = values((4, 3, 2, 5)), nn.InstanceNorm2d(3)
        np.testing.assert_array_equal(layer(x), train(layer, x))

    def test_one_pixel_has_no_statistics(self):
        with pytest.raises(ShapeError, match="more than one pixel"):
            nn.InstanceNorm2d(3)(np.ones((4, 3, 1, 1)))


FLOAT32 = [
    nn.BatchNorm2d(8),
    nn.InstanceNorm2d(8, affine=True),
    nn.GroupNorm(2, 8),
    nn.LayerNorm((8, 24, 24)),
]


@pytest.mark.parametrize("layer", FLOAT32, ids=repr)
@pytest.mark.parametrize("mean", [0.0, 1e2, 1e4])
@pytest.mark.parametrize("name", engine.NAMES)
def test_single_precision_is_exact_even_where_the_mean_is_large(layer, mean, name):
    """Each result is as near to the exact one for the same x as its own last digits allow."""
    generator = np.random.default_rng(0)
    x = (generator.normal(size=(16, 8, 24, 24)) + mean).astype(np.float32)
    # a gradient that is large, all of it and along x: what rounding took from the mean counts there
    dy = (generator.normal(size=x.shape) + 3 * (x - mean) + 1).astype(np.float32)
    results = []
    for dtype in ("float32", "float64"):
        layer = with_random_parameters(nn.build(layer.describe()), dtype)
        with engine.using(name):
            y, cache = layer.forward(batch_last(x.astype(dtype)), nn.StepContext())
            dx = layer.backward(batch_last(dy.astype(dtype)), cache)
        results.append((y, dx, *(p.grad for p in layer.parameters())))
    for single, double in zip(*results, strict=True):
        assert single.dtype == np.float32
        assert np.abs(single - double).max() < 5e-6 * np.abs(double).max()


def test_running_statistics_are_exact_where_the_mean_is_large():
    x = (np.random.default_rng(0).normal(size=(64, 2, 32, 32)) + 1e4).astype(np.float32)
    layer = nn.BatchNorm2d(2, momentum=1.0)
    train(layer, x)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(layer.running_mean.value, exact.mean(axis=(0, 2, 3)), rtol=1e-7)
    np.testing.assert_allclose(
        layer.running_var.value, exact.var(axis=(0, 2, 3), ddof=1), rtol=1e-6
    )


@pytest.mark.parametrize("name", engine.NAMES)
def test_a_channel_that_never_changes_has_no_negative_variance(name):
    """Rounding alone could make it one, and 1/√(var + ε) no number."""
    constants = np.random.default_rng(0).uniform(1e5, 1e6, 400).astype(np.float32)
    layer = nn.BatchNorm2d(400, eps=1e-12, momentum=1.0)
    x = batch_last(np.ones((6, 400, 5, 3), np.float32) * constants[:, None, None])
    with engine.using(name):
        y = train(layer, x)
    assert np.isfinite(y).all()
    assert (layer.running_var.value >= 0).all()


def test_the_mean_of_a_batch_is_exact_to_the_last_digit_of_single_precision():
    x = (np.random.default_rng(0).normal(size=(64, 100, 8, 8)) + 1e4).astype(np.float32)
    _, mean, _, _ = ops.batch_norm_training(x)
    exact = x.astype(np.float64).mean(axis=(0, 2, 3))
    assert np.abs(mean - exact).max() <= np.spacing(np.float32(1e4))


LAYERS = [
    *FLOAT32,
    nn.BatchNorm2d(8, affine=False),
    nn.LayerNorm(24, elementwise_affine=False),
    nn.LocalResponseNorm(5),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_results_have_the_batch_last_in_memory_and_the_inputs_type(layer):
    x = batch_last(values((5, 8, 24, 24)).astype(np.float32))
    x.flags.writeable = False
    for training in (nn.StepContext(), None):
        y, cache = layer.forward(x, training)
        for result in (y, layer.backward(y, cache)):
            assert result.dtype == np.float32
            assert result.transpose(1, 2, 3, 0).flags.c_contiguous


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_the_order_in_memory_and_what_becomes_of_y_have_no_meaning(layer):
    x = values((5, 8, 24, 24))
    dy = np.random.default_rng(2).normal(size=x.shape)
    y, cache = layer.forward(x, nn.StepContext())
    expected = y.copy(), layer.backward(dy, cache)
    for order in (batch_last(x), np.asfortranarray(x)):
        y, cache = layer.forward(order, nn.StepContext())
        np.testing.assert_allclose(y, expected[0], rtol=1e-9, atol=1e-12)
        y[...] = np.nan  # the caller may do so: the gradient must not read it
        dx = layer.backward(np.asfortranarray(dy), cache)
        np.testing.assert_allclose(dx, expected[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_in_inference_a_batch_may_be_empty(layer):
    assert layer(np.zeros((0, 8, 24, 24), np.float32)).shape == (0, 8, 24, 24)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.BatchNorm2d(3).output_shape((4, 5, 2, 2)), r"\(N, 3, H, W\), got \(4, 5, 2, 2"),
        (lambda: nn.BatchNorm2d(3)(np.ones((4, 3))), r"BatchNorm2d expects images.*got \(4, 3\)"),
        (lambda: nn.BatchNorm1d(3)(np.ones((4, 3, 2, 2))), r"\(N, 3\) or \(N, 3, L\), got"),
        (lambda: nn.InstanceNorm2d(3)(np.ones((4, 2, 2, 2))), "InstanceNorm2d expects images"),
        (lambda: nn.GroupNorm(2, 4)(np.ones((4, 6, 2, 2))), r"\(N, 4, …\), got \(4, 6, 2, 2\)"),
        (lambda: nn.LayerNorm((3, 2))(np.ones((4, 3, 3))), r"\(N, …, 3, 2\), got \(4, 3, 3\)"),
        (lambda: nn.LayerNorm(3)(np.ones(3)), r"\(N, …, 3\), got \(3,\)"),
        (lambda: nn.LocalResponseNorm(3)(np.ones((4, 3))), r"images \(N, C, …\), got \(4, 3\)"),
        (lambda: nn.BatchNorm2d(0), "num_features must be an integer of at least 1"),
        (lambda: nn.BatchNorm2d(3, eps=-1.0), "eps must be a number of at least 0"),
        (
            lambda: nn.BatchNorm2d(3, momentum=1.5),
            "must be a number from 0 to 1 or None, not 1.5",
        ),
        (lambda: nn.GroupNorm(3, 4), "must divide num_channels, not 3 groups of 4 channels"),
        (lambda: nn.GroupNorm(2, 4, eps=-1.0), "eps must be a number of at least 0"),
        (lambda: nn.LayerNorm(()), "normalized_shape of at least one axis"),
        (lambda: nn.LayerNorm((3, 0)), "each an integer of at least 1"),
        (lambda: nn.LocalResponseNorm(0), "size must be an integer of at least 1"),
        (lambda: ops.group_norm(np.ones((2, 4)), 3), "3 groups do not divide the 4 channels"),
        (lambda: ops.batch_norm_training(np.ones(4)), r"\(N, C, …\), got \(4,\)"),
        (lambda: ops.batch_norm_training(np.ones((2, 4)), np.ones(3)), r"shape \(4,\).*got \(3,\)"),
        (lambda: ops.layer_norm(np.ones((2, 4)), (3,)), "with these last axes, got"),
        (lambda: nn.LayerNorm(4)(np.ones((2, 4), int)), "layer_norm expects floating-point"),
        (
            lambda: nn.BatchNorm1d(4)(np.ones((2, 4), int)),
            "batch_norm expects floating-point",
        ),
        (lambda: ops.local_response_norm(np.ones((2, 4)), 0), "size must be at least 1"),
    ],
)
def test_what_does_not_fit_is_said(make, said):
    with pytest.raises(PellucidError, match=said):
        make()
