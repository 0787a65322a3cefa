"""Back through a convolution: its three gradients."""

import numpy as np

from pellucid import ops
from pellucid.teach.exercise import Law, case, exercise, whole
from pellucid.teach.exercises import conv2d as forwards
from pellucid.teach.laws import adjoint_error


def make(source, **sizes):
    given = forwards.make(source, **sizes)
    shape = forwards.conv2d(**given).shape
    x, weight = given["x"], given["weight"]
    return {"dy": whole(source, *shape), "x": x, "weight": weight} | {
        name: given[name] for name in ("stride", "padding")
    }


ONE = forwards.ONE
CASES = [
    case("one image, one channel, one filter", **ONE),
    case("a kernel of 3×3", **ONE | {"H": 5, "W": 5, "KH": 3, "KW": 3}),
    case("two channels and two filters", **ONE | {"C": 2, "F": 2, "H": 3, "W": 3}),
    case("padding", **ONE | {"H": 3, "W": 4, "padding": 1}),
    case("stride 2", **ONE | {"H": 5, "W": 5, "KH": 3, "KW": 3, "stride": 2}),
    case("stride 2 with a remainder", **ONE | {"H": 6, "W": 6, "KH": 3, "KW": 3, "stride": 2}),
    case("three images", **ONE | {"N": 3}),
    case("everything", N=2, C=3, H=6, W=7, F=4, KH=3, KW=2, stride=2, padding=1),
]


def _geometry():
    source = np.random.default_rng(0)
    return source.normal(size=(2, 3, 6, 5)), source.normal(size=(4, 3, 3, 2))


def _off_for_x(function):
    x, weight = _geometry()
    return adjoint_error(
        lambda x: ops.conv2d(x, weight, stride=2, padding=1),
        lambda dy: function(dy, x, weight, 2, 1)[0],
        x,
    )


def _off_for_weight(function):
    x, weight = _geometry()
    return adjoint_error(
        lambda weight: ops.conv2d(x, weight, stride=2, padding=1),
        lambda dy: function(dy, x, weight, 2, 1)[1],
        weight,
    )


@exercise(
    chapter=6,
    title="Back through a convolution",
    make=make,
    cases=CASES,
    returns=("dx", "dw", "db"),
    laws=(
        Law("⟨conv(x, w), dy⟩ = ⟨x, dx⟩", _off_for_x),
        Law("⟨conv(x, w), dy⟩ = ⟨w, dw⟩", _off_for_weight),
    ),
)
def conv2d_backward(dy, x, weight, stride=1, padding=0):
    """Return the gradients dx, dw and db of `conv2d`: three results.

    Each product x̂[n, c, o·stride + i, p·stride + j] · weight[f, c, i, j] was added into
    y[n, f, o, p]. So dy[n, f, o, p] · weight[f, c, i, j] is added into dx̂ there, and
    dy[n, f, o, p] · x̂[…] into dw[f, c, i, j]. dx is dx̂ without the padding, and db[f] the sum of
    dy[:, f]. All are sums over the batch where they have no batch themselves.
    """
    geometry = {"stride": stride, "padding": padding}
    dx = ops.conv2d_input_gradient(dy, weight, x.shape, **geometry)
    dw = ops.conv2d_weight_gradient(dy, x, weight.shape, **geometry)
    return dx, dw, ops.conv2d_bias_gradient(dy)


def _with_dx(make_dx):
    def variant(dy, x, weight, stride, padding):
        _, dw, db = conv2d_backward(dy, x, weight, stride, padding)
        return make_dx(dy, x, weight, stride, padding), dw, db

    variant.__name__ = make_dx.__name__
    return variant


def _with_dw(make_dw):
    def variant(dy, x, weight, stride, padding):
        dx, _, db = conv2d_backward(dy, x, weight, stride, padding)
        return dx, make_dw(dy, x, weight, stride, padding), db

    variant.__name__ = make_dw.__name__
    return variant


def _dx(*given):
    return conv2d_backward(*given)[0]


def _dw(*given):
    return conv2d_backward(*given)[1]


@conv2d_backward.mistake(
    "The kernel is not turned by 180° in the input's gradient.",
    "Forwards, output o read x at o + i; so x at h gets from output o = h − i. Going over dy with "
    "a sliding window, the kernel must be turned: weight[:, :, ::-1, ::-1].",
)
@_with_dx
def kernel_not_flipped(dy, x, weight, stride, padding):
    return _dx(dy, x, weight[:, :, ::-1, ::-1], stride, padding)


@conv2d_backward.mistake(
    "In the input's gradient, windows are overwritten instead of added.",
    "A pixel took part in several outputs and gets the sum: dx[window] += dy · weight.",
)
@_with_dx
def overwritten(dy, x, weight, stride, padding):
    dx = np.zeros((*x.shape[:2], x.shape[2] + 2 * padding, x.shape[3] + 2 * padding))
    KH, KW = weight.shape[2:]
    for n, f, o, p in np.ndindex(dy.shape):
        h, w = o * stride, p * stride
        dx[n, :, h : h + KH, w : w + KW] = dy[n, f, o, p] * weight[f]
    return dx[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]


@conv2d_backward.another("overwritten")
@_with_dx
def overwritten_with_filters_added(dy, x, weight, stride, padding):
    dx = np.zeros((*x.shape[:2], x.shape[2] + 2 * padding, x.shape[3] + 2 * padding))
    KH, KW = weight.shape[2:]
    for n, o, p in np.ndindex(len(dy), *dy.shape[2:]):
        h, w = o * stride, p * stride
        dx[n, :, h : h + KH, w : w + KW] = np.tensordot(dy[n, :, o, p], weight, 1)
    return dx[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]


@conv2d_backward.mistake(
    "The padding is still around the input's gradient.",
    "Cut it off: dx[:, :, padding:padding + H, padding:padding + W].",
)
@_with_dx
def padding_left(dy, x, weight, stride, padding):
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return _dx(dy, padded, weight, stride, 0)


@conv2d_backward.mistake(
    "The padding is cut off the input's gradient at the wrong end.",
    "The image lies in the middle: drop `padding` rows and columns on every side.",
)
@_with_dx
def cut_at_the_wrong_end(dy, x, weight, stride, padding):
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return _dx(dy, padded, weight, stride, 0)[:, :, : x.shape[2], : x.shape[3]]


@conv2d_backward.mistake(
    "The stride is ignored in the input's gradient.",
    "Output o read from row o·stride on, and there its gradient goes back to.",
)
@_with_dx
def stride_ignored_for_x(dy, x, weight, stride, padding):
    (KH, KW), (OH, OW) = weight.shape[2:], dy.shape[2:]
    H, W = x.shape[2:]
    dx = np.zeros((*x.shape[:2], H + 2 * padding, W + 2 * padding))
    part = np.zeros((*x.shape[:2], OH + KH - 1, OW + KW - 1))
    dx[:, :, : OH + KH - 1, : OW + KW - 1] = _dx(dy, part, weight, 1, 0)
    return dx[:, :, padding : padding + H, padding : padding + W]


@conv2d_backward.mistake(
    "The stride is ignored in the weight's gradient.",
    "Output o read x̂ from row o·stride on: multiply dy[o] by that.",
)
@_with_dw
def stride_ignored_for_weight(dy, x, weight, stride, padding):
    (KH, KW), (OH, OW) = weight.shape[2:], dy.shape[2:]
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return ops.conv2d_weight_gradient(dy, x[:, :, : OH + KH - 1, : OW + KW - 1], weight.shape)


@conv2d_backward.mistake(
    "The padding is ignored in the weight's gradient.",
    "It reads the padded image, as the forward pass did.",
)
@_with_dw
def padding_ignored_for_weight(dy, x, weight, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))
    return _dw(dy, x, weight, stride, 0)


@conv2d_backward.mistake(
    "The weight's gradient is divided by the batch size.",
    "The loss has taken the mean already. Here the images' parts are added.",
)
@_with_dw
def weight_gradient_averaged(dy, x, weight, stride, padding):
    return _dw(dy, x, weight, stride, padding) / len(x)


@conv2d_backward.mistake(
    "Only the last image counts in the weight's gradient.", "Add what the images give: +=, not =."
)
@_with_dw
def last_image_only(dy, x, weight, stride, padding):
    return _dw(dy[-1:], x[-1:], weight, stride, padding)


@conv2d_backward.mistake(
    "The weight's gradient is turned by 180°.",
    "dw = x ⋆ dy: x is read as in the forward pass, and nothing is turned.",
)
@_with_dw
def weight_gradient_flipped(dy, x, weight, stride, padding):
    return _dw(dy, x, weight, stride, padding)[:, :, ::-1, ::-1]


@conv2d_backward.mistake(
    "Only the last window counts in the weight's gradient.",
    "Every output used the kernel: dw[f] += dy[n, f, o, p] · window.",
)
@_with_dw
def last_window_only(dy, x, weight, stride, padding):
    last = np.zeros_like(dy)
    last[-1, :, -1, -1] = dy[-1, :, -1, -1]
    return _dw(last, x, weight, stride, padding)


@conv2d_backward.mistake(
    "Filters and channels are swapped in the input's gradient.",
    "dx[n, c] adds over the filters f: dy[n, f] · weight[f, c].",
)
@_with_dx
def filters_and_channels_swapped(dy, x, weight, stride, padding):
    swapped = weight.swapaxes(0, 1) if weight.shape[0] == weight.shape[1] else weight
    return _dx(dy, x, swapped, stride, padding)


@conv2d_backward.mistake(
    "Only the last filter counts in the input's gradient.", "Add what the filters give: +=, not =."
)
@_with_dx
def last_filter_only(dy, x, weight, stride, padding):
    return _dx(dy[:, -1:], x, weight[-1:], stride, padding)


@conv2d_backward.mistake(
    "The bias's gradient is averaged.", "db[f] is the sum of dy[:, f] over batch and positions."
)
def bias_gradient_averaged(dy, x, weight, stride, padding):
    dx, dw, _ = conv2d_backward(dy, x, weight, stride, padding)
    return dx, dw, dy.mean(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "The bias's gradient is divided by the batch size.", "It is a sum over the batch as well."
)
def bias_gradient_over_batch(dy, x, weight, stride, padding):
    dx, dw, db = conv2d_backward(dy, x, weight, stride, padding)
    return dx, dw, db / len(x)


@conv2d_backward.mistake(
    "The bias's gradient is summed over all filters.",
    "Each filter has a bias of its own: sum over the axes 0, 2 and 3.",
)
def bias_gradient_over_filters(dy, x, weight, stride, padding):
    dx, dw, db = conv2d_backward(dy, x, weight, stride, padding)
    return dx, dw, np.full_like(db, dy.sum())


@conv2d_backward.mistake(
    "The bias's gradient is not summed over the positions.",
    "The bias was added at every position, so all of them count.",
)
def bias_gradient_of_one_position(dy, x, weight, stride, padding):
    dx, dw, _ = conv2d_backward(dy, x, weight, stride, padding)
    return dx, dw, dy[:, :, 0, 0].sum(axis=0)
