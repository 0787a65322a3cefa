"""All ways to compute a network, with the library and with PyTorch, as arrays by name."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

import pellucid as pl
from pellucid import engine
from pellucid import layers as nn
from random_networks.drawing import Case
from random_networks.node import make
from random_networks.torch_twin import Noise, Twin

Arrays = dict[str, np.ndarray]

STEPS = 6
"""Number of repetitions of a step, so that the last ones replay the captured step."""


@dataclass(frozen=True)
class Data:
    """The values of a network, its input and its output's gradient, all exact in float32."""

    state: Arrays
    x: np.ndarray
    dy: np.ndarray


def draw_data(case: Case, turn: int) -> Data:
    """Draw values for a network, different ones for each `turn`."""
    random = np.random.default_rng([case.seed, turn])
    model = make(case.node, case.shape)
    state = {}
    for name, item in model.named_state():
        value = random.normal(size=item.shape)
        if name.endswith("num_batches_tracked"):
            value = np.zeros((), np.int64)
        elif "running_var" in name:
            value = random.uniform(0.5, 2.0, item.shape)
        elif item.shape and len(item.shape) > 1:
            value /= np.sqrt(max(1, math.prod(item.shape[1:])) / 2)
        elif name.endswith("weight"):
            value = random.uniform(0.5, 1.5, item.shape) * random.choice([-1, 1, 1], item.shape)
        state[name] = value if value.dtype == np.int64 else single(value * 1.0)
    x = single(random.normal(size=case.shape))
    return Data(state, x, single(random.normal(size=model.output_shape(case.shape))))


def single(values: np.ndarray) -> np.ndarray:
    """Round float64 numbers to values that float32 represents exactly."""
    return values.astype(np.float32).astype(np.float64)


class Diverges(Exception):  # noqa: N818  # not an error
    """PyTorch's results are not finite, so there is nothing to compare."""


class Refused(Exception):  # noqa: N818  # not an error
    """This way does not support the network, and has said so."""


# PyTorch


def by_torch(
    case: Case, data: Data, dtype: torch.dtype, training: bool, noise: Noise | None = None
) -> Arrays:
    """Return the output, gradients and updated running statistics computed by PyTorch."""
    twin = Twin(make(case.node, case.shape), data.state, dtype, noise)
    x = torch.tensor(data.x, dtype=dtype, requires_grad=True)
    y = twin(x, nn.StepContext(seed=case.seed) if training else None)
    if y.isnan().any():
        raise Diverges
    y.backward(torch.tensor(data.dy, dtype=dtype))
    found = {"output": y, "gradient of input": gradient(x)}
    found |= {f"gradient of {name}": gradient(value) for name, value in twin.parameters().items()}
    if training:
        found |= {n: v for n, v in twin.values.items() if not v.requires_grad}
    return {name: value.detach().numpy() for name, value in found.items()}


def gradient(x: torch.Tensor) -> torch.Tensor:
    """Return the gradient of a tensor, which is 0 if nothing depends on it."""
    return torch.zeros_like(x) if x.grad is None else x.grad


# Ours


def model_of(case: Case, data: Data, dtype: str) -> nn.Layer:
    model = make(case.node, case.shape).astype(dtype)
    model.load_state_dict(
        {n: v.astype(dtype) if v.dtype.kind == "f" else v for n, v in data.state.items()}
    )
    return model


def once(case: Case, data: Data, dtype: str, training: bool, made: Any = None) -> Arrays:
    """Return the results of one forward and backward pass of ``made(model)``."""
    model = model_of(case, data, dtype)
    run = model if made is None else made(model)
    step = nn.StepContext(seed=case.seed) if training else None
    x = data.x.astype(dtype)
    y, cache = run.forward(x, step)
    found = {"output": y.copy(), "gradient of input": run.backward(data.dy.astype(dtype), cache)}
    found |= {f"gradient of {n}": p.grad for n, p in model.named_parameters().items()}
    if step is not None:
        step.commit()
        found |= {name: buffer.value for name, buffer in model.buffers().items()}
    assert np.array_equal(x, data.x.astype(dtype)), "the input was written to"
    return found


def replayed(case: Case, data: Data, dtype: str) -> Arrays:
    """Return the results of the last of several steps, which do not update the model."""
    model = model_of(case, data, dtype)
    run = pl.execution.for_training(model)
    x, dy = data.x.astype(dtype), data.dy.astype(dtype)
    for turn in range(STEPS):
        last = turn == STEPS - 1
        step = nn.StepContext(seed=case.seed if last else turn)
        model.zero_grad()
        y, cache = run.forward(x if last else x[::-1] * 0.5, step)
        run.backward(dy if last else dy * 2, cache, input_gradient=False)
    found = {
        "output": y,
        **{f"gradient of {n}": p.grad for n, p in model.named_parameters().items()},
    }
    step.commit()
    return found | {name: buffer.value for name, buffer in model.buffers().items()}


def frozen(case: Case, data: Data, dtype: str) -> Arrays:
    """Return the outputs of several calls of a frozen model, for all images and for some."""
    model = model_of(case, data, dtype)
    run, x = pl.freeze(model), data.x.astype(dtype)
    first = run(x)
    compiled = engine.name() == "compiled" and dtype == "float32"
    for _ in range(STEPS if compiled else 0):
        run(x * 0.5)
    found = {"output": run(x), "output, first call": first}
    found["output, fused"] = pl.fuse(model)(x)
    if not any(layer.mixes_images for _, layer in model.walk()):
        found["output, few images"] = run(x[:5])
    return found


Run = Callable[[Case, Data], Arrays]


@dataclass(frozen=True)
class Way:
    """One way to compute a network, and the kind of results with which it is compared."""

    name: str
    run: Run
    dtype: str
    against: str


def ways() -> Iterator[Way]:
    """Yield all ways to compute one pass."""
    for by in engine.NAMES:
        for dtype in ("float64", "float32"):
            if by == "compiled" and dtype == "float64":
                continue  # it computes float64 with the reference engine
            for training in (True, False):
                against = "training" if training else "inference"
                plain = _with(by, partial(once, dtype=dtype, training=training))
                yield Way(f"{by} {dtype}, {against}", plain, dtype, against)
            fused = _with(by, partial(once, dtype=dtype, training=True, made=pl.fuse))
            yield Way(f"{by} {dtype}, fused", fused, dtype, "training")
            cold = _with(by, partial(frozen, dtype=dtype))
            yield Way(f"{by} {dtype}, frozen", cold, dtype, "inference")
    again = _with("compiled", partial(replayed, dtype="float32"))
    yield Way("compiled float32, replayed", again, "float32", "training")


def _with(by: str, run: Run) -> Run:
    def inside(case: Case, data: Data) -> Arrays:
        with engine.using(by):
            return run(case, data)

    return inside
