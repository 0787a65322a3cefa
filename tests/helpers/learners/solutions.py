"""Where solutions are registered."""

from typing import Any

WRONG: list[Any] = []
RIGHT: list[Any] = []


def wrong(exercise, mistake):
    def add(function):
        WRONG.append((exercise, mistake, function))
        return function

    return add


def right(exercise):
    def add(function):
        RIGHT.append((exercise, function))
        return function

    return add
