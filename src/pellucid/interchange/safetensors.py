"""A trained model as one file, which holds data and nothing that runs.

The file is a safetensors file: a header in JSON, then the values. The names of the tensors are the
paths of `state_dict()`; so other programs can read the weights. The header's metadata holds, under
the one key "pellucid", a text in JSON::

    {"format": 1, "version": the library's, "architecture": model.describe(),
     "preprocessing": {"mean": [...], "scale": [...]}, "classes": [...], "input_shape": [C, H, W]}

The last three are null where the model does not know them. Format: the safetensors specification,
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
_LONGEST_HEADER = 100_000_000  # what the format allows
_NUMPY_HAS = ("F16", "F32", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "BOOL")

PathName = str | PathLike[str]


def save(model: Layer, path: PathName) -> None:
    """Write `model` to the file at `path`, whole or not at all.

    It holds the architecture, all values to the last bit, and the preprocessing, the class names
    and the input shape where the model has them. The same model always gives the same bytes.

    Raises
    ------
    FileError
        The file cannot be written, or `load` could not build the model: it has a layer that is not
        in the registry, or values that two layers share without being one layer.

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
    """Return the model that `save` wrote to the file at `path`, or that of the run in a folder.

    Layers are built from the registry alone, and sizes are compared before memory is taken: a file
    from anywhere may be looked at, and what is wrong with it is told.

    Raises
    ------
    FileError
        There is no such file, it is damaged, of a newer format, or of another program.
    """
    path = _in_run(Path(path))
    with _naming(path):
        tensors, metadata = _read(path)
        if _KEY not in metadata:
            raise FileError(
                "these are weights without an architecture. To load them into a model of your own: "
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
"""The file that holds the model in the folder of a run."""


def _in_run(path: Path) -> Path:
    """Return the file of the model where `path` is the folder of a run."""
    if not path.is_dir():
        return path
    if (path / MODEL).exists():
        return path / MODEL
    if (path / "checkpoint").exists():
        raise FileError(
            f"{path} is a run that is not finished: it has no {MODEL} yet. "
            f"`pellucid resume {path}` finishes it"
        )
    raise FileError(f"{path} is a folder without {MODEL}, so it is no run")


def read_tensors(path: PathName) -> dict[str, Array]:
    """Return the arrays of any safetensors file by name.

    Raises
    ------
    FileError
        There is no such file, it is damaged, or it holds a type that NumPy does not have.
    """
    check_is_file(path, "a .safetensors file")
    with _naming(path):
        return _read(Path(path))[0]


def write_tensors(tensors: Mapping[str, Array], path: PathName) -> None:
    """Write arrays by name as a safetensors file: with `model.state_dict()`, weights alone.

    The names of `state_dict` are PyTorch's, so ``safetensors.torch.load_file`` gives what the equal
    network in PyTorch takes.

    Raises
    ------
    FileError
        The file cannot be written, or an array is of a type that the format does not have.

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
    raise TypeError(f"{value!r} is no plain data")


def _check_that_it_comes_back(about: Any, state: Mapping[str, Array]) -> None:
    model = build(_checked(about)["architecture"])
    again = {(name, item.shape) for name, item in model.named_state()}
    for name, shape in again ^ {(name, value.shape) for name, value in state.items()}:
        raise FileError(
            f"'{name}' {shape} would not come back as it is; "
            "to share values between layers, use the same layer twice"
        )
    _check_types(state)


def _check_types(tensors: Mapping[str, Array]) -> None:
    for name, value in tensors.items():
        if value.dtype.kind not in "fiub" or value.dtype.itemsize > 8:
            raise FileError(f"'{name}' is of type {value.dtype}, which the format does not have")


# Reading


def _read(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the tensors and the metadata, the header having been looked at first."""
    header = _header(path)
    metadata = header.pop("__metadata__", {})
    for name, entry in header.items():
        kind = entry.get("dtype")
        if kind not in _NUMPY_HAS:
            raise FileError(
                f"'{name}' is of type {kind}, which NumPy does not have; convert it to F32 first"
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
                "this is no safetensors file, or it is cut off"
                + "; it looks like a PyTorch archive, and pickles are never opened here"
                * start.startswith(b"PK")
            )
        header = _json(file.read(length).decode("utf-8"))
    if not isinstance(header, dict) or not all(isinstance(e, dict) for e in header.values()):
        raise FileError("the header is damaged: it is no table of tensors")
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
        raise FileError(f"the header is damaged: '{twice}' is there twice")
    return table


def _checked(about: Any) -> dict[str, Any]:
    """Return the description of the model if it is one and of this format."""
    if not isinstance(about, dict) or "format" not in about:
        raise FileError("the description of the model is damaged")
    if about["format"] != _FORMAT:
        raise FileError(
            f"the file has format {about['format']!r}, from Pellucid {about.get('version')!r}; "
            f"this is Pellucid {pellucid.__version__}, which reads format {_FORMAT}: upgrade it"
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
    """Tell the model what it knows of the data it was trained on."""
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
        raise FileError(f"'{name}' is of type {dtype}, expected {item.dtype}")


@contextmanager
def _naming(path: PathName, doing: str = "") -> Iterator[None]:
    """Make whatever goes wrong inside an error that names the file."""
    try:
        yield
    except (ValueError, TypeError, OSError, SafetensorError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        damaged = "the file is damaged: " * isinstance(error, SafetensorError)
        raise FileError(f"{fspath(path)}: {doing}{damaged}{said}") from error
