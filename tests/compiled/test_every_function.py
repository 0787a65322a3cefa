"""Every function of the compiled engine gives the reference engine's float64 result, rounded.

A function without a row fails, and so does each row if one of its results is a thousandth off.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from kernels import close, images, numbers
from pellucid import compiled, reference
from pellucid.contract import Convolution, Engine
from pellucid.geometry import Window

N = 20
"""Number of images: more than a vector register has lanes, and not a multiple of them."""

WINDOW = Window.of((6, 5), (3, 2), stride=(1, 2), padding=((1, 0), (0, 1)))
POOL = Window.of((6, 5), 2, stride=2, padding=1)
CONV = Convolution((N, 4, 6, 5), (6, 2, 3, 2), WINDOW, groups=2)
X, DY = images(CONV.input_shape), images((N, 6, *WINDOW.output_size), 1)
W, B = numbers(CONV.weight_shape, 2), numbers(6, 3)
FLAT, ROWS, DENSE = numbers((N, 12), 4), numbers((N, 7), 5), numbers((7, 12), 6)
SCALE, SHIFT, MEAN, VAR = (abs(numbers(4, seed)) + 0.5 for seed in (7, 8, 9, 10))
PROBABILITIES = abs(numbers((N, 7), 11)) / 7
FACTORS = abs(numbers((N, 1, 1, 1), 14)) / 10
PIXELS = np.random.default_rng(0).integers(0, 256, (9, 3, 4, 5), np.uint8)
ACTIVATIONS: list[tuple[Any, ...]] = [
    *(("relu6",), ("leaky_relu", 0.1), ("elu", 0.7), ("selu",), ("gelu", "none"), ("gelu", "tanh")),
    *(("sigmoid",), ("tanh",), ("silu",), ("hardswish",), ("softplus", 2.0, 3.0)),
]

Run = Callable[[Any, Callable[[np.ndarray], np.ndarray]], Any]


def norm_gradient(e: Any, of: Any) -> Any:
    _, _, _, cache = e.batch_norm_training(of(X), of(SCALE), of(SHIFT), 1e-5)
    return e.batch_norm_gradient(of(X[::-1]), cache, of(SCALE))


def pool_gradient(e: Any, of: Any) -> Any:
    y, indices = e.max_pool2d(of(X), POOL)
    return e.max_pool2d_gradient(of(numbers(y.shape, 12)), indices, POOL)


def updated(name: str, **options: Any) -> Run:
    def run(e: Any, of: Any) -> Any:
        values, gradients = [of(W.copy()), of(B.copy())], [of(W[::-1].copy()), of(B[::-1].copy())]
        buffers = ("momentum",) if name == "sgd" else ("exp_avg", "exp_avg_sq")
        state = {buffer: [of(abs(W)), of(abs(B))] for buffer in buffers}
        getattr(e, name)(values, gradients, state, (0.1, 0.0), lr=0.3, **options)
        return [*values, *(array for arrays in state.values() for array in arrays)]

    return run


ROWS_OF: dict[str, Run] = {
    "conv2d_algorithm": lambda e, of: np.array(len(e.conv2d_algorithm(CONV)) > 0),
    "conv2d": lambda e, of: e.conv2d(of(X), of(W), of(B), CONV),
    "conv2d_input_gradient": lambda e, of: e.conv2d_input_gradient(of(DY), of(W), CONV),
    "conv2d_weight_gradient": lambda e, of: e.conv2d_weight_gradient(of(DY), of(X), CONV),
    "conv2d_bias_gradient": lambda e, of: e.conv2d_bias_gradient(of(DY)),
    "linear": lambda e, of: e.linear(of(FLAT), of(DENSE), of(numbers(7, 13))),
    "linear_input_gradient": lambda e, of: e.linear_input_gradient(of(ROWS), of(DENSE)),
    "linear_weight_gradient": lambda e, of: e.linear_weight_gradient(of(ROWS), of(FLAT)),
    "linear_bias_gradient": lambda e, of: e.linear_bias_gradient(of(ROWS)),
    "activate": lambda e, of: [e.activate(f, of(X), *given) for f, *given in ACTIVATIONS],
    "activate_gradient": lambda e, of: [
        e.activate_gradient(f, of(X[::-1]), of(X), *given) for f, *given in ACTIVATIONS
    ],
    "relu": lambda e, of: e.relu(of(X)),
    "relu_gradient": lambda e, of: e.relu_gradient(of(X[::-1]), of(X)),
    "batch_norm": lambda e, of: e.batch_norm(of(X), of(SCALE), of(SHIFT), of(MEAN), of(VAR), 1e-5),
    "batch_norm_training": lambda e, of: e.batch_norm_training(of(X), of(SCALE), of(SHIFT), 1e-5)[
        :3
    ],
    "batch_norm_gradient": norm_gradient,
    "group_norm": lambda e, of: e.group_norm(of(X), 2, of(SCALE), of(SHIFT), 1e-5)[:3],
    "group_norm_gradient": lambda e, of: e.group_norm_gradient(
        of(X[::-1]), e.group_norm(of(X), 2, of(SCALE), of(SHIFT), 1e-5)[3], of(SCALE)
    ),
    "layer_norm": lambda e, of: e.layer_norm(of(X), 3, of(X[0]), of(X[1]), 1e-5)[0],
    "layer_norm_gradient": lambda e, of: e.layer_norm_gradient(
        of(X[::-1]), e.layer_norm(of(X), 3, of(X[0]), of(X[1]), 1e-5)[1], of(X[0])
    ),
    "add_bias": lambda e, of: e.add_bias(of(X.copy("K")), of(SHIFT)),
    "avg_pool2d": lambda e, of: e.avg_pool2d(of(X), POOL, False),
    "avg_pool2d_gradient": lambda e, of: e.avg_pool2d_gradient(
        of(images((N, 4, *POOL.output_size), 15)), POOL, False
    ),
    "upsample2d": lambda e, of: e.upsample2d(of(X), (9, 7), (None, None), "bilinear", False),
    "upsample2d_gradient": lambda e, of: e.upsample2d_gradient(
        of(images((N, 4, 9, 7), 16)), X.shape, (None, None), "bilinear", False
    ),
    "running_statistics": lambda e, of: e.running_statistics(
        (of(MEAN), of(VAR)), (of(SCALE), of(SHIFT)), 0.3, 9
    ),
    "dropout": lambda e, of: e.dropout(of(X), of(abs(X[::-1])), 0.4),
    "max_pool2d": lambda e, of: e.max_pool2d(of(X), POOL)[0],
    "max_pool2d_gradient": pool_gradient,
    "adaptive_avg_pool2d": lambda e, of: e.adaptive_avg_pool2d(of(X), (4, 2)),
    "adaptive_avg_pool2d_gradient": lambda e, of: e.adaptive_avg_pool2d_gradient(
        of(images((N, 4, 4, 2), 14)), X.shape
    ),
    "flatten": lambda e, of: e.flatten(of(X)),
    "unflatten": lambda e, of: e.unflatten(of(FLAT), (N, 3, 2, 2)),
    "concatenate": lambda e, of: e.concatenate([of(X), of(X[:, 1:])], 1),
    "split": lambda e, of: e.split(of(X), [1, 4], 1),
    "total": lambda e, of: e.total([of(X), of(X[::-1]), of(X)]),
    "add_to": lambda e, of: e.add_to(of(X.copy("K")), of(X[::-1])),
    "cross_entropy": lambda e, of: e.cross_entropy(of(ROWS), of(PROBABILITIES)),
    "mean_squared_error": lambda e, of: e.mean_squared_error(of(X), of(X[::-1]), of(FACTORS)),
    "binary_cross_entropy": lambda e, of: e.binary_cross_entropy(
        of(ROWS), of(PROBABILITIES), of(FACTORS[:, :, 0, 0])
    ),
    "make_batch": lambda e, of: e.make_batch(
        PIXELS, np.array([3, 1, 8]), of(SCALE[:3]), of(SHIFT[:3]), of(X).dtype
    ),
    "sgd": updated("sgd", momentum=0.9, nesterov=True),
    "adam": updated("adam", step=3, betas=(0.9, 0.99), eps=1e-3, decoupled=True),
    "are_finite": lambda e, of: np.array(e.are_finite([of(X), of(B) / 0])),
}


def results(name: str, e: Any, dtype: str) -> Iterator[np.ndarray]:
    with np.errstate(divide="ignore"):
        found = ROWS_OF[name](e, lambda array: array.astype(dtype))
    for value in found if isinstance(found, tuple | list) else [found]:
        yield np.asarray(value)


def check(name: str) -> None:
    exact = list(results(name, reference, "float64"))
    for found, expected in zip(results(name, compiled, "float32"), exact, strict=True):
        assert found.shape == expected.shape
        if expected.ndim == 0:
            assert np.isclose(found, expected, rtol=1e-6, atol=0)
        else:
            close(found, expected, 30)


def test_every_function_has_a_row() -> None:
    assert ROWS_OF.keys() == {name for name in vars(Engine) if not name.startswith("_")}


@pytest.mark.parametrize("name", ROWS_OF)
def test_a_function_gives_the_reference_engines_result(name: str) -> None:
    check(name)


@pytest.mark.parametrize("name", [name for name in ROWS_OF if name != "conv2d_algorithm"])
def test_a_result_that_is_a_thousandth_off_is_noticed(name: str, monkeypatch) -> None:
    right = getattr(compiled, name)

    def off(value: Any) -> Any:
        if type(value) in (tuple, list):
            return type(value)(map(off, value))
        if isinstance(value, bool):
            return not value
        if isinstance(value, np.ndarray) and value.dtype == np.float32:
            value *= np.float32(1.001)
        return value * 1.001 if isinstance(value, float) else value

    def wrong(*args: Any, **options: Any) -> Any:
        result = right(*args, **options)
        off(args[0] if result is None else None)
        return off(result)

    monkeypatch.setattr(compiled, name, wrong)
    with pytest.raises(AssertionError):
        check(name)
