"""Import Keras on first use, without its log messages."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pellucid.errors import missing_extra


def load(purpose: str) -> Any:
    """Return the package `keras`.

    Raises
    ------
    MissingExtraError
        Keras or TensorFlow is not installed.
    """
    if sys.modules.get("keras") is not None:
        return sys.modules["keras"]
    try:
        with _quietly():
            import keras
    except ImportError as error:
        raise missing_extra(purpose, "TensorFlow", "tensorflow") from error
    return keras


@contextmanager
def _quietly() -> Iterator[None]:
    """Suppress warnings, and what TensorFlow writes to standard error while it is imported.

    TensorFlow writes from C++, so the file descriptor itself has to be redirected.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
