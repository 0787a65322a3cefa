"""What every operation refuses: arrays of the wrong type or shape, in terms of the operation."""

from contextlib import suppress

import numpy as np
import pytest

from pellucid import ops
from pellucid.errors import PellucidError

generator = np.random.default_rng(0)


def drawn(*shape):
    return generator.uniform(0.1, 0.9, shape)


X, DY, INDICES = drawn(2, 4, 6, 6), drawn(2, 4, 3, 3), np.zeros((2, 4, 3, 3), int)
CHANNELS = drawn(4)
POINTWISE = {
    *("elu", "erf", "gelu", "hardswish", "leaky_relu", "log_softmax", "relu", "relu6", "selu"),
    *("sigmoid", "silu", "softmax", "softplus", "tanh"),
}
NORMED = ops.batch_norm_training(X)[3], ops.group_norm(X, 2)[3], ops.layer_norm(X, (6,))[1]
CALLS = {
    **dict.fromkeys(POINTWISE, (X,)),
    **{f"{name}_gradient": (X, X) for name in POINTWISE - {"erf"}},
    "prelu": (X, CHANNELS),
    "prelu_input_gradient": (X, X, CHANNELS),
    "prelu_weight_gradient": (X, X, CHANNELS),
    "linear": (drawn(3, 5), drawn(2, 5), drawn(2)),
    "linear_input_gradient": (drawn(3, 2), drawn(2, 5)),
    "linear_weight_gradient": (drawn(3, 2), drawn(3, 5)),
    "linear_bias_gradient": (drawn(3, 2),),
    "conv2d": (X, drawn(3, 4, 3, 3), drawn(3)),
    "conv2d_input_gradient": (drawn(2, 3, 4, 4), drawn(3, 4, 3, 3), X.shape),
    "conv2d_weight_gradient": (drawn(2, 3, 4, 4), X, (3, 4, 3, 3)),
    "conv2d_bias_gradient": (DY,),
    "conv_transpose2d": (X, drawn(4, 3, 3, 3), drawn(3)),
    "conv_transpose2d_input_gradient": (drawn(2, 3, 8, 8), drawn(4, 3, 3, 3), X.shape),
    "conv_transpose2d_weight_gradient": (drawn(2, 3, 8, 8), X, (4, 3, 3, 3)),
    "conv_transpose2d_bias_gradient": (DY,),
    "max_pool2d": (X, 2),
    "max_pool2d_gradient": (DY, INDICES, X.shape, 2),
    "avg_pool2d": (X, 2),
    "avg_pool2d_gradient": (DY, X.shape, 2),
    "adaptive_max_pool2d": (X, 3),
    "adaptive_max_pool2d_gradient": (DY, INDICES, X.shape),
    "adaptive_avg_pool2d": (X, 3),
    "adaptive_avg_pool2d_gradient": (DY, X.shape),
    "upsample2d": (X, 12),
    "upsample2d_gradient": (drawn(2, 4, 12, 12), X.shape, 12),
    "pad2d": (X, 1),
    "pad2d_gradient": (drawn(2, 4, 8, 8), X.shape, 1),
    "batch_norm": (X, CHANNELS, CHANNELS, CHANNELS, CHANNELS),
    "batch_norm_training": (X, CHANNELS, CHANNELS),
    "batch_norm_gradient": (X, NORMED[0], CHANNELS),
    "batch_norm_inference_gradient": (X, X, CHANNELS, CHANNELS, CHANNELS),
    "group_norm": (X, 2, CHANNELS, CHANNELS),
    "group_norm_gradient": (X, NORMED[1], CHANNELS),
    "layer_norm": (X, (6,), drawn(6), drawn(6)),
    "layer_norm_gradient": (X, NORMED[2], drawn(6)),
    "local_response_norm": (X, 3),
    "local_response_norm_gradient": (X, X, X, 3),
    "dropout": (X, X, 0.5),
    "cross_entropy": (drawn(3, 4), np.array([0, 1, 2]), drawn(3)),
    "mean_squared_error": (drawn(3, 4), drawn(3, 4), drawn(3)),
    "binary_cross_entropy": (drawn(3, 4), drawn(3, 4), drawn(3)),
}
NO_SUMS = {"add_to", "concatenate", "flatten", "make_batch", "running_statistics", "split", "total"}
ANY_TYPE = NO_SUMS | {"unflatten"}
"""These move or add what they are given, whatever its type."""

EXACT = {"linear", "linear_input_gradient", "linear_weight_gradient", "linear_bias_gradient"}
EXACT |= {"pad2d", "pad2d_gradient"}
"""Sums and products, which integers have too."""

SUMS = {"conv2d_bias_gradient", "conv_transpose2d_bias_gradient", "linear_bias_gradient"}
ANY_SIZE = {
    *((name, 0, axis) for name in SUMS for axis in range(4)),
    ("conv2d", 1, 2), ("conv2d", 1, 3), ("conv_transpose2d", 1, 2), ("conv_transpose2d", 1, 3),
    ("linear_input_gradient", 0, 0), ("linear_input_gradient", 1, 1),
    ("linear_weight_gradient", 0, 1), ("linear_weight_gradient", 1, 1),
    ("adaptive_avg_pool2d_gradient", 0, 2), ("adaptive_avg_pool2d_gradient", 0, 3),
}  # fmt: skip
"""Axes that may have any size: the result has it too, or sums over it."""
ONE_FOR_ALL = {
    *(("dropout", 1, axis) for axis in range(4)),
    *(("prelu", 1, 0), ("prelu_input_gradient", 2, 0), ("prelu_weight_gradient", 2, 0)),
}
"""Axes along which one number may stand for all."""


def test_every_operation_is_here():
    assert CALLS.keys() | ANY_TYPE == set(dir(ops))


@pytest.mark.parametrize("name", CALLS)
def test_it_accepts_this(name):
    getattr(ops, name)(*CALLS[name])


@pytest.mark.parametrize("name", sorted(CALLS.keys() - EXACT))
def test_the_first_array_must_hold_floats(name):
    first, *others = CALLS[name]
    with pytest.raises(PellucidError, match=r"floating-point numbers, got int64"):
        getattr(ops, name)((10 * first).astype(int), *others)


def of_other_size():
    """Yield calls with one array twice as long along an axis, or of length one."""
    for name, given in CALLS.items():
        for i, value in enumerate(given):
            fits = i > 0 or name.endswith("_gradient")  # x alone fits itself
            for axis, size in enumerate(
                value.shape if isinstance(value, np.ndarray) and fits else ()
            ):
                if (name, i, axis) not in ANY_SIZE:
                    yield name, i, axis, 2 * size
                    if size > 1 and (name, i, axis) not in ONE_FOR_ALL:
                        yield name, i, axis, 1


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "position", "axis", "size"), list(of_other_size()))
def test_an_array_of_another_size_is_refused(name, position, axis, size, dtype):
    floats = [getattr(value, "dtype", None) == np.float64 for value in CALLS[name]]
    given = [v.astype(dtype) if f else v for v, f in zip(CALLS[name], floats, strict=True)]
    given[position] = given[position].take(np.arange(size) % given[position].shape[axis], axis)
    with pytest.raises(PellucidError):
        getattr(ops, name)(*given)


@pytest.mark.parametrize("of", ["max_pool2d_gradient", "adaptive_max_pool2d_gradient"])
def test_a_gradient_and_positions_that_fit_each_other_must_fit_the_images_too(of):
    dy, indices, *others = CALLS[of]
    with pytest.raises(PellucidError, match=f"{of} expects dy of shape"):
        getattr(ops, of)(dy[:, :2], indices[:, :2], *others)


@pytest.mark.parametrize("of", ["batch_norm", "batch_norm_training", "group_norm"])
def test_values_for_each_channel_are_expected_as_one_axis(of):
    x, *others = CALLS[of]
    others[-1] = others[-1][:3]
    said = rf"{of.removesuffix('_training')} expects \w+ of shape \(4,\), got \(3,\)"
    with pytest.raises(PellucidError, match=said):
        getattr(ops, of)(x, *others)


def changed(value):
    """Yield arrays or shapes with another size, empty, or with an axis more or less."""
    if isinstance(value, np.ndarray):
        for axis in range(value.ndim):
            yield from (value.take(where, axis) for where in ([], [0], [0, 0, 0]))
        yield from (value[None], value[0], np.asarray(value.flat[0]))
    elif isinstance(value, tuple):
        for axis in range(len(value)):
            yield from ((*value[:axis], size, *value[axis + 1 :]) for size in (0, 1, 7))
        yield from ((1, *value), value[1:], ())


@pytest.mark.parametrize("name", CALLS)
def test_whatever_does_not_fit_is_an_error_of_the_library(name):
    """NumPy's own errors speak of arrays that only the operation knows."""
    for position, value in enumerate(CALLS[name]):
        for other in changed(value) if not isinstance(value, ops.normalization.Kept) else ():
            given = [*CALLS[name][:position], other, *CALLS[name][position + 1 :]]
            with suppress(PellucidError):
                getattr(ops, name)(*given)


@pytest.mark.parametrize(
    ("name", "count"), [("max_pool2d_gradient", 4), ("adaptive_max_pool2d_gradient", 36)]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_positions_of_maxima_lie_where_a_maximum_can_be(name, count, dtype):
    """PyTorch's positions in the image, for example, are none in a window."""
    dy, _, *others = CALLS[name]
    for allowed in (0, count - 1):
        getattr(ops, name)(dy.astype(dtype), INDICES + allowed, *others)
    for wrong in (-1, count, count + 256):
        for indices in (INDICES + wrong, np.where(np.arange(3) == 1, wrong, INDICES)):
            with pytest.raises(PellucidError, match=f"indices from 0 to {count - 1}, got"):
                getattr(ops, name)(dy.astype(dtype), indices, *others)
    with pytest.raises(PellucidError, match=r"expects indices from 0 to \d+, got float64"):
        getattr(ops, name)(dy.astype(dtype), INDICES.astype(float), *others)


@pytest.mark.parametrize("kind", ["batch", "group", "layer"])
def test_a_normalisation_needs_the_cache_of_its_forward_pass(kind):
    with pytest.raises(PellucidError, match="the cache that the forward pass returned, not tuple"):
        getattr(ops, f"{kind}_norm_gradient")(X, ())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ops.conv2d(X, drawn(3, 4, 3, 3), groups=1.5), "conv2d needs groups as an"),
        (
            lambda: ops.conv_transpose2d(X, drawn(4, 3, 3, 3), groups=1.5),
            "conv_transpose2d needs groups as an",
        ),
        (lambda: ops.group_norm(X, 1.5), "group_norm needs num_groups as an"),
        (lambda: ops.local_response_norm(X, 1.5), "local_response_norm needs size as an"),
        (
            lambda: ops.local_response_norm_gradient(X, X, X, 1.5),
            "local_response_norm_gradient needs size as an",
        ),
    ],
)
def test_what_has_to_be_an_integer_is_named(call, said):
    with pytest.raises(PellucidError, match=f"{said} integer, not 1.5"):
        call()
