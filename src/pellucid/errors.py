"""The errors of the library.

Every message says what was given, what was expected and what to do. Each is a `ValueError`,
so that code that does not know Pellucid can catch it; the command prints it as one line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "DataError",
    "FileError",
    "MissingExtraError",
    "PellucidError",
    "ShapeError",
    "TrainingError",
    "installing",
    "missing_extra",
    "unknown",
]


def __dir__() -> list[str]:
    return __all__


_LONGEST = 60
_NEAR = 0.6  # below that a guess is silly


class PellucidError(ValueError):
    """An argument is invalid, or another error that the user can correct."""


class ShapeError(PellucidError):
    """Sizes of arrays or layers do not fit together."""


class DataError(PellucidError):
    """A data set is missing, damaged or invalid."""


class FileError(PellucidError):
    """A model, checkpoint or description cannot be read or written."""


class TrainingError(PellucidError):
    """Training cannot continue, for example because the loss is not finite."""


class LostProcessError(TrainingError):
    """One of several training processes has ended or does not answer.

    Parameters
    ----------
    has_ended
        Whether the process has ended, so that the others may continue without it. Otherwise it
        may still answer later.
    """

    def __init__(self, message: str, has_ended: bool = True) -> None:
        super().__init__(message)
        self.has_ended = has_ended


class MissingExtraError(PellucidError, ImportError):
    """An optional package is required but not installed."""


def missing_extra(purpose: str, package: str, extra: str = "app") -> MissingExtraError:
    """Return the error for a missing package, with the command that installs it.

    >>> print(missing_extra("reading CSV files", "pandas"))  # doctest: +ELLIPSIS
    reading CSV files needs pandas, which is not installed; get it with: pip install ...[app]"
    """
    return MissingExtraError(
        f"{purpose} needs {package}, which is not installed; get it with: {installing(extra)}"
    )


def installing(extra: str) -> str:
    """Return the command that installs an extra: in a clone of the repository that of the clone."""
    clone = Path(__file__).resolve().parents[2]
    if (clone / "pyproject.toml").is_file():
        return f'pip install -e "{clone}[{extra}]"'
    return f'pip install "pellucid[{extra}]"'


def unknown(what: str, given: object, known: Iterable[str]) -> str:
    """Return the message for an unknown name, with the most similar known one.

    >>> unknown("model", "resnet", ["lenet5", "resnet20"])
    "unknown model 'resnet'; did you mean 'resnet20'? Known: lenet5, resnet20"
    """
    names, name = list(known), str(given)
    name = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"  # a file may give any name
    near = difflib.get_close_matches(name, names, n=1, cutoff=_NEAR)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return f"unknown {what} '{name}'{hint} Known: {', '.join(names)}"
