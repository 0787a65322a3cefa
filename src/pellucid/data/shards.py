"""Read tar shards in WebDataset's layout: files of a sample are adjacent and share a name.

``000017.jpg`` is the image of sample ``000017`` and ``000017.cls`` its class, a number or a name.
The name ends at the first dot after the last slash. Images are read from the archive in place.

Source: Aizman, Maltby and Breuel, "High performance I/O for large scale deep learning", 2019; the
WebDataset format specification.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from pellucid.data.arrays import encode_labels
from pellucid.data.bounded import BoundedFile, Member
from pellucid.data.encoded import Piece
from pellucid.data.gathered import How, gather
from pellucid.data.images import is_image
from pellucid.data.memory import Memory
from pellucid.data.parts import TRAIN, part_of
from pellucid.data.problems import shortened
from pellucid.data.splits import Splits
from pellucid.errors import DataError
from pellucid.types import Pair

_LONGEST_CLASS = 200  # bytes
_END = 1024  # number of zero bytes at the end of an archive


def read_shards(
    path: str | Path,
    *,
    size: Pair | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
    memory: Memory = None,
    cache: bool = False,
) -> Splits:
    """Return the data set in tar shards; for the options see `read_folder`.

    Parameters
    ----------
    path
        A ``.tar`` file, or a folder of them. The name of a shard tells its part
        (``train-000000.tar``, ``val-000000.tar``); shards with other names are for training.

    Raises
    ------
    DataError
        An archive is compressed or damaged, or a sample has no class or no image.
    """
    path = Path(path)
    found: dict[str, list[tuple[Piece, str]]] = {}
    for shard in [path] if path.is_file() else _shards(path):
        part = part_of(shard.name.split(".")[0]) or TRAIN
        found.setdefault(part, []).extend(_samples(shard))
    if not found.get(TRAIN):
        raise DataError(f"{path} has no images for training")
    order: list[str] = [part for part in ("train", "validation", "test") if part in found]
    labels = [label for part in order for _, label in found[part]]
    whole = all(map(str.isdecimal, labels))
    numbers, classes = encode_labels(list(map(int, labels)) if whole else labels, name=str(path))
    rest = iter(numbers.tolist())
    parts = {part: [(piece, next(rest)) for piece, _ in found[part]] for part in order}
    how = How(size, channels, skip_bad, memory, cache)
    name = path.resolve().name.split(".")[0]
    return gather(parts, classes, name, str(path), how)


def has_shards(path: Path) -> bool:
    """Return whether `path` is a folder with tar files."""
    return path.is_dir() and bool(_shards(path))


def _shards(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".tar")


def _samples(shard: Path) -> Iterator[tuple[Piece, str]]:
    """Yield the location of each image, and its class."""
    image: Piece | None = None
    label: str | None = None
    current = ""
    for member in _members(shard):
        key, _, extension = _split(member.name)
        if key != current and (image or label is not None):
            yield _sample(shard, current, image, label)
            image = label = None
        current = key
        if extension == "cls":
            label = _label(shard, member)
        elif "." not in extension and is_image(f"x.{extension}"):
            if image is not None:
                raise DataError(f"{shard}: sample '{shortened(key)}' has several images")
            where = Piece(shard, member.offset_data, member.size)
            image = where._replace(name=f"{shard}: {shortened(member.name, 80)}")
    if image or label is not None:
        yield _sample(shard, current, image, label)


def _sample(shard: Path, key: str, image: Piece | None, label: str | None) -> tuple[Piece, str]:
    if image is None or label is None:
        lacks = "no image" if image is None else f"no class, a file '{shortened(key)}.cls'"
        raise DataError(f"{shard}: sample '{shortened(key)}' has {lacks}")
    return image, label


def _members(shard: Path) -> Iterator[tarfile.TarInfo]:
    try:
        with (
            BoundedFile(io.FileIO(shard)) as file,
            tarfile.open(fileobj=file, mode="r:", tarinfo=Member) as archive,
        ):
            size = shard.stat().st_size
            if size < _END or Piece(shard, size - _END).read().strip(b"\0"):
                raise DataError(f"{shard} is cut short; get it again")
            for member in archive:
                if not member.isreg() or member.issparse():
                    continue
                if member.size < 0 or member.offset_data + member.size > size:
                    raise DataError(f"{shard} is cut short; get it again")
                yield member
    except (OSError, EOFError, ValueError, tarfile.TarError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{shard} is damaged or no plain tar archive ({error!s:.300}); "
            "unpack a compressed one first"
        ) from error


def _split(name: str) -> tuple[str, str, str]:
    """Split a path at the first dot of its file name; the extension is in lower case."""
    folder, slash, file = name.rpartition("/")
    stem, dot, extension = file.partition(".")
    return f"{folder}{slash}{stem}", dot, extension.lower()


def _label(shard: Path, member: tarfile.TarInfo) -> str:
    if member.size > _LONGEST_CLASS:
        raise DataError(f"{shard}: {shortened(member.name)} has {member.size:,} bytes, no class")
    content = Piece(shard, member.offset_data, member.size).read()
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise DataError(f"{shard}: {shortened(member.name)} holds no text") from None
