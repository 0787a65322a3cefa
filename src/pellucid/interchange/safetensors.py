"""Save and load a trained model as one file, which holds only data and no code.

It is a safetensors file: a header in JSON, then the values. Tensors are named by their paths in
`state_dict()`, so other programs can read the weights. The header's metadata has one key,
"pellucid", which holds a JSON text::

    {"format": 1, "version": "…", "architecture": model.describe(),
     "preprocessing": {"mean": [...], "scale": [...]}, "classes": [...], "input_shape": [C, H, W]}

The last three are null if the model does not have them. Format: the safetensors specification,
https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialized

import pellucid
from pellucid.errors import FileError
from pellucid.files import atomic_write, check_is_file
from pellucid.layers import Layer, build
from pellucid.parameter import Buffer, Parameter
from pellucid.preprocessing import Preprocessing
from pellucid.types import Array

__all__ = [
    "PathName",
    "load",
    "read_tensors",
    "save",
    "write_tensors",
]


def __dir__() -> list[str]:
    return __all__


_KEY = "pellucid"
_FORMAT = 1
_LONGEST_HEADER = 100_000_000  # bytes; the limit of the format
_NUMPY_HAS = ("F16", "F32", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "BOOL")

PathName = str | PathLike[str]


def save(model: Layer, path: PathName) -> None:
    """Save `model` to a safetensors file.

    The file holds the architecture, all values exactly, and the preprocessing, class names and
    input shape if the model has them. It is written completely or not at all. The same model always
    gives the same bytes.

    Parameters
    ----------
    model
        The model to save.
    path
        File to write; an existing file is replaced.

    Raises
    ------
    FileError
        The file cannot be written, or `load` could not rebuild the model: it has a layer type that
        is not registered, or two layers share an array without being the same layer.

    Examples
    --------
    >>> import tempfile
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(fc=nn.Linear(3, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, Path(folder) / "model.safetensors")
    ...     again = load(Path(folder) / "model.safetensors")
    >>> again
    Sequential(
      fc: Linear(in_features=3, out_features=2)
    )
    >>> np.array_equal(again["fc"].weight.value, model["fc"].weight.value)
    True
    """
    state = model.state_dict()
    with _naming(path, "the model cannot be saved: "):
        text = json.dumps(_about(model), default=_plain)
        _check_that_it_comes_back(json.loads(text), state)
        data = serialized(state, {_KEY: text})
    atomic_write(Path(path), data)


def load(path: PathName) -> Layer:
    """Load the model that `save` wrote.

    Loading runs no code from the file: layers are built only from the registry, and sizes are
    checked before memory is allocated. So files from unknown sources are safe to load.

    Parameters
    ----------
    path
        The file, or the folder of a finished run, whose ``model.safetensors`` is loaded.

    Raises
    ------
    FileError
        The file does not exist, is damaged, was not written by Pellucid, or has a newer format.
    """
    path = _in_run(Path(path))
    with _naming(path):
        tensors, metadata = _read(path)
        if _KEY not in metadata:
            raise FileError(
                "the file has weights but no architecture. To load them into a model of your own: "
                "model.load_state_dict(pellucid.interchange.safetensors.read_tensors("
                f"{fspath(path)!r}))"
            )
        about = _checked(_json(metadata[_KEY]))
        model = build(about["architecture"])
        for name, item in model.named_state():
            if name in tensors:
                _take_over_type(name, item, tensors[name].dtype)
        model.load_state_dict(tensors)
        _describe_data(model, about)
    return model


MODEL = "model.safetensors"
"""Name of the model's file in the folder of a run."""


def _in_run(path: Path) -> Path:
    """Return the model's file if `path` is the folder of a run, else `path`."""
    if not path.is_dir():
        return path
    if (path / MODEL).exists():
        return path / MODEL
    if (path / "checkpoint").exists():
        raise FileError(
            f"the run in {path} is not finished: it has no {MODEL} yet. "
            f"Finish it with: pellucid resume {path}"
        )
    raise FileError(f"the folder {path} is not a run: it has no {MODEL}")


def read_tensors(path: PathName) -> dict[str, Array]:
    """Read all arrays of a safetensors file, by name.

    Raises
    ------
    FileError
        The file does not exist, is damaged, or holds a type that NumPy does not have.
    """
    check_is_file(path, "a .safetensors file")
    with _naming(path):
        return _read(Path(path))[0]


def write_tensors(tensors: Mapping[str, Array], path: PathName) -> None:
    """Write named arrays to a safetensors file; with `model.state_dict()`, the weights alone.

    `state_dict` uses PyTorch's names, so the equivalent network in PyTorch can load the result of
    ``safetensors.torch.load_file``.

    Raises
    ------
    FileError
        The file cannot be written, or the format does not support an array's type.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_tensors({"fc.bias": np.zeros(2)}, Path(folder) / "weights.safetensors")
    ...     read_tensors(Path(folder) / "weights.safetensors")
    {'fc.bias': array([0., 0.])}
    """
    with _naming(path, "these values cannot be saved: "):
        _check_types(tensors)
        data = serialized({name: np.asarray(value, order="C") for name, value in tensors.items()})
    atomic_write(Path(path), data)


def _about(model: Layer) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "version": pellucid.__version__,
        "architecture": model.describe(),
        "preprocessing": model.preprocessing and model.preprocessing.describe(),
        "classes": model.classes,
        "input_shape": model.input_shape,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} cannot be written as JSON")


def _check_that_it_comes_back(about: Any, state: Mapping[str, Array]) -> None:
    model = build(_checked(about)["architecture"])
    again = {(name, item.shape) for name, item in model.named_state()}
    for name, shape in again ^ {(name, value.shape) for name, value in state.items()}:
        raise FileError(
            f"'{name}' {shape} could not be loaded again with this value; "
            "to share values between layers, use the same layer twice"
        )
    _check_types(state)


def _check_types(tensors: Mapping[str, Array]) -> None:
    for name, value in tensors.items():
        if value.dtype.kind not in "fiub" or value.dtype.itemsize > 8:
            raise FileError(f"'{name}' has type {value.dtype}, which the format does not support")


# Reading


def _read(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the tensors and the metadata, after checking the header."""
    header = _header(path)
    metadata = header.pop("__metadata__", {})
    for name, entry in header.items():
        kind = entry.get("dtype")
        if kind not in _NUMPY_HAS:
            raise FileError(
                f"'{name}' has type {kind}, which NumPy does not support; convert it to F32 first"
            )
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in header}, metadata


def _header(path: Path) -> dict[str, Any]:
    longest = min(path.stat().st_size - 8, _LONGEST_HEADER)
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if length > longest:
            raise FileError(
                "this is not a safetensors file, or it is truncated"
                + "; it looks like a PyTorch archive; pickles are never opened: they can run code"
                * start.startswith(b"PK")
            )
        header = _json(file.read(length).decode("utf-8"))
    if not isinstance(header, dict) or not all(isinstance(e, dict) for e in header.values()):
        raise FileError("the header is damaged: it is not a table of tensors")
    return header


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except FileError:
        raise
    except (ValueError, RecursionError) as error:
        raise FileError(f"the header is damaged: {error!s:.300}") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FileError(f"the header is damaged: the key '{twice}' occurs twice")
    return table


def _checked(about: Any) -> dict[str, Any]:
    """Return the model's description after checking its contents and format."""
    if not isinstance(about, dict) or "format" not in about:
        raise FileError("the description of the model is damaged")
    if about["format"] != _FORMAT:
        raise FileError(
            f"the file has format {about['format']!r}, from Pellucid {about.get('version')!r}; "
            f"Pellucid {pellucid.__version__} reads format {_FORMAT}: upgrade it"
        )
    well_formed: dict[str, Callable[[Any], bool]] = {
        "architecture": lambda value: isinstance(value, dict),
        "preprocessing": lambda value: value is None or isinstance(value, dict),
        "classes": lambda value: (
            value is None or (_is_list(value, str) and len(set(value)) == len(value))
        ),
        "input_shape": lambda value: value is None or (_is_list(value, int) and min(value) > 0),
    }
    for key, accepts in well_formed.items():
        if key not in about or not accepts(about[key]):
            raise FileError(f"the description of the model is damaged at '{key}'")
    return about


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and all(type(item) is kind for item in value)


def _describe_data(model: Layer, about: Mapping[str, Any]) -> None:
    """Set the model's preprocessing, class names and input shape."""
    model.classes = about["classes"] and tuple(about["classes"])
    model.input_shape = about["input_shape"] and tuple(about["input_shape"])
    if about["preprocessing"] is None:
        return
    model.preprocessing = Preprocessing.from_description(about["preprocessing"])
    channels = len(model.preprocessing.mean)
    if model.input_shape is not None and model.input_shape[0] != channels:
        raise FileError(
            f"the preprocessing is for {channels} channels, the input shape is {model.input_shape}"
        )


def _take_over_type(name: str, item: Parameter | Buffer, dtype: np.dtype[Any]) -> None:
    if np.issubdtype(item.dtype, np.floating) and np.issubdtype(dtype, np.floating):
        item.astype(dtype)
    elif item.dtype != dtype:
        raise FileError(f"'{name}' has type {dtype}, expected {item.dtype}")


@contextmanager
def _naming(path: PathName, doing: str = "") -> Iterator[None]:
    """Turn any error raised inside into a `FileError` that names the file."""
    try:
        yield
    except (ValueError, TypeError, OSError, SafetensorError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        damaged = "the file is damaged: " * isinstance(error, SafetensorError)
        raise FileError(f"{fspath(path)}: {doing}{damaged}{said}") from error
