"""Messages between the page and Python: JSON, and arrays in binary form.

A message is one block of bytes::

    length of the JSON, 4 bytes, little endian
    the JSON, padded with spaces so that the arrays begin at a multiple of 8
    the arrays, each padded to a multiple of 8

The JSON's entry "arrays" lists each array's type, shape and offset after the JSON. So arrays are
not converted to text, and the page reads them in place, without a copy.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pellucid.errors import DataError
from pellucid.types import Array

TYPES = ("float32", "uint8", "int32")
Words = dict[str, Any]


class Answer(NamedTuple):
    """An answer to the page: plain data and arrays."""

    words: Words
    arrays: Sequence[Array] = ()


def pack(words: Words, arrays: Sequence[Array] = ()) -> bytes:
    """Pack data and arrays into a message; arrays of types not in `TYPES` are sent as float32.

    >>> unpack(pack({"ask": "trace"}, [np.ones((2, 3), np.float32)]))
    ({'ask': 'trace'}, [array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32)])
    """
    listed, parts, start = [], [], 0
    for array in arrays:
        plain = np.ascontiguousarray(array if str(array.dtype) in TYPES else array.astype("f4"))
        listed.append({"type": str(plain.dtype), "shape": list(array.shape), "start": start})
        parts.append(_filled(plain.tobytes(), b"\0"))
        start += len(parts[-1])
    text = _filled(json.dumps(words | {"arrays": listed}).encode(), b" ", 4)
    return struct.pack("<I", len(text)) + text + b"".join(parts)


def unpack(message: bytes) -> tuple[Words, list[Array]]:
    """Unpack a message made by `pack`; raise an error for an invalid one."""
    try:
        (length,) = struct.unpack_from("<I", message)
        words = json.loads(message[4 : 4 + length])
        arrays = [_array(message, 4 + length, item) for item in words.pop("arrays")]
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"this is not a message of the explorer: {error}") from error
    return words, arrays


def _array(message: bytes, first: int, item: dict[str, Any]) -> Array:
    if item["type"] not in TYPES:
        raise ValueError(f"arrays of {item['type']} are not sent")
    shape = tuple(int(side) for side in item["shape"])
    if min(shape, default=0) < 0 or math.prod(shape) > len(message):
        raise ValueError(f"an array of shape {shape} is not in it")
    return np.frombuffer(
        message, item["type"], math.prod(shape), first + int(item["start"])
    ).reshape(shape)


def _filled(data: bytes, with_: bytes, before: int = 0) -> bytes:
    return data + with_ * (-(len(data) + before) % 8)
