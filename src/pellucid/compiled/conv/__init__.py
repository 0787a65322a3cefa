"""Convolution, compiled.

=============  =====================================================================================
``direct``     the definition, a tile of outputs at a time: for everything
``depthwise``  one filter a channel
``winograd4``  F(4×4, 3×3): 3×3 kernels with stride 1, where there is enough to gain
=============  =====================================================================================

The reference engine's algorithms can be asked for by name; that engine computes them, and also
``winograd4`` with groups.
"""

from dataclasses import replace

from pellucid.compiled import layout
from pellucid.compiled.conv import (
    depthwise,
    direct,
    point_gradient,
    tuning,
    winograd,
    winograd_gradient,
)
from pellucid.compiled.conv.channels_last import depthwise as last_depthwise
from pellucid.compiled.conv.channels_last import direct as last_direct
from pellucid.compiled.conv.channels_last import weight_gradient as last_gradient
from pellucid.compiled.conv.channels_last import winograd as last_winograd
from pellucid.compiled.conv.channels_last import winograd_gradient as last_winograd_gradient
from pellucid.compiled.conv.deferred import DeferredNorm, materialize
from pellucid.compiled.conv.transforms import WIDTH
from pellucid.compiled.conv.weight_gradient import weight_gradient
from pellucid.compiled.fallback import reference
from pellucid.contract import Convolution
from pellucid.geometry import Window
from pellucid.types import Array, Shape


def conv2d(
    x: Array | DeferredNorm,
    weight: Array,
    bias: Array | None,
    convolution: Convolution,
    relu: bool = False,
) -> Array:
    """Return the convolution of x with weight, plus bias, followed by ReLU if `relu`."""
    window, groups = convolution.window, convolution.groups
    last = is_channels_last(convolution)
    match conv2d_algorithm(convolution):
        case "direct" if last:
            return last_direct.forward(materialize(x), weight, bias, window, relu)
        case "direct":
            return direct.forward(x, weight, bias, window, groups, relu)
        case "depthwise" if last:
            return last_depthwise.forward(x, weight, bias, window, relu)
        case "depthwise":
            return depthwise.forward(x, weight, bias, window, relu)
        case "winograd4" if last:
            return last_winograd.forward(x, weight, bias, window, relu)
        case "winograd4" if groups == 1:
            return winograd.forward(x, weight, bias, window, relu)
        case _:
            y = reference.conv2d(materialize(x), weight, bias, convolution)
            return reference.relu(y) if relu else y


def conv2d_input_gradient(
    dy: Array, weight: Array, convolution: Convolution, onto: Array | None = None
) -> Array:
    """Return dx, added to `onto` if there is one, which may be overwritten."""
    input_shape, window = convolution.input_shape, convolution.window
    last = is_channels_last(convolution)
    match conv2d_algorithm(convolution):
        case "direct" if last:
            return last_direct.input_gradient(dy, weight, input_shape, window, onto)
        case "winograd4" if last:
            return last_winograd.input_gradient(dy, weight, input_shape, window, onto)
        case "direct":
            dx = direct.input_gradient(dy, weight, input_shape, window, convolution.groups)
        case "depthwise" if last:
            dx = last_depthwise.input_gradient(dy, weight, input_shape, window)
        case "depthwise":
            dx = depthwise.input_gradient(dy, weight, input_shape, window)
        case "winograd4" if convolution.groups == 1:
            return winograd.input_gradient(dy, weight, input_shape, window, onto)
        case _:
            dx = reference.conv2d_input_gradient(dy, weight, convolution)
    return dx if onto is None else layout.add_to(dx, onto)


def conv2d_weight_gradient(dy: Array, x: Array | DeferredNorm, convolution: Convolution) -> Array:
    """Return dw, summed over the batch."""
    weight_shape, window, groups = (
        convolution.weight_shape, convolution.window, convolution.groups,
    )  # fmt: skip
    last = is_channels_last(convolution)
    match conv2d_algorithm(convolution):
        case "direct" if last:
            return last_gradient.weight_gradient(dy, x, weight_shape, window)
        case "winograd4" if last:
            return last_winograd_gradient.weight_gradient(dy, x, weight_shape, window)
        case "direct" if point_gradient.supports(weight_shape, window, groups):
            return point_gradient.weight_gradient(dy, x)
        case "direct":
            return weight_gradient(dy, materialize(x), weight_shape, window, groups)
        case "depthwise" if last:
            return last_depthwise.weight_gradient(dy, x, weight_shape, window)
        case "depthwise":
            return depthwise.weight_gradient(dy, x, weight_shape, window)
        case "winograd4" if groups == 1:
            return winograd_gradient.weight_gradient(dy, x, weight_shape, window)
        case _:
            return reference.conv2d_weight_gradient(dy, materialize(x), convolution)


def is_channels_last(convolution: Convolution) -> bool:
    """Return whether the convolution is computed with channels in the lanes."""
    if not layout.channels_innermost(convolution.output_shape):
        return False
    return convolution.groups == 1 or conv2d_algorithm(convolution) == "depthwise"


def conv2d_bias_gradient(dy: Array) -> Array:
    """Return ``db = Σ dy`` over batch and positions."""
    return layout.channel_sums(dy)


def conv2d_algorithm(convolution: Convolution) -> str:
    """Return the name of the algorithm to use, or say why the requested one cannot be."""
    if convolution.input_shape[0] == 0:  # nothing is computed, and kernels divide by this
        return reference.conv2d_algorithm(replace(convolution, algorithm="auto"))
    can_winograd = winograd.supports(convolution.window, convolution.groups)
    match convolution.algorithm:
        case "auto" | "precise" | "tuned" if convolution.is_depthwise:
            return "depthwise"
        case "tuned" if can_winograd:
            passes = conv2d, conv2d_input_gradient, conv2d_weight_gradient
            return tuning.fastest(("direct", "winograd4"), passes, convolution)
        case "auto" if can_winograd and _winograd_pays(convolution):
            return "winograd4"
        case "auto" | "precise" | "tuned":
            return "direct"
        case "direct":
            return "direct"
        case "depthwise" if convolution.is_depthwise:
            return "depthwise"
        case "winograd4" if can_winograd:
            return "winograd4"
        case _:  # the reference engine computes it, or says why it cannot be computed
            return reference.conv2d_algorithm(convolution)


def reads_deferred(convolution: Convolution) -> bool:
    """Return whether it is faster to normalise images as they are read than to write them first.

    It can be done with every convolution; where it is slower, they are written first.
    """
    match conv2d_algorithm(convolution):
        case "direct" | "depthwise" if is_channels_last(convolution):
            return False
        case "direct":
            return direct.is_pointwise(convolution.window, convolution.groups)
        case "depthwise":
            return True
        case "winograd4":
            return convolution.groups == 1
        case _:
            return False


def _winograd_pays(convolution: Convolution) -> bool:
    """Return whether F(4×4, 3×3) is the faster: measured by benchmarks/winograd_or_direct.py.

    It always computes a whole width of images and whole squares of outputs, needed or not, and
    each channel is transformed, and so are the weights.
    """
    images, window = convolution.input_shape[0], convolution.window
    channels, size = min(convolution.weight_shape[:2]), min(window.output_size)
    if is_channels_last(convolution):
        pixels = images * window.output_size[0] * window.output_size[1]
        return channels >= 16 and size >= 7 and pixels >= 512
    if images >= WIDTH:
        return channels >= 8 and size >= 7
    return channels >= 24 and size >= 16
