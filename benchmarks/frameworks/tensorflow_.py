"""TensorFlow: the whole step is one `tf.function`."""

from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.frameworks.description import Description, channels_last, join, parts, sides
from benchmarks.job import LEARNING_RATE, MOMENTUM, Array, Job

Tensor = Any
LOSS = tf.nn.sparse_softmax_cross_entropy_with_logits


class Contestant:
    """A step and the outputs, each a `tf.function`."""

    def __init__(self, job: Job, state: dict[str, Array]) -> None:
        tf.config.threading.set_intra_op_parallelism_threads(job.threads)
        tf.config.threading.set_inter_op_parallelism_threads(job.threads)
        self.description = job.description
        self.values = {
            name: tf.Variable(value, trainable=name.endswith((".weight", ".bias")))
            for name, value in channels_last(state, job.flattened).items()
        }
        self.parameters = [v for v in self.values.values() if v.trainable]
        self.velocities = [tf.Variable(tf.zeros_like(v)) for v in self.parameters]
        self.step = tf.function(self._step)
        self.outputs = tf.function(lambda x: self._forward(job.description, "", x, False))

    def batch(self, x: Array, targets: Array) -> tuple[Tensor, Tensor]:
        return tf.constant(x.transpose(0, 2, 3, 1)), tf.constant(targets)

    def train(self, batch: tuple[Tensor, Tensor]) -> float:
        return float(self.step(*batch))

    def infer(self, x: Array) -> Array:
        return np.asarray(self.outputs(tf.constant(x.transpose(0, 2, 3, 1))))

    def _step(self, x: Tensor, targets: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            outputs = self._forward(self.description, "", x, True)
            loss = tf.reduce_mean(LOSS(labels=targets, logits=outputs))
        gradients = tape.gradient(loss, self.parameters)
        for weight, velocity, gradient in zip(
            self.parameters, self.velocities, gradients, strict=True
        ):
            tf.raw_ops.ResourceApplyMomentum(  # v ← μ·v + g, w ← w − lr·v
                var=weight.handle,
                accum=velocity.handle,
                lr=LEARNING_RATE,
                grad=gradient,
                momentum=MOMENTUM,
            )
        return loss

    def _forward(
        self, description: Description | None, path: str, x: Tensor, training: bool
    ) -> Tensor:
        if description is None:
            return x
        match description["type"]:
            case "Sequential":
                for part, where in parts(description, path):
                    x = self._forward(part, where, x, training)
                return x
            case "Concat":
                branches = parts(description, path)
                return tf.concat([self._forward(*b, x, training) for b in branches], -1)
            case "Residual":
                body, shortcut, activation = sides(description, path)
                y = self._forward(*body, x, training) + self._forward(*shortcut, x, training)
                return self._forward(*activation, y, training)
            case "BatchNorm2d":
                return self._normalize(path, x, training)
            case "Conv2d":
                y = convolution(description, self.values[join(path, "weight")], x)
                biased = description.get("bias", True)
                return tf.nn.bias_add(y, self.values[join(path, "bias")]) if biased else y
            case "Linear":
                weight, bias = (self.values[join(path, name)] for name in ("weight", "bias"))
                return tf.nn.bias_add(tf.matmul(x, weight), bias)
            case _:
                return plain(description, x)

    def _normalize(self, path: str, x: Tensor, training: bool) -> Tensor:
        scale, shift, mean, variance = (
            self.values[join(path, name)]
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        if not training:
            return tf.compat.v1.nn.fused_batch_norm(
                x, scale, shift, mean, variance, epsilon=1e-5, is_training=False
            )[0]
        y, batch_mean, batch_variance = tf.compat.v1.nn.fused_batch_norm(
            x, scale, shift, epsilon=1e-5, is_training=True
        )
        mean.assign(0.9 * mean + 0.1 * batch_mean)
        variance.assign(0.9 * variance + 0.1 * batch_variance)
        return y


def convolution(description: Description, weight: Tensor, x: Tensor) -> Tensor:
    stride, padding = description.get("stride", 1), description.get("padding", 0)
    around: Any = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
    if stride == 1 and 2 * padding == description["kernel_size"] - 1:
        around = "SAME"
    if description.get("groups", 1) == 1:
        return tf.nn.conv2d(x, weight, stride, around)
    # depthwise: (KH, KW, 1, C) -> (KH, KW, C, 1)
    return tf.nn.depthwise_conv2d(
        x, tf.transpose(weight, (0, 1, 3, 2)), (1, stride, stride, 1), around
    )


def plain(description: Description, x: Tensor) -> Tensor:
    """Return the output of a layer without values."""
    match description["type"]:
        case "ReLU":
            return tf.nn.relu(x)
        case "MaxPool2d":
            size = description["kernel_size"]
            around = "SAME" if description.get("padding", 0) else "VALID"
            return tf.nn.max_pool2d(x, size, description.get("stride", size), around)
        case "GlobalAvgPool2d" | "AdaptiveAvgPool2d":
            return tf.reduce_mean(x, (1, 2), keepdims=True)
        case "Flatten":
            return tf.reshape(x, (x.shape[0], -1))
        case kind:
            raise NotImplementedError(kind)
