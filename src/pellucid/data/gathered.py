"""Build a data set from encoded images and their classes, in memory or on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from pellucid.data.dataset import DataSet
from pellucid.data.encoded import EncodedImages, Piece
from pellucid.data.images import opened, shape_of
from pellucid.data.memory import Memory, decoded_once, fits, read_ahead_bytes
from pellucid.data.problems import Problems
from pellucid.data.splits import Splits
from pellucid.errors import DataError, ShapeError
from pellucid.types import Array, Pair

_MOST_BYTES = 2 << 30
"""Largest data set read into memory without a given size or limit: photos could fill it."""
_SUFFIXES = {"train": "", "validation": " validation", "test": " test"}

ImageShape = tuple[int, int, int]
Facts = list[tuple[int, tuple[int, int]] | None]
"""(channels, (height, width)) of each image, or None if it cannot be opened."""


@dataclass(frozen=True)
class How:
    """Options for reading encoded images; see `read_folder` for the fields."""

    size: Pair | None = None
    channels: int | None = None
    skip_bad: bool = False
    memory: Memory = None
    cache: bool = False


def gather(
    parts: Mapping[str, Sequence[tuple[Piece, int]]],
    classes: tuple[str, ...],
    name: str,
    source: str,
    how: How,
) -> Splits:
    """Return a data set of encoded images.

    Parameters
    ----------
    parts
        For each part, the locations of its images and the numbers of their classes.
    classes
        The names of the classes.
    name, source
        Name of the data set, and its origin as shown in messages.
    how
        Options: size, channels, memory and so on.
    """
    problems = Problems("image")
    facts = {part: [_fact(piece, problems) for piece, _ in given] for part, given in parts.items()}
    if not how.skip_bad:
        problems.settle(source, skip=False)
    shape = _common_shape(facts["train"], how, source)
    there = {
        part: [pair for pair, fact in zip(given, facts[part], strict=True) if fact is not None]
        for part, given in parts.items()
    }
    needed = sum(map(len, there.values())) * int(np.prod(shape, dtype=np.int64))
    if how.memory is None and how.size is None and needed > _MOST_BYTES:
        count = sum(map(len, there.values()))
        raise DataError(
            f"{source}: {count:,} images of {shape[1]}×{shape[2]} would take "
            f"{needed / 2**30:.1f} GiB of memory; give a size, for example size=224 (--size 224), "
            "or a limit, for example memory='2GB' (--memory 2GB)"
        )
    in_memory = fits(needed, how.memory)
    sets = {
        part: _data_set(given, classes, shape, f"{name}{_SUFFIXES[part]}", how, in_memory, problems)
        for part, given in there.items()
    }
    problems.settle(source, how.skip_bad)
    return Splits(**sets)


def _data_set(
    given: Sequence[tuple[Piece, int]],
    classes: tuple[str, ...],
    shape: ImageShape,
    name: str,
    how: How,
    in_memory: bool,
    problems: Problems,
) -> DataSet:
    labels = np.array([label for _, label in given], np.int64)
    ahead = read_ahead_bytes(how.memory)
    stored = EncodedImages([piece for piece, _ in given], shape, ahead)
    if not given:
        raise DataError(f"{name} has no readable images")
    if not in_memory and not how.skip_bad:
        images = decoded_once(stored, ahead) if how.cache else stored
        return DataSet(cast(Array, images), labels, classes, name)
    good = np.ones(len(given), bool)
    decoded = np.empty((len(given) if in_memory else 1, *shape), np.uint8)
    for i in range(len(given)):
        try:
            decoded[i if in_memory else 0] = stored.decode(i)
        except DataError as error:
            good[i] = False
            piece = given[i][0]
            problems.add(piece.where, reason(error, piece))
    if not good.any():
        raise DataError(f"{name} has no readable images")
    if in_memory:
        return DataSet(decoded if good.all() else decoded[good], labels[good], classes, name)
    usable = EncodedImages([given[i][0] for i in np.flatnonzero(good).tolist()], shape, ahead)
    images = decoded_once(usable, ahead) if how.cache else usable
    return DataSet(cast(Array, images), labels[good], classes, name)


def _fact(piece: Piece, problems: Problems) -> tuple[int, tuple[int, int]] | None:
    try:
        with opened(piece.source(), piece.where) as image:
            return shape_of(image)
    except DataError as error:
        problems.add(piece.where, reason(error, piece))
        return None


def _common_shape(facts: Facts, how: How, source: str) -> ImageShape:
    readable = [fact for fact in facts if fact is not None]
    if not readable:
        raise DataError(f"{source} has no readable images")
    channels, size = how.channels, how.size
    if channels is None:
        channels = max(channels for channels, _ in readable)
    if size is None:
        size = Counter(size for _, size in readable).most_common(1)[0][0]
    height, width = (size, size) if isinstance(size, int) else size
    if channels not in (1, 3) or height < 1 or width < 1:
        raise ShapeError(
            f"images have 1 or 3 channels and a size from 1 on, not {channels}, {size}"
        )
    return channels, height, width


def reason(error: DataError, piece: Piece) -> str:
    """Return the text of an error about an image, without the image's name."""
    return str(error).removeprefix(piece.where).removeprefix(":").strip()
