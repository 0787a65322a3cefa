"""Batch and instance normalisation: the layers that gather running statistics."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.arguments import NotNegative, Probability, Size
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.parameter import Buffer, Parameter
from pellucid.types import Array, Shape

_Cache = tuple[Array | None, Any]
"""(x, None) where the running statistics were used, else (None, what the operation keeps)."""


@dataclass(eq=False, repr=False)
class _ChannelNorm(Layer):
    """A normalisation with a scale and a shift per channel, and running statistics."""

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

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, _Cache]:
        self.output_shape(x.shape)
        weight, bias = self.affine_values()
        if training is None and self.running_mean is not None and self.running_var is not None:
            mean, var = self.running_mean.value, self.running_var.value
            return ops.batch_norm(x, weight, bias, mean, var, self.eps), (x, None)
        y, mean, var, cache = self._normalize(x, weight, bias)
        if training is not None:
            self.gather(training, mean, var, x)
        return y, (None, cache)

    def backward(self, dy: Array, cache: _Cache, *, input_gradient: bool = True) -> Array:
        x, kept = cache
        weight, _ = self.affine_values()
        if x is not None:
            assert self.running_mean is not None
            assert self.running_var is not None
            mean, var = self.running_mean.value, self.running_var.value
            dx, dweight, dbias = ops.batch_norm_inference_gradient(
                dy, x, weight, mean, var, self.eps
            )
        else:
            dx, dweight, dbias = self._normalize_gradient(dy, kept, weight)
        self.add_gradients(dweight, dbias)
        return dx

    def add_gradients(self, dweight: Array, dbias: Array) -> None:
        """Add the gradients for scale and shift, where they are learned."""
        if self.weight is not None and self.bias is not None:
            self.weight.add_gradient(dweight)
            self.bias.add_gradient(dbias)

    @abstractmethod
    def _normalize(self, x: Array, weight: Array | None, bias: Array | None) -> Any:
        """Return y, mean, var and what the gradient needs, with the statistics of x."""

    @abstractmethod
    def _normalize_gradient(self, dy: Array, kept: Any, weight: Array | None) -> Any:
        """Return dx, dweight and dbias of `_normalize`."""

    @abstractmethod
    def gather(self, training: StepContext, mean: Array, var: Array, x: Array) -> None:
        """Note the next running statistics."""

    def inference_affine(self) -> tuple[Array, Array, Array]:
        """Return (mean, scale, shift): inference is ``y = (x − mean)·scale + shift``."""
        assert self.running_mean is not None
        assert self.running_var is not None
        scale = 1 / np.sqrt(self.running_var.value + np.float64(self.eps))
        weight, bias = self.affine_values()
        if weight is not None:
            scale = scale * weight
        mean = self.running_mean.value
        return mean, scale, np.zeros_like(mean) if bias is None else bias

    def affine_values(self) -> tuple[Array | None, Array | None]:
        if self.weight is None or self.bias is None:
            return None, None
        return self.weight.value, self.bias.value

    def _move(
        self, training: StepContext, momentum: float, mean: Array, var: Array, count: int
    ) -> None:
        """Note the next running statistics."""
        if self.running_mean is None or self.running_var is None:
            return
        buffers = self.running_mean, self.running_var
        old = training.pending(buffers[0]), training.pending(buffers[1])
        moved = ops.running_statistics(old, (mean, var), momentum, count)
        for buffer, value in zip(buffers, moved, strict=True):
            training.update(buffer, value)


@dataclass(eq=False, repr=False)
class _BatchNorm(_ChannelNorm):
    def _normalize(self, x: Array, weight: Array | None, bias: Array | None) -> Any:
        return ops.batch_norm_training(x, weight, bias, self.eps)

    def _normalize_gradient(self, dy: Array, kept: Any, weight: Array | None) -> Any:
        return ops.batch_norm_gradient(dy, kept, weight)

    def gather(self, training: StepContext, mean: Array, var: Array, x: Array) -> None:
        if self.num_batches_tracked is None:
            return
        training.count(self.num_batches_tracked)
        momentum = self.momentum
        if momentum is None:
            training.varies = True
            momentum = 1 / float(training.pending(self.num_batches_tracked))
        self._move(training, momentum, mean, var, x.size // x.shape[1])


@dataclass(eq=False, repr=False)
class BatchNorm1d(_BatchNorm):
    """Batch normalisation of vectors (N, C) or sequences (N, C, L); see `BatchNorm2d`.

    >>> BatchNorm1d(10).output_shape((64, 10))
    (64, 10)
    """

    recordable = True

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) not in (2, 3) or input_shape[1] != self.num_features:
            raise ShapeError(
                f"BatchNorm1d expects an input of shape (N, {self.num_features}) or "
                f"(N, {self.num_features}, L), got {input_shape}"
            )
        return input_shape


@dataclass(eq=False, repr=False)
class BatchNorm2d(_BatchNorm):
    """``y = (x − mean)/√(var + eps)·w + b``, mean and variance per channel.

    In training they are those of the batch, over (N, H, W), and the running statistics follow
    them::

        running ← (1 − momentum)·running + momentum·new

    where the running variance is the unbiased one. In inference the running statistics are used, so
    an image's result does not depend on the other images. For the gradient see
    `pellucid.reference.normalization.standardize_gradient`. Source: Ioffe and Szegedy, "Batch
    normalization", 2015, algorithms 1 and 2.

    Parameters
    ----------
    num_features
        C.
    eps
        Keeps the root away from 0.
    momentum
        The weight of the newest batch in the running statistics; None takes the mean over all
        batches.
    affine
        Whether w and b are learned; else they are 1 and 0.
    track_running_stats
        Whether there are running statistics; else the batch's own are used in inference too.

    Examples
    --------
    >>> BatchNorm2d(16).output_shape((64, 16, 28, 28))
    (64, 16, 28, 28)
    >>> list(BatchNorm2d(16).state_dict())
    ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    """

    recordable = True

    def output_shape(self, input_shape: Shape) -> Shape:
        return _images(self, input_shape)


@dataclass(eq=False, repr=False)
class InstanceNorm2d(_ChannelNorm):
    """``y = (x − mean)/√(var + eps)·w + b``, mean and variance per image and channel, over (H, W).

    The same in training and inference, unless running statistics are asked for: these follow the
    means of the statistics over the images of a batch, and are used in inference. Source: Ulyanov,
    Vedaldi and Lempitsky, "Instance normalization", 2016, eq. 4.

    Parameters
    ----------
    num_features
        C.
    eps
        Keeps the root away from 0.
    momentum
        The weight of the newest batch in the running statistics; None leaves them as they are.
    affine
        Whether w and b are learned; else they are 1 and 0.
    track_running_stats
        Whether there are running statistics. As in PyTorch, `num_batches_tracked` stays 0.

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

    def _normalize(self, x: Array, weight: Array | None, bias: Array | None) -> Any:
        return ops.group_norm(x, self.num_features, weight, bias, self.eps)

    def _normalize_gradient(self, dy: Array, kept: Any, weight: Array | None) -> Any:
        return ops.group_norm_gradient(dy, kept, weight)

    def gather(self, training: StepContext, mean: Array, var: Array, x: Array) -> None:
        pixels = x.shape[2] * x.shape[3]
        if len(x):  # images that are not there have no mean
            self._move(training, self.momentum or 0.0, mean.mean(axis=0), var.mean(axis=0), pixels)


def _images(layer: _ChannelNorm, input_shape: Shape) -> Shape:
    if len(input_shape) != 4 or input_shape[1] != layer.num_features:
        raise ShapeError(
            f"{type(layer).__name__} expects images of shape (N, {layer.num_features}, H, W), "
            f"got {input_shape}"
        )
    return input_shape
