"""A learning rate that rises, then falls."""

import numpy as np

from pellucid.teach.exercise import case, exercise


def make(source, step, steps, warmup):
    if not 0 <= step < steps or not 0 < warmup < steps:
        raise ValueError
    return {"step": step, "steps": steps, "warmup": warmup, "peak": 0.5}


CASES = [
    case("the first step", step=0, steps=10, warmup=4),
    case("rising", step=2, steps=10, warmup=4),
    case("the top", step=4, steps=10, warmup=4),
    case("falling", step=7, steps=10, warmup=4),
    case("the last step", step=9, steps=10, warmup=4),
]


@exercise(chapter=8, title="Warm-up and cosine", make=make, cases=CASES, returns=("rate",))
def warmup_cosine(step, steps, warmup, peak):
    """Return the learning rate of a step, counted from 0, in a run of `steps` steps.

    In the first `warmup` steps it rises evenly: ``peak · (step + 1) / warmup``. Then it falls along
    half a cosine, with t from 0 at step `warmup` to 1 at step `steps`:
    ``peak · (1 + cos(π·t)) / 2``.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup))) / 2


@warmup_cosine.mistake(
    "The first step has a rate of 0.", "A step with rate 0 is lost: (step + 1) / warmup."
)
def starts_at_zero(step, steps, warmup, peak):
    return peak * step / warmup if step < warmup else warmup_cosine(step, steps, warmup, peak)


@warmup_cosine.mistake("There is no warm-up.", "In the first `warmup` steps the rate rises.")
def without_warmup(step, steps, warmup, peak):
    return peak * (1 + np.cos(np.pi * max(step - warmup, 0) / (steps - warmup))) / 2


@warmup_cosine.mistake(
    "The cosine starts at step 0.",
    "t is 0 at the end of the warm-up: (step − warmup) / (steps − warmup).",
)
def cosine_from_the_start(step, steps, warmup, peak):
    if step < warmup:
        return warmup_cosine(step, steps, warmup, peak)
    return peak * (1 + np.cos(np.pi * step / steps)) / 2


@warmup_cosine.mistake(
    "The angle is in degrees.", "np.cos takes radians: half a turn is π, not 180."
)
def degrees(step, steps, warmup, peak):
    if step < warmup:
        return warmup_cosine(step, steps, warmup, peak)
    return peak * (1 + np.cos(180 * (step - warmup) / (steps - warmup))) / 2


@warmup_cosine.mistake("It is a quarter of a cosine's wave.", "Half a wave: cos goes from 1 to −1.")
def quarter_wave(step, steps, warmup, peak):
    if step < warmup:
        return warmup_cosine(step, steps, warmup, peak)
    return peak * np.cos(np.pi / 2 * (step - warmup) / (steps - warmup))


@warmup_cosine.mistake("The rate falls along a line.", "peak · (1 + cos(π·t)) / 2.")
def straight_line(step, steps, warmup, peak):
    if step < warmup:
        return warmup_cosine(step, steps, warmup, peak)
    return peak * (1 - (step - warmup) / (steps - warmup))
