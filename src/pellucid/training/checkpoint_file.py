"""The file of a checkpoint: where it is, and how it is read and checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialized

from pellucid.errors import FileError
from pellucid.types import Array

_FORMAT = 1


def checkpoint_path(folder: str | Path) -> Path:
    """Return the path of the checkpoint of the run in `folder`."""
    return Path(folder) / "checkpoint" / "state.safetensors"


def pack(facts: dict[str, Any], tensors: Mapping[str, Array]) -> bytes:
    """Return the bytes of a file with these facts and values, and their checksum."""
    text = json.dumps({"format": _FORMAT} | facts, default=python_number)
    return serialized(dict(tensors), {"pellucid": text, "digest": digest(text, tensors)})


def python_number(value: Any) -> Any:
    """Convert a NumPy number to Python's, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} cannot be written as JSON")


def read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the facts and values in the file, after checking that it is undamaged."""
    if not path.exists():
        raise FileError(f"there is no checkpoint {path}, so there is no run to continue")
    with naming(path), safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        if "pellucid" not in metadata or "digest" not in metadata:
            raise FileError("the file is not a checkpoint of a training run")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
        if digest(metadata["pellucid"], tensors) != metadata["digest"]:
            raise FileError("the file is damaged: its contents do not match their checksum")
        facts = {"metrics": []} | json.loads(metadata["pellucid"])  # added later
        if facts["format"] != _FORMAT:
            raise FileError(
                f"the file has format {facts['format']}, but this version of Pellucid reads format "
                f"{_FORMAT}: upgrade Pellucid to continue this run"
            )
    return facts, tensors


def digest(facts: str, tensors: Mapping[str, Array]) -> str:
    """Return a checksum of all contents."""
    checksum = hashlib.blake2b(facts.encode(), digest_size=16)
    for name, value in sorted(tensors.items()):
        checksum.update(f"{name} {value.dtype} {value.shape}".encode())
        checksum.update(np.ascontiguousarray(value).data)
    return checksum.hexdigest()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn any error raised inside into a `FileError` that names the file."""
    try:
        yield
    except SafetensorError as error:
        raise FileError(f"{path}: the file is damaged: {error!s:.300}") from error
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise FileError(f"{path}: the file is not a valid checkpoint") from error
    except (ValueError, OSError) as error:
        raise FileError(f"{path}: {error!s:.1000}") from error
