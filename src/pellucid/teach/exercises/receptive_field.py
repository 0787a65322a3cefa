"""What one output sees through several layers."""

from pellucid.teach.exercise import case, exercise


def make(source, count, first):
    layers = [(3, 2), (2, 2), (3, 1), (5, 1)]
    if not 0 < count <= len(layers):
        raise ValueError
    return {"layers": ([(3, 1)] if first else []) + layers[:count]}


CASES = [
    case("one layer", count=1, first=False),
    case("a stride below another layer", count=2, first=False),
    case("several layers", count=4, first=True),
]


@exercise(chapter=4, title="Receptive field", make=make, cases=CASES, returns=("pixels",))
def receptive_field(layers):
    """Return how many pixels of the image one output sees in one direction.

    `layers` is a list of (kernel, stride), from the image to the output. Without layers an output
    sees 1 pixel. A layer's kernel makes it see (kernel − 1) steps more, and a step on its input is
    the product of the strides of all layers before it.
    """
    seen, step = 1, 1
    for kernel, stride in layers:
        seen += (kernel - 1) * step
        step *= stride
    return seen


@receptive_field.mistake(
    "The strides are ignored.", "Behind a stride of 2, neighbours lie 2 pixels apart."
)
def strides_ignored(layers):
    return 1 + sum(kernel - 1 for kernel, _ in layers)


@receptive_field.mistake(
    "A layer's own stride already counts for its own kernel.",
    "The stride moves the outputs apart; a layer's kernel reads its inputs. Add first, then "
    "multiply the step.",
)
def own_stride_counted(layers):
    seen, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        seen += (kernel - 1) * step
    return seen


@receptive_field.mistake(
    "The kernels are added up whole.", "A kernel of 3 adds 2: one of its pixels was seen already."
)
def kernels_added(layers):
    seen, step = 0, 1
    for kernel, stride in layers:
        seen += kernel * step
        step *= stride
    return seen


@receptive_field.mistake(
    "The layers are taken from the output to the image, with the rule for the other direction.",
    "Going from the image up: seen += (kernel − 1)·step. Going back down: "
    "seen = (seen − 1)·stride + kernel.",
)
def wrong_direction(layers):
    return receptive_field(layers[::-1])
