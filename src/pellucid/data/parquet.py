"""Read Parquet files with encoded images, as written by Hugging Face's ``datasets``.

An image is a struct of ``bytes`` and ``path``, or plain bytes. Its class is text, or an integer
whose name is in the file's metadata. With a memory limit, the bytes of the images are copied to a
file in the cache folder, from which they can be read in any order.

Source: the documentation of ``datasets``, "Image" and "ClassLabel" features.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pellucid.data.arrays import encode_labels
from pellucid.data.encoded import Piece
from pellucid.data.gathered import How, gather
from pellucid.data.memory import Memory, cached_file
from pellucid.data.parts import TRAIN, part_of
from pellucid.data.problems import shortened
from pellucid.data.splits import Splits
from pellucid.errors import DataError, missing_extra, unknown
from pellucid.stored import hash_of
from pellucid.types import Pair

_IMAGES = ("image", "img", "images", "pixel_values")
_LABELS = ("label", "labels", "fine_label", "target", "class")
_ROWS = 256
_BLOCK = 16 << 20


def read_parquet(
    path: str | Path,
    *,
    label: str | None = None,
    image: str | None = None,
    size: Pair | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
    memory: Memory = None,
    cache: bool = False,
) -> Splits:
    """Return the data set in Parquet files; for the other options see `read_folder`.

    Parameters
    ----------
    path
        A ``.parquet`` file, or a folder with files such as ``train-00000-of-00001.parquet`` and
        ``test-00000-of-00001.parquet``, directly or in its subfolder ``data``.
    label, image
        Names of the columns of the class and of the image. By default usual names are tried,
        such as ``label`` and ``image``.
    """
    path = Path(path)
    files = [path] if path.is_file() else _files(path)
    pieces: dict[str, list[Piece]] = {}
    labels: dict[str, list[Any]] = {}
    names: tuple[str, ...] | None = None
    for file in files:
        part = part_of(file.name.split(".")[0]) or TRAIN
        table = _Table(file, image, label)
        pieces.setdefault(part, []).extend(table.pieces(keep=memory is not None))
        labels.setdefault(part, []).extend(table.labels())
        if names and table.names not in (None, names):
            raise DataError(
                f"{file} names the classes {shortened(', '.join(table.names or ()))}, but "
                f"{files[0]} names them {shortened(', '.join(names))}"
            )
        names = names or table.names
    if TRAIN not in pieces:
        raise DataError(f"{path} has no file for training")
    order: list[str] = [part for part in ("train", "validation", "test") if part in pieces]
    numbers, classes = encode_labels([x for part in order for x in labels[part]], names, str(path))
    ends = iter(numbers.tolist())
    parts = {part: [(piece, next(ends)) for piece in pieces[part]] for part in order}
    how = How(size, channels, skip_bad, memory, cache)
    return gather(parts, classes, path.resolve().name.split(".")[0], str(path), how)


def has_parquet(path: Path) -> bool:
    """Return whether `path` is a folder with Parquet files."""
    return path.is_dir() and bool(_files(path))


def _files(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.parquet"))
    return found or sorted(folder.glob("data/*.parquet"))


class _Table:
    """One Parquet file, with the names and the contents of its image and class columns."""

    def __init__(self, path: Path, image: str | None, label: str | None) -> None:
        try:
            from pyarrow import ArrowException, parquet
        except ImportError as error:
            raise missing_extra("reading Parquet files", "pyarrow", "parquet") from error
        self.path, self.damage = path, ArrowException
        try:
            self.file = parquet.ParquetFile(path)
            self.schema = self.file.schema_arrow
        except (ArrowException, OSError, ValueError) as error:
            raise DataError(f"{path} is damaged or no Parquet file ({error!s:.300})") from error
        self.image = self._column("image", image, _IMAGES)
        self.label = self._column("label", label, _LABELS)
        self.names = self._class_names()

    def _column(self, what: str, given: str | None, usual: tuple[str, ...]) -> str:
        there = list(self.schema.names)
        if given is not None:
            if given not in there:
                raise DataError(unknown(f"column of {self.path}", given, there[:20]))
            return given
        found = [name for name in usual if name in there]
        if not found:
            listed = shortened(", ".join(there), 200)
            raise DataError(
                f"{self.path} has no column '{usual[0]}'; give {what}= (--{what}), one of: {listed}"
            )
        return found[0]

    def _class_names(self) -> tuple[str, ...] | None:
        """Return the class names that ``datasets`` has written into the metadata, if any."""
        try:
            about = json.loads((self.schema.metadata or {}).get(b"huggingface", b"{}"))
            names = about["info"]["features"][self.label]["names"]
            return tuple(map(str, names)) or None
        except (ValueError, KeyError, TypeError):
            return None

    def labels(self) -> list[Any]:
        """Return the classes of all rows."""
        return list(self._values(self.label))

    def pieces(self, keep: bool) -> list[Piece]:
        """Return the encoded images, in memory or, with `keep`, in a file in the cache folder."""
        if not keep:
            return [
                Piece(self.path, name=f"{self.path}: row {row}", content=content)
                for row, content in enumerate(self._contents())
            ]
        sizes: list[int] = []
        kept = cached_file(f"parquet {self.image} {_hash_of_file(self.path)}", self._images(sizes))
        if not sizes:  # the file was in the cache already
            sizes = [len(content) for content in self._contents()]
        pieces, offset = [], 0
        for row, length in enumerate(sizes):
            pieces.append(Piece(kept, offset, length, f"{self.path}: row {row}"))
            offset += length
        return pieces

    def _images(self, sizes: list[int]) -> Iterator[bytes]:
        for content in self._contents():
            sizes.append(len(content))
            yield content

    def _contents(self) -> Iterator[bytes]:
        for value in self._values(self.image):
            content = value.get("bytes") if isinstance(value, dict) else value
            if not isinstance(content, bytes):
                raise DataError(
                    f"{self.path}: column '{self.image}' does not hold the bytes of images"
                )
            yield content

    def _values(self, column: str) -> Iterator[Any]:
        try:
            for batch in self.file.iter_batches(_ROWS, columns=[column]):
                yield from batch.column(0).to_pylist()
        except (self.damage, OSError, ValueError) as error:
            raise DataError(f"{self.path} is damaged ({shortened(error, 200)})") from error


def _hash_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hash_of(iter(lambda: file.read(_BLOCK), b""))
