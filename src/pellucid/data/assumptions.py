"""What is said where data can be read in more than one way."""

from __future__ import annotations

import warnings


class AssumptionWarning(UserWarning):
    """The data can be read in two ways; the message says which was assumed, and how to decide."""


def assume(source: str, reading: str, option: str) -> None:
    """Warn that `source` was read in one of two possible ways.

    Parameters
    ----------
    source
        The file, folder or array.
    reading
        How it was read.
    option
        What decides it, in Python and in the command.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as heard:
    ...     warnings.simplefilter("always")
    ...     assume("a.csv", "the class is in the first column", "label= (--label)")
    >>> print(heard[0].message)
    a.csv: the class is in the first column; decide it with label= (--label)
    """
    message = f"{source}: {reading}; decide it with {option}"
    warnings.warn(message, AssumptionWarning, stacklevel=3)
