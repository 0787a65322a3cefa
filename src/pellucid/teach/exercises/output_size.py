"""How large the output of a convolution is."""

from pellucid.geometry import Window
from pellucid.teach.exercise import case, exercise


def make(source, size, kernel, stride, padding, dilation):
    Window.of((size, size), kernel, stride=stride, padding=padding, dilation=dilation)
    return {
        "size": size,
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
    }


CASES = [
    case("nothing special", size=5, kernel=3, stride=1, padding=0, dilation=1),
    case("padding", size=5, kernel=3, stride=1, padding=2, dilation=1),
    case("a stride", size=7, kernel=3, stride=2, padding=0, dilation=1),
    case("a stride that leaves a remainder", size=8, kernel=3, stride=2, padding=0, dilation=1),
    case("dilation", size=11, kernel=3, stride=1, padding=0, dilation=2),
    case("everything", size=28, kernel=5, stride=3, padding=2, dilation=2),
]


@exercise(chapter=2, title="Size of the output", make=make, cases=CASES, returns=("size",))
def output_size(size, kernel, stride=1, padding=0, dilation=1):
    """Return how many outputs a window has in one direction.

    The image has `size` pixels in that direction and `padding` zeros on both sides. The kernel has
    `kernel` numbers, `dilation` pixels apart, and moves by `stride` pixels. A window that does not
    fit in whole gives no output. Return an int.
    """
    extent = dilation * (kernel - 1) + 1
    return (size + 2 * padding - extent) // stride + 1


@output_size.mistake(
    "The last window is not counted.",
    "Between 5 posts there are 4 gaps: the window starts once and then moves, so one is added.",
)
def one_too_few(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride


@output_size.mistake("The padding is counted on one side only.", "There are zeros on both sides.")
def padding_counted_once(size, kernel, stride, padding, dilation):
    return (size + padding - dilation * (kernel - 1) - 1) // stride + 1


@output_size.mistake(
    "The padding is ignored.", "Zeros on both sides make the image larger by 2·padding."
)
def padding_ignored(size, kernel, stride, padding, dilation):
    return output_size(size, kernel, stride, 0, dilation)


@output_size.mistake(
    "A window that does not fit in whole is counted.",
    "Divide with //, which rounds down; what is left at the end under the stride gives no output.",
)
def rounded_up(size, kernel, stride, padding, dilation):
    return -(-(size + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1


@output_size.mistake(
    "The result is not a whole number.", "Use // instead of /: a part of a window gives no output."
)
def not_whole(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1


@output_size.mistake(
    "The dilation is ignored.",
    "With dilation D, the first and the last of K numbers are D·(K − 1) pixels apart.",
)
def dilation_ignored(size, kernel, stride, padding, dilation):
    return output_size(size, kernel, stride, padding)


@output_size.mistake(
    "The kernel's extent is taken as dilation·kernel.",
    "K numbers have K − 1 gaps, so that they cover dilation·(K − 1) + 1 pixels.",
)
def extent_too_large(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * kernel) // stride + 1


@output_size.mistake(
    "The one is added before the division.", "First divide by the stride, then add 1."
)
def one_added_too_early(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1)) // stride


@output_size.mistake("The stride is ignored.", "With a stride of 2 there are half as many windows.")
def stride_ignored(size, kernel, stride, padding, dilation):
    return output_size(size, kernel, 1, padding, dilation)
