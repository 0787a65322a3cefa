"""What to say when an optional package is not there."""

from pellucid.errors import MissingExtraError


def missing(package: str, purpose: str) -> MissingExtraError:
    """Return the error that says what `purpose` needs and how to get it.

    >>> print(missing("pandas", "reading CSV files"))
    reading CSV files needs pandas, which is not installed; get it with: pip install "pellucid[app]"
    """
    return MissingExtraError(
        f"{purpose} needs {package}, which is not installed; "
        'get it with: pip install "pellucid[app]"'
    )
