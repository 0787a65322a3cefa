"""Convert tensors to arrays; external tensors are read only from the model's own folder."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import FileError
from pellucid.types import Array, DType, Shape

if TYPE_CHECKING:
    from onnx import TensorProto

_MOST_AXES = 32

# Numeric types: name, NumPy type in raw bytes, field that holds the values otherwise, and the type
# to which they are converted. Source: onnx.proto, TensorProto.DataType.
TYPES: dict[int, tuple[str, str, DType, DType]] = {
    1: ("float32", "float_data", np.float32, np.float32),
    2: ("uint8", "int32_data", np.uint8, np.uint8),
    3: ("int8", "int32_data", np.int8, np.int8),
    4: ("uint16", "int32_data", np.uint16, np.uint16),
    5: ("int16", "int32_data", np.int16, np.int16),
    6: ("int32", "int32_data", np.int32, np.int32),
    7: ("int64", "int64_data", np.int64, np.int64),
    9: ("bool", "int32_data", np.bool_, np.bool_),
    10: ("float16", "int32_data", np.float16, np.float32),
    11: ("float64", "double_data", np.float64, np.float64),
    12: ("uint32", "uint64_data", np.uint32, np.uint32),
    13: ("uint64", "uint64_data", np.uint64, np.uint64),
    16: ("bfloat16", "int32_data", np.uint16, np.float32),
}
"""Half precision is converted to float32, because Pellucid computes in float32 or float64."""

_BFLOAT16 = 16


def text(value: str | bytes) -> str:
    """Return a text of the file; protobuf returns invalid UTF-8 as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def type_name(number: int) -> str:
    """Return the name of a type by its number in the format."""
    return TYPES[number][0] if number in TYPES else f"type {number}"


def array_of(tensor: TensorProto, folder: Path) -> Array:
    """Return a tensor's values, after checking its shape against the stored size."""
    name = text(tensor.name)[:100] or "a tensor without a name"
    if tensor.data_type not in TYPES:
        raise FileError(f"'{name}' has {type_name(tensor.data_type)}, which is not supported")
    shape = tuple(tensor.dims)
    if len(shape) > _MOST_AXES or any(size < 0 for size in shape):
        raise FileError(f"'{name}' has the shape {_short(shape)}, which is impossible")
    _, field, stored, wanted = TYPES[tensor.data_type]
    if tensor.HasField("segment"):
        raise FileError(f"'{name}' is stored in segments, which is not supported")
    if tensor.data_location == tensor.EXTERNAL:
        values = np.frombuffer(_external_data(tensor, folder, _bytes(name, shape, stored)), stored)
    elif tensor.HasField("raw_data"):
        _check_count(name, shape, len(tensor.raw_data), _bytes(name, shape, stored), "bytes")
        values = np.frombuffer(tensor.raw_data, np.dtype(stored).newbyteorder("<"))
    else:
        given = getattr(tensor, field)
        _check_count(name, shape, len(given), prod(shape), "values")
        values = _from_field(np.array(given), stored, tensor.data_type)
    if tensor.data_type == _BFLOAT16:  # the upper half of a float32
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(wanted, copy=False).reshape(shape)


def _from_field(values: Array, stored: DType, number: int) -> Array:
    if number in (10, _BFLOAT16):  # the bits of each as an int32
        return values.astype(np.uint16).view(stored)
    return values.astype(stored)


def _bytes(name: str, shape: Shape, stored: DType) -> int:
    count: int = prod(shape) * np.dtype(stored).itemsize
    return count


def _check_count(name: str, shape: Shape, found: int, needed: int, what: str) -> None:
    if found != needed:
        raise FileError(
            f"'{name}' of shape {_short(shape)} needs {needed} {what}, but the file holds {found}"
        )


def _external_data(tensor: TensorProto, folder: Path, length: int) -> bytes:
    """Return the bytes of a tensor stored in another file of the same folder."""
    name = text(tensor.name)[:100]
    entries: dict[str, Any] = {text(e.key): text(e.value) for e in tensor.external_data}
    location = entries.get("location", "")
    path = folder / location
    inside = bool(location) and "\0" not in location and not Path(location).is_absolute()
    if not inside or ".." in Path(location).parts or _leaves(path, folder):
        raise FileError(f"'{name}' is in '{location[:200]}', which is not in the model's folder")
    if not path.is_file():
        raise FileError(f"'{name}' is in '{location}', which does not exist in the model's folder")
    try:
        offset, stated = int(entries.get("offset", 0)), int(entries.get("length", length))
    except ValueError:
        raise FileError(f"'{name}': offset and length in '{location}' are not numbers") from None
    size = path.stat().st_size
    if stated != length or offset < 0 or offset + length > size:
        raise FileError(
            f"'{name}' needs {length} bytes, but is stored as {stated} bytes from byte {offset} of "
            f"'{location}', which has {size}"
        )
    with path.open("rb") as file:
        file.seek(offset)
        data: bytes = file.read(length)
    return data


def _leaves(path: Path, folder: Path) -> bool:
    """Return whether a path leads out of the folder, through a link or otherwise."""
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a cycle of links
        return True


def _short(shape: Shape) -> str:
    text = str(shape)
    return text if len(text) < 80 else f"{text[:80]}…"
