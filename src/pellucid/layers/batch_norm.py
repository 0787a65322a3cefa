"""Batch and instance normalisation, the layers with running statistics."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pellucid import ops
from pellucid.arguments import NotNegative, Probability, Size
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.parameter import Buffer, Parameter
from pellucid.types import Array, Shape


@dataclass(eq=False, repr=False)
class ChannelNorm(Layer, abstract=True):
    """A normalisation with a scale and shift per channel, and running statistics."""

    num_features: Size
    eps: NotNegative = 1e-5
    momentum: Probability | None = 0.1
    affine: bool = True
    track_running_stats: bool = True
    weight: Parameter | None = field(init=False, default=None)
    bias: Parameter | None = field(init=False, default=None)
    running_mean: Buffer | None = field(init=False, default=None)
    running_var: Buffer | None = field(init=False, default=None)
    num_batches_tracked: Buffer | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = (self.num_features,)
        if self.affine:
            self.weight = Parameter("weight", shape, "ones", kind="norm")
            self.bias = Parameter("bias", shape, "zeros", kind="norm")
        if self.track_running_stats:
            self.running_mean = Buffer("running_mean", shape, 0.0)
            self.running_var = Buffer("running_var", shape, 1.0)
            self.num_batches_tracked = Buffer("num_batches_tracked", (), 0, np.int64)

    @property
    def running(self) -> tuple[Array, Array] | None:
        """The running mean and variance, or None if the layer has none."""
        if self.running_mean is None or self.running_var is None:
            return None
        return self.running_mean.value, self.running_var.value

    def add_gradients(self, dweight: Array | None, dbias: Array | None) -> None:
        """Add to the gradients of scale and shift, if they are learned."""
        if self.weight is not None and self.bias is not None:
            assert dweight is not None
            assert dbias is not None
            self.weight.add_gradient(dweight)
            self.bias.add_gradient(dbias)

    def inference_affine(self) -> tuple[Array, Array, Array]:
        """Return (mean, scale, shift) of inference: ``y = (x − mean)·scale + shift``."""
        assert self.running is not None
        mean, var = self.running
        scale = 1 / np.sqrt(var + np.float64(self.eps))
        weight, bias = self.affine_values()
        if weight is not None:
            scale = scale * weight
        return mean, scale, np.zeros_like(mean) if bias is None else bias

    def affine_values(self) -> tuple[Array | None, Array | None]:
        """Return weight and bias, or None and None if they are not learned."""
        if self.weight is None or self.bias is None:
            return None, None
        return self.weight.value, self.bias.value

    def update_running(
        self, training: StepContext, momentum: float, mean: Array, var: Array, count: int
    ) -> None:
        """Record the next running statistics, given the mean and variance of `count` values."""
        if self.running_mean is None or self.running_var is None:
            return
        buffers = self.running_mean, self.running_var
        old = training.pending(buffers[0]), training.pending(buffers[1])
        moved = ops.running_statistics(old, (mean, var), momentum, count)
        for buffer, value in zip(buffers, moved, strict=True):
            training.update(buffer, value)


@dataclass(eq=False, repr=False)
class BatchNorm2d(ChannelNorm):
    """``y = (x − mean)/√(var + eps)·w + b``, with mean and variance per channel.

    In training, mean and variance are those of the batch, over (N, H, W), and the running
    statistics are updated::

        running ← (1 − momentum)·running + momentum·batch

    with the unbiased variance. In inference the running statistics are used, so an image's result
    does not depend on the other images. The gradient is derived in
    `pellucid.reference.normalization.standardize_gradient`. Source: Ioffe and Szegedy, "Batch
    normalization", 2015, algorithms 1 and 2.

    Parameters
    ----------
    num_features
        Number of channels C.
    eps
        Added to the variance for numerical stability. Default: 1e-5.
    momentum
        Weight of the newest batch in the running statistics; None averages over all batches.
        Default: 0.1.
    affine
        Whether w and b are learned; otherwise they are 1 and 0. Default: True.
    track_running_stats
        Whether to keep running statistics; otherwise inference uses those of its batch. Default:
        True.

    Examples
    --------
    >>> BatchNorm2d(16).output_shape((64, 16, 28, 28))
    (64, 16, 28, 28)
    >>> list(BatchNorm2d(16).state_dict())
    ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    """

    @property
    def mixes_images(self) -> bool:
        return not self.track_running_stats

    def forward(
        self, x: Array, training: StepContext | None = None
    ) -> tuple[Array, tuple[Array | None, object]]:
        self.output_shape(x.shape)
        weight, bias = self.affine_values()
        if training is None and self.running is not None:
            return ops.batch_norm(x, weight, bias, *self.running, self.eps), (x, None)
        y, mean, var, cache = ops.batch_norm_training(x, weight, bias, self.eps)
        if training is not None:
            self.update_statistics(training, mean, var, x.size // x.shape[1])
        return y, (None, cache)

    def backward(
        self, dy: Array, cache: tuple[Array | None, object], *, input_gradient: bool = True
    ) -> Array:
        x, kept = cache
        weight, _ = self.affine_values()
        if x is None:
            dx, dweight, dbias = ops.batch_norm_gradient(dy, kept, weight)
        else:  # running statistics are constants
            assert self.running is not None
            dx, dweight, dbias = ops.batch_norm_inference_gradient(
                dy, x, weight, *self.running, self.eps
            )
        self.add_gradients(dweight, dbias)
        return dx

    def update_statistics(self, training: StepContext, mean: Array, var: Array, count: int) -> None:
        """Record the next running statistics, given mean and variance of `count` values."""
        if self.num_batches_tracked is None:
            return
        training.count(self.num_batches_tracked)
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / float(training.pending(self.num_batches_tracked))
        self.update_running(training, momentum, mean, var, count)

    def output_shape(self, input_shape: Shape) -> Shape:
        return _images(self, input_shape)


@dataclass(eq=False, repr=False)
class BatchNorm1d(BatchNorm2d):
    """Batch normalisation of vectors (N, C) or sequences (N, C, L); see `BatchNorm2d`.

    >>> BatchNorm1d(10).output_shape((64, 10))
    (64, 10)
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) not in (2, 3) or input_shape[1] != self.num_features:
            raise ShapeError(
                f"BatchNorm1d expects an input of shape (N, {self.num_features}) or "
                f"(N, {self.num_features}, L), got {input_shape}"
            )
        return input_shape


@dataclass(eq=False, repr=False)
class InstanceNorm2d(ChannelNorm):
    """``y = (x − mean)/√(var + eps)·w + b``, mean and variance per image and channel over (H, W).

    Training and inference are the same, unless running statistics are requested: these follow the
    mean of the images' statistics in each batch, and inference uses them. Source: Ulyanov, Vedaldi
    and Lempitsky, "Instance normalization", 2016, eq. 4.

    Parameters
    ----------
    num_features
        Number of channels C.
    eps
        Added to the variance for numerical stability. Default: 1e-5.
    momentum
        Weight of the newest batch in the running statistics; None leaves them unchanged. Default:
        0.1.
    affine
        Whether w and b are learned; otherwise they are 1 and 0. Default: False.
    track_running_stats
        Whether to keep running statistics. As in PyTorch, `num_batches_tracked` stays 0. Default:
        False.

    Examples
    --------
    >>> InstanceNorm2d(16).output_shape((64, 16, 28, 28))
    (64, 16, 28, 28)
    """

    affine: bool = False
    track_running_stats: bool = False

    def output_shape(self, input_shape: Shape) -> Shape:
        if _images(self, input_shape)[2:] == (1, 1):
            raise ShapeError(
                "InstanceNorm2d needs more than one pixel per image and channel, "
                f"got an input of shape {input_shape}"
            )
        return input_shape

    def forward(
        self, x: Array, training: StepContext | None = None
    ) -> tuple[Array, tuple[Array | None, object]]:
        self.output_shape(x.shape)
        weight, bias = self.affine_values()
        if training is None and self.running is not None:
            return ops.batch_norm(x, weight, bias, *self.running, self.eps), (x, None)
        y, mean, var, cache = ops.group_norm(x, self.num_features, weight, bias, self.eps)
        if training is not None and len(x):  # an empty batch has no mean
            count, momentum = x.shape[2] * x.shape[3], self.momentum or 0.0
            self.update_running(training, momentum, mean.mean(axis=0), var.mean(axis=0), count)
        return y, (None, cache)

    def backward(
        self,
        dy: Array,
        cache: tuple[Array | None, object],
        *,
        input_gradient: bool = True,
    ) -> Array:
        x, kept = cache
        weight, _ = self.affine_values()
        if kept is not None:
            dx, dweight, dbias = ops.group_norm_gradient(dy, kept, weight)
        else:  # running statistics are constants
            assert x is not None
            assert self.running is not None
            dx, dweight, dbias = ops.batch_norm_inference_gradient(
                dy, x, weight, *self.running, self.eps
            )
        self.add_gradients(dweight, dbias)
        return dx


def _images(layer: ChannelNorm, input_shape: Shape) -> Shape:
    if len(input_shape) != 4 or input_shape[1] != layer.num_features:
        raise ShapeError(
            f"{type(layer).__name__} expects images of shape (N, {layer.num_features}, H, W), "
            f"got {input_shape}"
        )
    return input_shape
