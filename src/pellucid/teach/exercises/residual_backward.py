"""Back through a residual block."""

from pellucid.teach.exercise import case, exercise, whole


def tripled(dy):
    """The gradient through a body that multiplies by 3: 3·dy."""
    return 3 * dy


def make(source, N, size):
    return {"dy": whole(source, N, size), "body_backward": tripled}


CASES = [case("one image", N=1, size=3), case("four images", N=4, size=5)]


@exercise(
    chapter=11, title="Back through a residual block", make=make, cases=CASES, returns=("dx",)
)
def residual_backward(dy, body_backward):
    """Return the gradient for x of ``y = x + body(x)``.

    body_backward(dy) returns the gradient for the body's input.
    """
    return dy + body_backward(dy)


@residual_backward.mistake(
    "The shortcut is forgotten.",
    "x reaches y on two ways, so its gradient has two parts: dy + body_backward(dy).",
)
def shortcut_forgotten(dy, body_backward):
    return body_backward(dy)


@residual_backward.mistake("The body is forgotten.", "Add what comes back through the body.")
def body_forgotten(dy, body_backward):
    return 1 * dy


@residual_backward.mistake("Both ways are averaged.", "They are added.")
def averaged(dy, body_backward):
    return (dy + body_backward(dy)) / 2


@residual_backward.mistake(
    "Both ways are multiplied.", "Chain rule along a way, sum over the ways."
)
def multiplied(dy, body_backward):
    return dy * body_backward(dy)
