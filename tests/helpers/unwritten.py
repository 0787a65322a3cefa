"""A model that cannot be exported to ONNX, because the exporter does not know a layer."""

from pellucid import layers as nn


class Unwritten(nn.Layer, abstract=True):
    """A user-defined layer, unknown to the exporter."""

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
