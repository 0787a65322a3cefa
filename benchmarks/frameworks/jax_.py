"""JAX: the whole step is one function, compiled, which is given its memory back."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.frameworks.description import Description, channels_last, join, parts, sides
from benchmarks.job import LEARNING_RATE, MOMENTUM, Array, Job

Values = dict[str, Any]
LAYOUT = ("NHWC", "HWIO", "NHWC")  # what XLA likes best on a CPU


class Contestant:
    """One compiled function for a training step, another for the outputs."""

    def __init__(self, job: Job, state: dict[str, Array]) -> None:
        state = channels_last(state, job.flattened)
        running = {k: jnp.asarray(v) for k, v in state.items() if ".running_" in k}
        parameters = {
            k: jnp.asarray(v) for k, v in state.items() if k.endswith((".weight", ".bias"))
        }
        self.values = parameters, {k: jnp.zeros_like(v) for k, v in parameters.items()}, running
        self.step = jax.jit(partial(step, job.description), donate_argnums=0)
        self.outputs = jax.jit(lambda p, r, x: forward(job.description, "", p, r, {}, x, False))

    def batch(self, x: Array, targets: Array) -> tuple[jax.Array, jax.Array]:
        return jnp.asarray(x.transpose(0, 2, 3, 1)), jnp.asarray(targets)

    def train(self, batch: tuple[jax.Array, jax.Array]) -> float:
        loss, self.values = self.step(self.values, *batch)
        return float(loss)

    def infer(self, x: Array) -> Array:
        parameters, _, running = self.values
        return np.asarray(self.outputs(parameters, running, x.transpose(0, 2, 3, 1)))


def step(description: Description, values: Any, x: jax.Array, targets: jax.Array) -> Any:
    """Return the loss and the values after one step of SGD with momentum."""
    parameters, velocities, running = values

    def loss_of(parameters: Values) -> tuple[jax.Array, Values]:
        gathered = dict(running)
        y = forward(description, "", parameters, running, gathered, x, True)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(y), targets[:, None], axis=1)
        return -chosen.mean(), gathered

    (loss, running), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters)
    velocities = {k: MOMENTUM * velocities[k] + g for k, g in gradients.items()}
    parameters = {k: w - LEARNING_RATE * velocities[k] for k, w in parameters.items()}
    return loss, (parameters, velocities, running)


def forward(
    description: Description,
    path: str,
    parameters: Values,
    running: Values,
    gathered: Values,
    x: jax.Array,
    training: bool,
) -> jax.Array:
    """Return the output; the next running statistics are put into `gathered`."""

    def inside(part: Description | None, path: str, x: jax.Array) -> jax.Array:
        if part is None:
            return x
        return forward(part, path, parameters, running, gathered, x, training)

    def value(name: str) -> jax.Array:
        return parameters[join(path, name)]

    match description["type"]:
        case "Sequential":
            for part, where in parts(description, path):
                x = inside(part, where, x)
            return x
        case "Concat":
            return jnp.concatenate([inside(*branch, x) for branch in parts(description, path)], -1)
        case "Residual":
            body, shortcut, activation = sides(description, path)
            return inside(*activation, inside(*body, x) + inside(*shortcut, x))
        case "Conv2d":
            y = convolution(description, value("weight"), x)
            return y + value("bias") if description.get("bias", True) else y
        case "BatchNorm2d":
            mean, var = running[join(path, "running_mean")], running[join(path, "running_var")]
            if training:
                gathered |= updated(running, path, x)
                mean, var = statistics(x)
            scale = value("weight") * lax.rsqrt(var + 1e-5)
            return (x - mean) * scale + value("bias")
        case "ReLU":
            return jax.nn.relu(x)
        case "MaxPool2d":
            size = description["kernel_size"]
            stride, padding = description.get("stride", size), description.get("padding", 0)
            around = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
            window, strides = (1, size, size, 1), (1, stride, stride, 1)
            return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, around)
        case "GlobalAvgPool2d" | "AdaptiveAvgPool2d":
            return x.mean((1, 2), keepdims=True)
        case "Flatten":
            return x.reshape(len(x), -1)
        case "Linear":
            return x @ value("weight") + value("bias")
        case kind:
            raise NotImplementedError(kind)


def convolution(description: Description, weight: jax.Array, x: jax.Array) -> jax.Array:
    stride, padding = description.get("stride", 1), description.get("padding", 0)
    return lax.conv_general_dilated(
        x,
        weight,
        (stride, stride),
        [(padding, padding)] * 2,
        dimension_numbers=LAYOUT,
        feature_group_count=description.get("groups", 1),
    )


def updated(running: Values, path: str, x: jax.Array) -> Values:
    """Return the next running statistics of the batch normalisation at `path`."""
    mean, var = statistics(x)
    count = x.size // x.shape[-1]
    batch = {"running_mean": mean, "running_var": var * (count / (count - 1))}
    return {join(path, k): 0.9 * running[join(path, k)] + 0.1 * v for k, v in batch.items()}


def statistics(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return mean and variance of each channel, in one pass, as Flax does."""
    mean = x.mean((0, 1, 2))
    return mean, jnp.maximum(jnp.square(x).mean((0, 1, 2)) - jnp.square(mean), 0)
