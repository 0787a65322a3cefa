"""The loop over batches."""

from pellucid.teach.exercise import case, exercise, whole


def pull(w, batch):
    """The gradient of ½·(w − mean of the batch)²: w − mean."""
    return w - batch.mean(axis=0)


def make(source, N, size, batch_size):
    if batch_size < 1 or N < 1:
        raise ValueError
    return {
        "w": whole(source, size),
        "images": whole(source, N, size),
        "gradient": pull,
        "batch_size": batch_size,
        "lr": 0.5,
    }


CASES = [
    case("one batch", N=2, size=2, batch_size=2),
    case("two batches", N=4, size=2, batch_size=2),
    case("a last batch that is smaller", N=5, size=3, batch_size=2),
    case("several batches", N=11, size=3, batch_size=4),
]


@exercise(chapter=8, title="An epoch", make=make, cases=CASES, returns=("w",))
def sgd_epoch(w, images, gradient, batch_size, lr):
    """Return the weights after one pass over all images.

    The images are taken in their order, `batch_size` at a time; the last batch may be smaller. For
    each batch, ``w ← w − lr · gradient(w, batch)``.
    """
    for start in range(0, len(images), batch_size):
        w = w - lr * gradient(w, images[start : start + batch_size])
    return w


@sgd_epoch.mistake(
    "Gradients of earlier batches are still in the sum.",
    "Set the gradient back to 0 before each batch; else every step repeats those before it.",
)
def gradients_accumulated(w, images, gradient, batch_size, lr):
    total = 0
    for start in range(0, len(images), batch_size):
        total = total + gradient(w, images[start : start + batch_size])
        w = w - lr * total
    return w


@sgd_epoch.mistake(
    "The weights change only at the end of the epoch.", "One step for each batch: inside the loop."
)
def one_step_at_the_end(w, images, gradient, batch_size, lr):
    starts = range(0, len(images), batch_size)
    return w - lr * sum(gradient(w, images[start : start + batch_size]) for start in starts)


@sgd_epoch.mistake(
    "Only the last batch counts.", "Go on from the weights that the batch before has left."
)
def last_batch_only(w, images, gradient, batch_size, lr):
    start = (len(images) - 1) // batch_size * batch_size
    return w - lr * gradient(w, images[start:])


@sgd_epoch.mistake(
    "It returns inside the loop, after the first batch.",
    "Move `return` to the left, behind the loop.",
)
def returned_in_the_loop(w, images, gradient, batch_size, lr):
    return w - lr * gradient(w, images[:batch_size])


@sgd_epoch.mistake(
    "The last, smaller batch is left out.", "range(0, len(images), batch_size) reaches it."
)
def last_batch_left_out(w, images, gradient, batch_size, lr):
    whole_batches = len(images) // batch_size * batch_size
    return sgd_epoch(w, images[:whole_batches], gradient, batch_size, lr)


@sgd_epoch.mistake(
    "Every batch is the first one.", "images[start : start + batch_size], with start going on."
)
def first_batch_again(w, images, gradient, batch_size, lr):
    for _ in range(0, len(images), batch_size):
        w = w - lr * gradient(w, images[:batch_size])
    return w


@sgd_epoch.mistake("The step goes uphill.", "Against the gradient: w − lr·gradient.")
def uphill(w, images, gradient, batch_size, lr):
    return sgd_epoch(w, images, gradient, batch_size, -lr)


@sgd_epoch.mistake(
    "There is one step for each image.", "Give the gradient the whole batch at once."
)
def one_image_at_a_time(w, images, gradient, batch_size, lr):
    return sgd_epoch(w, images, gradient, 1, lr)
