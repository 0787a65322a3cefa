"""Normalisation."""

from pellucid.interchange.onnx.reader.call import Call, UnsupportedError, Value, filled
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.layers import BatchNorm1d, BatchNorm2d, LocalResponseNorm


@converts("BatchNormalization")
def batch_normalization(call: Call) -> Value:
    """With running statistics, which go on running if the network is trained further.

    The format's momentum weighs the old statistics, this library's the new ones.
    """
    call.ignore("is_test")
    x = call.value()
    names = ("scale", "bias", "mean", "variance")
    weight, bias, mean, variance = (call.numbers(i + 1, names[i]) for i in range(4))
    if call.integer("training_mode", 0):
        raise UnsupportedError("the attribute training_mode is 1: the file is made for training")
    if not call.integer("spatial", 1) and any(size != 1 for size in x.sizes[2:]):
        raise UnsupportedError("the attribute spatial is 0: statistics for each pixel")
    axes = len(x.sizes)
    if axes not in (2, 3, 4):
        raise UnsupportedError(
            f"is supported for (N, C), (N, C, L) and (N, C, H, W), not {axes} axes"
        )
    kind = BatchNorm2d if axes == 4 else BatchNorm1d
    momentum = min(max(round(1 - call.number("momentum", 0.9), 7), 0.0), 1.0)
    layer = kind(weight.size, eps=call.number("epsilon", 1e-5), momentum=momentum)
    values = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    return call.add(filled(layer, **{k: v.reshape(-1) for k, v in values.items()}))


@converts("LRN")
def lrn(call: Call) -> Value:
    """Local response normalisation over channels."""
    size = call.integer("size", 0)
    alpha, beta = call.number("alpha", 1e-4), call.number("beta", 0.75)
    if size % 2 == 0:
        raise UnsupportedError(f"the attribute size is {size}; odd sizes are supported")
    return call.add(LocalResponseNorm(size, alpha, beta, call.number("bias", 1.0)))
