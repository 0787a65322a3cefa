"""A model with layers that no table knows."""

from pellucid import layers as nn


class _Unwritten(nn.Layer):
    """A layer of a user's own, which no table knows."""

    def forward(self, x, training=None):
        return x, None

    def backward(self, dy, cache, *, input_gradient=True):
        return dy

    def output_shape(self, input_shape):
        return input_shape

    def describe(self):
        return {"type": "_Unwritten"}


def unwritten_model():
    return nn.Sequential(a=_Unwritten(), b=nn.ReLU(), c=nn.Sequential(_Unwritten()))
