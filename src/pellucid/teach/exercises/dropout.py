"""Dropout: learning with parts missing."""

from pellucid.teach.exercise import case, exercise, whole


def make(source, N, size, training):
    return {
        "x": whole(source, N, size),
        "kept": source.random((N, size)) >= 0.25,
        "p": 0.25,
        "training": training,
    }


CASES = [
    case("training", N=2, size=4, training=True),
    case("inference", N=2, size=4, training=False),
    case("a larger batch", N=5, size=6, training=True),
]


@exercise(chapter=11, title="Dropout", make=make, cases=CASES)
def dropout(x, kept, p, training):
    """Return x with dropout.

    In training, numbers where `kept` is False become 0, and the others are divided by 1 − p, so
    that the mean stays as it was; p is the probability of being dropped. In inference x stays.
    """
    return x * kept / (1 - p) if training else x.copy()


@dropout.mistake(
    "What is kept is not scaled.",
    "Without the division by 1 − p, the next layer sees smaller numbers in training than later.",
)
def not_scaled(x, kept, p, training):
    return x * kept if training else x


@dropout.mistake("It is divided by p.", "The share that is kept is 1 − p.")
def divided_by_p(x, kept, p, training):
    return x * kept / p if training else x


@dropout.mistake("It is multiplied by 1 − p.", "Divide: fewer numbers must make up for the others.")
def multiplied(x, kept, p, training):
    return x * kept * (1 - p) if training else x


@dropout.mistake("It drops in inference too.", "With training=False, nothing is dropped.")
def drops_in_inference(x, kept, p, training):
    return x * kept / (1 - p)


@dropout.mistake(
    "It scales in inference as well.",
    "If training divides by 1 − p, inference leaves x as it is; scaling in both counts twice.",
)
def scales_in_inference(x, kept, p, training):
    return x * kept / (1 - p) if training else x * (1 - p)


@dropout.mistake(
    "It scales in inference instead of in training.",
    "That is the older way. Here training divides, so that inference has nothing to do.",
)
def scales_in_inference_only(x, kept, p, training):
    return x * kept if training else x * (1 - p)


@dropout.mistake("It keeps what should be dropped.", "`kept` is True where a number stays.")
def mask_turned_round(x, kept, p, training):
    return x * ~kept / (1 - p) if training else x
