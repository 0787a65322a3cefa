"""The entry point of the exercises: ``check.relu(my_relu)``."""

from __future__ import annotations

from pellucid.errors import unknown
from pellucid.teach.examine import examine
from pellucid.teach.exercise import Function
from pellucid.teach.exercises import EXERCISES, find
from pellucid.teach.result import Result


class Check:
    """Check a function of the reader: ``check.relu(my_relu)`` or ``check("relu", my_relu)``.

    There is one method for each exercise. In a notebook, ``check.relu?`` shows the task.

    Examples
    --------
    >>> import numpy as np
    >>> bool(check.sigmoid(lambda x: 0.5 * (1 + np.tanh(x / 2))))
    True
    >>> check("sigmoid", lambda x: np.tanh(x)).names
    ('hyperbolic_tangent',)
    """

    def __call__(self, exercise: str, function: Function) -> Result:
        return examine(find(exercise), function)

    def __getattr__(self, name: str) -> OneCheck:
        if name not in EXERCISES:
            raise AttributeError(unknown("exercise", name, EXERCISES))
        return OneCheck(name)

    def __dir__(self) -> list[str]:
        return list(EXERCISES)


class OneCheck:
    """The check of one exercise."""

    def __init__(self, name: str) -> None:
        exercise = find(name)
        self.exercise = exercise
        self.__name__ = name
        self.__doc__ = f"{exercise.signature}\n\n{exercise.statement}"

    def __call__(self, function: Function) -> Result:
        return examine(self.exercise, function)

    def __repr__(self) -> str:
        return f"<check of {self.exercise.signature}>"


check = Check()
