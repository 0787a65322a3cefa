"""How large weights should begin."""

from pellucid.teach.exercise import case, exercise


def make(source, F, C, KH, KW):
    if min(F, C, KH, KW) < 1:
        raise ValueError
    return {"weight_shape": (F, C, KH, KW)}


CASES = [
    case("one channel", F=3, C=1, KH=2, KW=2),
    case("many filters", F=64, C=16, KH=3, KW=3),
]


@exercise(chapter=11, title="He's scale", make=make, cases=CASES, returns=("deviation",))
def he_scale(weight_shape):
    """Return the standard deviation of He's initial weights for a convolution before a ReLU.

    ``√(2 / fan_in)``, where fan_in is how many numbers one output adds up. `weight_shape` is
    (F, C, KH, KW).
    """
    return _scale(weight_shape)


def _scale(shape, factor=2.0, root=0.5, over=(1, 2, 3)):
    fan = 1
    for axis in over:
        fan *= shape[axis]
    return (factor / fan) ** root


@he_scale.mistake(
    "It counts filters instead of channels.", "fan_in = C·KH·KW: what one output reads."
)
def fan_out(weight_shape):
    return _scale(weight_shape, over=(0, 2, 3))


@he_scale.mistake("The kernel's size is forgotten.", "One output adds up C·KH·KW numbers.")
def kernel_forgotten(weight_shape):
    return _scale(weight_shape, over=(1,))


@he_scale.mistake("It is the variance.", "The deviation is its root.")
def variance(weight_shape):
    return _scale(weight_shape, root=1.0)


@he_scale.mistake(
    "The factor 2 is missing.", "ReLU sets half of all numbers to 0; the 2 makes up for it."
)
def two_forgotten(weight_shape):
    return _scale(weight_shape, factor=1.0)


@he_scale.mistake("All weights are counted.", "Only those that meet in one output: without F.")
def all_weights(weight_shape):
    return _scale(weight_shape, over=(0, 1, 2, 3))
