"""Collect rows and images that cannot be used, and report or skip them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

from pellucid.errors import DataError

NAMED = 5
_LONGEST = 100


class SkippedWarning(UserWarning):
    """Rows or images were skipped because they could not be used; the message names them."""


def shortened(text: object, most: int = 40) -> str:
    """Shorten text to at most `most` characters for a message.

    >>> shortened("70 80 82 72 58 58 60 63 54 58 60 48 89 115 121")
    '70 80 82 72 58 58 60 63 54 58 60 48 89 …'
    """
    whole = " ".join(str(text).split())
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


@dataclass
class Problems:
    """Rows or images that cannot be used, collected for one message.

    >>> problems = Problems("row")
    >>> problems.add("row 3", "column 2 is empty")
    >>> problems.settle("digits.csv", skip=False)
    Traceback (most recent call last):
    pellucid.errors.DataError: digits.csv has 1 unusable row: row 3 (column 2 is empty); \
mend it or leave it out with skip_bad=True
    """

    what: str
    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, where: str, reason: str) -> None:
        """Record that `where` cannot be used, and why."""
        self.found.append((where, reason))

    def settle(self, source: str, skip: bool) -> None:
        """Raise an error that lists the problems, or warn if `skip` is True."""
        if not self.found:
            return
        plural = len(self.found) > 1
        what = f"{len(self.found)} unusable {self.what}{'s' if plural else ''}"
        listed = ((where, shortened(reason, _LONGEST)) for where, reason in self.found[:NAMED])
        named = ", ".join(f"{where} ({reason})" for where, reason in listed)
        more = len(self.found) - NAMED
        named += f" and {more:,} more" if more > 0 else ""
        if skip:
            warnings.warn(f"{source}: left out {what}: {named}", SkippedWarning, stacklevel=3)
            return
        it = "them" if plural else "it"
        raise DataError(
            f"{source} has {what}: {named}; mend {it} or leave {it} out with skip_bad=True"
        )
