"""Rows and images that cannot be used: an error names them or, if asked, they are left out."""

import warnings
from dataclasses import dataclass, field

from pellucid.errors import DataError

_NAMED = 5


class SkippedWarning(UserWarning):
    """Rows or images were left out because they could not be used; the message names them."""


@dataclass
class Problems:
    """Rows or images that cannot be used, gathered so that one message names them all.

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
        """Note that `where` cannot be used, and why."""
        self.found.append((where, reason))

    def settle(self, source: str, skip: bool) -> None:
        """Raise the error for what was found or, if it is to be skipped, warn."""
        if not self.found:
            return
        plural = len(self.found) > 1
        what = f"{len(self.found)} unusable {self.what}{'s' if plural else ''}"
        named = ", ".join(f"{where} ({reason})" for where, reason in self.found[:_NAMED])
        more = len(self.found) - _NAMED
        named += f" and {more:,} more" if more > 0 else ""
        if skip:
            warnings.warn(f"{source}: left out {what}: {named}", SkippedWarning, stacklevel=3)
            return
        it = "them" if plural else "it"
        raise DataError(
            f"{source} has {what}: {named}; mend {it} or leave {it} out with skip_bad=True"
        )
