"""One step of Adam."""

import numpy as np

from pellucid.teach.exercise import case, exercise, whole


def make(source, size, t):
    w, g, m = (whole(source, size) for _ in range(3))
    s = np.abs(whole(source, size))
    if t == 1:
        m, s = 0 * m, 0 * s
    return {"w": w, "g": g / 4, "m": m, "s": s, "t": max(t, 1), "lr": 0.5}


CASES = [
    case("the first step", size=2, t=1),
    case("the third step", size=2, t=3),
    case("the tenth step", size=5, t=10),
]


@exercise(chapter=8, title="A step of Adam", make=make, cases=CASES, returns=("w", "m", "s"))
def adam_step(w, g, m, s, t, lr, beta1=0.9, beta2=0.999, eps=1e-3):
    """Return the parameters w and the two running means m and s after one step: three arrays.

    ::

        m ← β₁·m + (1 − β₁)·g
        s ← β₂·s + (1 − β₂)·g²
        w ← w − lr · (m / (1 − β₁ᵗ)) / (√(s / (1 − β₂ᵗ)) + eps)

    t is the number of this step, counted from 1.
    """
    return _step(w, g, m, s, t, lr, beta1, beta2, eps)


def _step(w, g, m, s, t, lr, beta1=0.9, beta2=0.999, eps=1e-3, **other):
    """Compute the step of Adam, with variations for the mistakes given by `other`."""
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * other.get("square", np.square)(g)
    first = m / (1 - beta1**t) if other.get("first", True) else m
    second = s / (1 - beta2**t) if other.get("second", True) else s
    below = np.sqrt(second + eps) if other.get("inside") else np.sqrt(second) + eps
    return w - lr * first / below, m, s


@adam_step.mistake(
    "The bias correction is forgotten.",
    "m and s begin at 0 and are too small at first: divide by 1 − β₁ᵗ and 1 − β₂ᵗ.",
)
def without_bias_correction(w, g, m, s, t, lr):
    return _step(w, g, m, s, t, lr, first=False, second=False)


@adam_step.mistake("Only m is corrected.", "s begins at 0 as well: divide it by 1 − β₂ᵗ.")
def first_corrected_only(w, g, m, s, t, lr):
    return _step(w, g, m, s, t, lr, second=False)


@adam_step.mistake("Only s is corrected.", "m begins at 0 as well: divide it by 1 − β₁ᵗ.")
def second_corrected_only(w, g, m, s, t, lr):
    return _step(w, g, m, s, t, lr, first=False)


@adam_step.mistake(
    "The corrected means are returned.",
    "m and s themselves go into the next step; the correction is for this step alone.",
)
def corrected_means_returned(w, g, m, s, t, lr):
    w, m, s = _step(w, g, m, s, t, lr)
    return w, m / (1 - 0.9**t), s / (1 - 0.999**t)


@adam_step.mistake("eps is inside the square root.", "√(…) + eps keeps the divisor away from 0.")
def eps_inside_the_root(w, g, m, s, t, lr):
    return _step(w, g, m, s, t, lr, inside=True)


@adam_step.mistake("The gradient is not squared in s.", "s is the running mean of g².")
def gradient_not_squared(w, g, m, s, t, lr):
    return _step(w, g, m, s, t, lr, square=np.abs)


@adam_step.mistake("β₁ and β₂ are swapped.", "m forgets faster: β₁ = 0.9, and β₂ = 0.999 for s.")
def betas_swapped(w, g, m, s, t, lr):
    return _step(w, g, m, s, t, lr, beta1=0.999, beta2=0.9)


@adam_step.mistake(
    "β and 1 − β are swapped.", "The old mean counts 0.9, the new gradient 0.1: β·m + (1 − β)·g."
)
def weights_swapped(w, g, m, s, t, lr):
    return _step(w, g, m, s, t, lr, beta1=0.1, beta2=0.001)


@adam_step.mistake("The step is counted one too far.", "t starts at 1; use it as it is given.")
def counted_from_two(w, g, m, s, t, lr):
    return _step(w, g, m, s, t + 1, lr)


@adam_step.mistake("The root is forgotten.", "Divide by √s, the size of a typical gradient.")
def root_forgotten(w, g, m, s, t, lr):
    _, m, s = _step(w, g, m, s, t, lr)
    return w - lr * (m / (1 - 0.9**t)) / (s / (1 - 0.999**t) + 1e-3), m, s


@adam_step.mistake("The step goes uphill.", "Against the gradient: w − lr·….")
def uphill(w, g, m, s, t, lr):
    return _step(w, g, m, s, t, -lr)


@adam_step.mistake(
    "The means used are those of the step before.", "First m and s, then w with the new ones."
)
def old_means_used(w, g, m, s, t, lr):
    _, new_m, new_s = _step(w, g, m, s, t, lr)
    first, second = m / (1 - 0.9**t), s / (1 - 0.999**t)
    return w - lr * first / (np.sqrt(second) + 1e-3), new_m, new_s
