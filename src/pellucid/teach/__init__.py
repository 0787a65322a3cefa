"""Programming exercises whose checks name the mistake.

Write the function of an exercise and check it. An error is shown in the smallest case found and, if
it is one of the known mistakes, named:

>>> import numpy as np
>>> from pellucid import teach
>>> def relu(x):
...     return np.abs(x)
>>> print(teach.check.relu(relu))
relu is not there yet. It returns the absolute value.
  Negative numbers become 0, not positive.
<BLANKLINE>
numbers on both sides of 0, relu(x):
x
-9
<BLANKLINE>
y expected    y got
0             9*

>>> print(teach.check.relu(lambda x: np.maximum(x, 0)))
relu is right: 3 cases.

`pellucid learn` lists the exercises, and `pellucid learn check FILE` checks from a terminal.
"""

from __future__ import annotations

from pellucid.teach.checks import check
from pellucid.teach.exercise import Exercise, Mistake
from pellucid.teach.exercises import EXERCISES, find
from pellucid.teach.result import Result

__all__ = ["EXERCISES", "Exercise", "Mistake", "Result", "check", "find"]


def __dir__() -> list[str]:
    return __all__
