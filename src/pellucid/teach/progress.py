"""Store which exercises the reader has solved, in the cache folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pellucid.files import atomic_write
from pellucid.runtime.cache_folder import cache_folder


def solved() -> set[str]:
    """Return the names of the exercises that were solved on this computer."""
    try:
        return set(json.loads(_path().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return set()


def note_solved(names: Iterable[str]) -> None:
    """Store the names of solved exercises."""
    known = solved()
    if new := set(names) - known:
        atomic_write(_path(), json.dumps(sorted(known | new)).encode())


def _path() -> Path:
    return cache_folder() / "learn" / "solved.json"
