"""From a name or a path to a data set."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pellucid.data.cifar10 import cifar10
from pellucid.data.csv import read_csv
from pellucid.data.dataset import Splits
from pellucid.data.digits import digits
from pellucid.data.folder import read_folder
from pellucid.data.mnist import fashion_mnist, mnist
from pellucid.data.npz import read_npz
from pellucid.errors import DataError, unknown

_NAMED: dict[str, Callable[[], Splits]] = {
    "digits": digits,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "cifar-10": cifar10,
}
_ALIASES = {"cifar10": "cifar-10", "fashion": "fashion-mnist", "fashionmnist": "fashion-mnist"}
_READERS: dict[str, Callable[..., Splits]] = {
    ".csv": read_csv,
    ".csv.gz": read_csv,
    ".tsv": read_csv,
    ".tsv.gz": read_csv,
    ".npz": read_npz,
}


def names() -> tuple[str, ...]:
    """Return the names that `load` knows.

    >>> names()
    ('digits', 'mnist', 'fashion-mnist', 'cifar-10')
    """
    return tuple(_NAMED)


def load(source: str | Path, **options: Any) -> Splits:
    """Return the data set with this name, or in this file or folder.

    Parameters
    ----------
    source
        One of `names` (in any case; ``cifar10`` and ``fashion`` are understood), a ``.csv``,
        ``.csv.gz`` or ``.npz`` file, or a folder of class folders. A name goes before a path; write
        ``./mnist`` for a folder of that name.
    options
        What the reader for that kind of data takes: see `read_csv`, `read_npz` and `read_folder`.

    Raises
    ------
    DataError
        There is no such name or path, an option is not known, or the data is not what it should be.

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
    """Return whether `load` takes this option for this source."""
    return option in _options(_reader(source))


def lasting(source: str | Path) -> str:
    """Return the name, or the absolute path, by which `load` finds the same from anywhere.

    >>> lasting("CIFAR10")
    'cifar-10'
    """
    return _name(source) or str(Path(source).expanduser().resolve())


def _name(source: str | Path) -> str | None:
    """Return which of `names` this is, if it is one."""
    name = str(source).lower().replace("_", "-")
    name = _ALIASES.get(name, name)
    return name if name in _NAMED and not isinstance(source, Path) else None


def _reader(source: str | Path) -> Callable[..., Splits]:
    if (name := _name(source)) is not None:
        return _NAMED[name]
    path = Path(source).expanduser()
    if not path.exists():
        raise DataError(_not_found(str(source)))
    if path.is_dir():
        return partial(read_folder, path)
    for suffix, reader in _READERS.items():
        if path.name.lower().endswith(suffix):
            return partial(reader, path)
    raise DataError(
        f"cannot tell what '{path}' is; data comes from a folder of class folders or from a file "
        f"that ends in {', '.join(_READERS)}"
    )


def _options(reader: Callable[..., Splits]) -> list[str]:
    return [
        name
        for name, parameter in inspect.signature(reader).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]


def _not_found(source: str) -> str:
    if "/" in source or "\\" in source or Path(source).suffix in (".csv", ".gz", ".npz"):
        return f"there is no file or folder '{source}'"
    return f"{unknown('data set', source, _NAMED)}, or the path of a file or folder"
