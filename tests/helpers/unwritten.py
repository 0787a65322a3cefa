"""A model that ONNX cannot hold, because one of its layers is unknown to the exporter."""

from pellucid import layers as nn


class Unwritten(nn.Layer, abstract=True):
    """A layer of a user's own, which no table knows."""

    def forward(self, x, training=None):
        return x, None

    def backward(self, dy, cache, *, input_gradient=True):
        return dy

    def output_shape(self, input_shape):
        return input_shape

    def describe(self):
        return {"type": "Unwritten"}


def unwritten_model():
    return nn.Sequential(a=Unwritten(), b=nn.ReLU(), c=nn.Sequential(Unwritten()))
