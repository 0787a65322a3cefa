"""What to say when the package of another framework is not there."""

from pellucid.errors import MissingExtraError


def missing(package: str, extra: str, purpose: str) -> MissingExtraError:
    """Return the error that says what `purpose` needs and how to get it.

    >>> print(missing("PyTorch", "torch", "to_torch"))
    to_torch needs PyTorch, which is not installed; get it with: pip install "pellucid[torch]"
    """
    return MissingExtraError(
        f"{purpose} needs {package}, which is not installed; "
        f'get it with: pip install "pellucid[{extra}]"'
    )
