"""Mistakes that are possible in every exercise."""

from __future__ import annotations

from pellucid.teach.exercise import Mistake

NOT_WRITTEN = Mistake(
    "not_written",
    "It is not written yet.",
    "Replace `raise NotImplementedError` by your own lines.",
)
OTHER_ARGUMENTS = Mistake(
    "other_arguments",
    "It takes other arguments than the exercise says.",
    "Keep the function's first line as given, with the same arguments in the same order.",
)
NOTHING_RETURNED = Mistake(
    "nothing_returned",
    "It returns nothing.",
    "A function without `return` gives None. Return what you have computed.",
)
OTHER_RESULT = Mistake(
    "other_result",
    "It returns something else than the exercise asks for.",
    "Compare what you return, and in which order, with the statement.",
)
OVERWRITTEN = Mistake(
    "input_overwritten",
    "It writes into its input.",
    "The input belongs to the caller, who may need it again, for example in the backward pass. "
    "`x[...] = …`, `x += …` and `out=x` change it. Work on a copy, or make a new array.",
)
REMEMBERS = Mistake(
    "remembers",
    "The second call with the same arguments gives something else than the first.",
    "Something is kept between calls: a default argument such as `out=[]`, a global variable, or a "
    "random number.",
)
TOO_SLOW = Mistake(
    "too_slow",
    "Its numbers are right, but it is far too slow.",
    "Loops in Python over pixels, channels or images take most of the time. Let NumPy go over them "
    "in one call: loop over the few positions of the kernel instead, or use a matrix product.",
)
SLOW = Mistake(
    "slow",
    "It is slow.",
    "It loops in Python over many pixels. That will do for now; for training on real images, loop "
    "over the few positions of the kernel instead.",
)
WIDENED = Mistake(
    "widened",
    "From float32 numbers it makes float64.",
    "`np.zeros(shape)` makes float64. `np.zeros(shape, x.dtype)` keeps the type, and needs half "
    "the memory for float32.",
)
