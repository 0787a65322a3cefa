"""Load a data set by name or path."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pellucid.data.cifar import cifar10, cifar100
from pellucid.data.digits import digits
from pellucid.data.mnist import fashion_mnist, mnist
from pellucid.data.recognise import Reader, reader_of
from pellucid.data.splits import Splits
from pellucid.data.svhn import svhn
from pellucid.errors import DataError, unknown

_NAMED: dict[str, Reader] = {
    "digits": digits,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "cifar-10": cifar10,
    "cifar-100": cifar100,
    "svhn": svhn,
}
_ALIASES = {
    "cifar10": "cifar-10",
    "cifar100": "cifar-100",
    "fashion": "fashion-mnist",
    "fashionmnist": "fashion-mnist",
}


def names() -> tuple[str, ...]:
    """Return the names of the data sets that `load` can download or generate.

    >>> names()
    ('digits', 'mnist', 'fashion-mnist', 'cifar-10', 'cifar-100', 'svhn')
    """
    return tuple(_NAMED)


def load(source: str | Path, **options: Any) -> Splits:
    """Load a data set by its name, or from a file or folder.

    Parameters
    ----------
    source
        One of `names` (in any case; ``cifar10`` and ``fashion`` are understood), or the path of a
        file or folder, whose kind is recognised by its content: class folders, tables, .npz files,
        and the official files of MNIST, EMNIST, CIFAR-10, CIFAR-100, SVHN and STL-10. Names take
        precedence over paths; write ``./mnist`` for a folder of that name.
    options
        Options of the reader for that kind of data: see `read_csv`, `read_npz` and `read_folder`.

    Returns
    -------
    Splits
        The data set with its parts.

    Raises
    ------
    DataError
        The name or path does not exist, an option is unknown, or the data is invalid.

    Examples
    --------
    >>> load("digits")
    digits: 1,438 images of 1×8×8, uint8, in 10 classes, 359 for testing
    """
    reader = _reader(source)
    known = _options(reader)
    for option in options:
        if option not in known:
            raise DataError(
                unknown(f"option of '{source}'", option, known)
                if known
                else f"'{source}' takes no option '{option}'"
            )
    return reader(**options)


def takes(source: str | Path, option: str) -> bool:
    """Return whether `load` accepts this option for this source."""
    return option in _options(_reader(source))


def lasting(source: str | Path) -> str:
    """Return the name or absolute path by which the data set is found from any folder.

    >>> lasting("CIFAR10")
    'cifar-10'
    """
    return _name(source) or str(Path(source).expanduser().resolve())


def _name(source: str | Path) -> str | None:
    """Return which of `names` this is, if it is one."""
    name = str(source).lower().replace("_", "-")
    name = _ALIASES.get(name, name)
    return name if name in _NAMED and not isinstance(source, Path) else None


def _reader(source: str | Path) -> Reader:
    if (name := _name(source)) is not None:
        return _NAMED[name]
    path = Path(source).expanduser()
    if not path.exists():
        raise DataError(_not_found(str(source)))
    return reader_of(path)


def _options(reader: Callable[..., Splits]) -> list[str]:
    return [
        name
        for name, parameter in inspect.signature(reader).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]


def _not_found(source: str) -> str:
    if "/" in source or "\\" in source or Path(source).suffix:
        return f"there is no file or folder '{source}'"
    return f"{unknown('data set', source, _NAMED)}, or the path of a file or folder"
