"""Networks in TOML files, which people can read and write, and every command accepts as a model.

A file holds a description for `layers.build` under the key `layers`. See docs/networks-in-toml.md.
"""

from __future__ import annotations

import json
import tomllib
from os import PathLike
from pathlib import Path
from typing import Any

from pellucid.errors import FileError, PellucidError, unknown
from pellucid.files import check_is_file
from pellucid.layers import Layer
from pellucid.layers.description import FROM_CHANNELS, build
from pellucid.models.check import fitted
from pellucid.types import Shape

__all__ = [
    "dumps",
    "load",
    "loads",
]


def __dir__() -> list[str]:
    return __all__


_KEYS = ("name", "layers")
_NAMES = ("name", "type", "path", "read", "inputs", "output")  # where "classes" is a name


def load(path: str | PathLike[str], input_shape: Shape, classes: int) -> Layer:
    """Build the network that a TOML file describes, for images of `input_shape`.

    Arguments that follow from the input (`in_channels`, `in_features`, `num_features`,
    `num_channels`) may be omitted, and the string ``"classes"`` stands for the number of classes.

    Raises
    ------
    FileError
        The text is not valid TOML (with the line), or a layer is invalid or does not fit (with its
        path).
    OSError
        The file cannot be read.
    """
    check_is_file(path, "a .toml file")
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # some editors write a byte-order mark
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: the file is not UTF-8 text ({error})") from error
    return loads(text, input_shape, classes, name=str(path))


def loads(text: str, input_shape: Shape, classes: int, *, name: str = "network") -> Layer:
    """Build the network that `text` describes, as `load` does; messages call it `name`.

    Examples
    --------
    >>> text = 'layers = [{ type = "Flatten" }, { type = "Linear", out_features = "classes" }]'
    >>> loads(text, input_shape=(1, 28, 28), classes=10)
    Sequential(
      0: Flatten()
      1: Linear(in_features=784, out_features=10)
    )
    """
    try:
        network = _with_classes(tomllib.loads(text), classes)
    except ValueError as error:  # not only TOMLDecodeError: numbers may be too long
        raise FileError(f"{name}: {error!s:.300}") from error
    except RecursionError as error:
        raise FileError(f"{name}: tables are nested too deep") from error
    for key in network:
        if key not in _KEYS:
            raise FileError(f"{name}: {unknown('key', key, _KEYS)}")
    if "layers" not in network:
        raise FileError(f"{name}: the key 'layers' is missing, the list of the network's layers")
    return fitted(name, lambda shape: build(network["layers"], (1, *shape)), input_shape, classes)


def dumps(model: Layer, *, name: str | None = None, short: bool = False) -> str:
    """Return the description of `model` in TOML, one layer per line; `loads` restores it exactly.

    Parameters
    ----------
    model
        Any layer whose arguments are numbers, strings and tuples, as all of Pellucid's are.
    name
        Name of the network, written at the top of the file.
    short
        Whether to omit the arguments that follow from the input, so that the text can also be
        loaded for other image sizes. Default: False.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> print(dumps(nn.Sequential(nn.Flatten(), fc=nn.Linear(784, 10))), end="")
    layers = [
      { type = "Flatten" },
      { name = "fc", type = "Linear", in_features = 784, out_features = 10 },
    ]
    """
    head = "" if name is None else f"name = {_string(name)}\n"
    return f"{head}layers = {_Writer(FROM_CHANNELS if short else ()).value(model.describe(), '')}\n"


def _with_classes(value: Any, classes: int) -> Any:
    if isinstance(value, list):
        return [_with_classes(item, classes) for item in value]
    if isinstance(value, dict):
        return {
            key: classes
            if item == "classes" and key not in _NAMES
            else _with_classes(item, classes)
            for key, item in value.items()
        }
    return value


class _Writer:
    """Writes values in TOML: a table on one line, a list of tables with one line each."""

    def __init__(self, left_out: tuple[str, ...]) -> None:
        self.left_out = left_out

    def value(self, value: Any, indent: str) -> str:
        if isinstance(value, dict):
            return self.table(value, indent)
        if isinstance(value, list | tuple):
            return self.array(value, indent)
        if isinstance(value, str):
            return _string(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return repr(float(value) if isinstance(value, float) else value)  # NumPy's floats too
        raise PellucidError(f"{value!r} cannot be written in TOML")

    def table(self, table: dict[str, Any], indent: str) -> str:
        if table.keys() == {"type", "layers"} and table["type"] == "Sequential":
            return self.array(table["layers"], indent)
        entries = (
            f"{key} = {self.value(item, indent)}"
            for key, item in table.items()
            if key not in self.left_out
        )
        return "{ " + ", ".join(entries) + " }"

    def array(self, items: list[Any] | tuple[Any, ...], indent: str) -> str:
        if not any(isinstance(item, dict) for item in items):
            return "[" + ", ".join(self.value(item, indent) for item in items) + "]"
        inner = indent + "  "
        lines = "".join(f"{inner}{self.value(item, inner)},\n" for item in items)
        return f"[\n{lines}{indent}]"


def _string(text: str) -> str:
    """Return a basic string; TOML escapes the same characters as JSON, and DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
