"""Recognise the data of a run when it is resumed."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pellucid.errors import FileError
from pellucid.stored import StoredImages
from pellucid.training.data import Data, Labelled, sample_weights
from pellucid.training.state import TrainingState
from pellucid.types import Array

_BLOCK = 64 << 20  # bytes hashed at a time; also the size of copies of non-contiguous arrays


def check_same_data(state: TrainingState, data: Data, validation: Data | None) -> None:
    """Record the data of a new run, or compare them with those of a resumed run."""
    now = fingerprint(data, validation)
    began = now if state.data is None else state.data
    for part, found in now.items():
        if _differs(found, began[part]):
            raise FileError(
                f"this run was started with other {part} data; continue it with the same data in "
                "the same order"
            )
    state.data = now


def fingerprint(data: Data, validation: Data | None) -> dict[str, Any]:
    """Return a fingerprint of the data as plain data.

    It contains shapes, types, and BLAKE2b hashes of all inputs and targets, which take about a
    second per gigabyte. Of data that yield batches, only the number of batches is known.
    """
    return {
        "training": _of(data),
        "validation": None if validation is None else _of(validation),
    }


def _differs(now: dict[str, Any] | None, began: dict[str, Any] | None) -> bool:
    """Return whether two fingerprints differ.

    Runs of an earlier version have only a hash of some inputs, ``inputs``.
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
