"""Warn about data that can be read in more than one way."""

from __future__ import annotations

import warnings


class AssumptionWarning(UserWarning):
    """The data is ambiguous; the message says what was assumed, and which option decides."""


def assume(source: str, reading: str, option: str) -> None:
    """Warn that `source` is ambiguous and was read in one of two possible ways.

    Parameters
    ----------
    source
        File, folder or array.
    reading
        How it was read.
    option
        Option that decides, in Python and on the command line.

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
