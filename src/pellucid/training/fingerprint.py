"""How a run recognises its data when it is resumed."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pellucid.errors import FileError
from pellucid.stored import StoredImages
from pellucid.training.batches import Data, Labelled, sample_weights
from pellucid.training.state import TrainingState
from pellucid.types import Array

_BLOCK = 64 << 20  # bytes hashed at once; arrays that are not contiguous are copied in such blocks


def check_same_data(state: TrainingState, data: Data, validation: Data | None) -> None:
    """Record the data that `state` learns from, or compare them with those that it began with."""
    now = fingerprint(data, validation)
    began = now if state.data is None else state.data
    for part, found in now.items():
        if _differs(found, began[part]):
            raise FileError(
                f"this run began with other {part} data; it continues with the same data, in the "
                "same order"
            )
    state.data = now


def fingerprint(data: Data, validation: Data | None) -> dict[str, Any]:
    """Return what tells these data from others, as plain data.

    Shapes, types, and hashes of all inputs and all targets (BLAKE2b, about a second for each
    gigabyte). Data that yield batches themselves are known by their number of batches alone.
    """
    return {
        "training": _of(data),
        "validation": None if validation is None else _of(validation),
    }


def _differs(now: dict[str, Any] | None, began: dict[str, Any] | None) -> bool:
    """Return whether two records are of different data.

    A run of an earlier version has a hash of some inputs, ``inputs``, and none of all.
    """
    if now is None or began is None:
        return now is not began
    keys = (now.keys() | began.keys()) - {"inputs"}
    keys -= {"all_inputs"} - began.keys()
    return any(now.get(key) != began.get(key) for key in keys)


def _of(data: Data) -> dict[str, Any]:
    if isinstance(data, Labelled):
        x, targets = data.images, data.labels
    elif isinstance(data, tuple):
        x, targets = np.asarray(data[0]), np.asarray(data[1])
    else:
        return {"batches": len(data)}
    weights = sample_weights(data, "data")
    return {
        "shape": list(x.shape),
        "dtype": str(x.dtype),
        "targets": _hash(targets),
        "all_inputs": _hash(x),
    } | ({} if weights is None else {"weights": _hash(weights)})


def _hash(values: Array | StoredImages) -> str:
    if isinstance(values, StoredImages):
        return values.digest()
    digest = hashlib.blake2b(f"{values.shape} {values.dtype}".encode(), digest_size=16)
    rows = max(1, _BLOCK // max(1, values[:1].nbytes))
    for start in range(0, len(values), rows):
        digest.update(np.ascontiguousarray(values[start : start + rows]).data)
    return digest.hexdigest()
