"""EMNIST: handwritten letters and digits, 28×28, in IDX files of several variants.

The files are called ``emnist-letters-train-images-idx3-ubyte`` and so on, for the variants
balanced, byclass, bymerge, digits, letters and mnist. Each image is stored column by column.
``emnist-letters-mapping.txt`` has a line for each class: its number, the codes of its characters.

Source: Cohen, Afshar, Tapson and van Schaik, "EMNIST: an extension of MNIST to handwritten
letters", 2017.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pellucid.data.dataset import DataSet
from pellucid.data.idx import find_idx, read_pair
from pellucid.data.splits import Splits
from pellucid.errors import DataError, unknown
from pellucid.types import Array

_FILE = re.compile(r"emnist-(\w+)-train-images[-.]idx3-ubyte(\.gz)?")
_LONGEST_MAPPING = 10_000


def read_emnist(path: str | Path, *, variant: str | None = None) -> Splits:
    """Return a variant of EMNIST from a folder with its IDX files.

    Parameters
    ----------
    path
        Folder with ``emnist-VARIANT-train-images-idx3-ubyte``, the corresponding file of labels,
        the two files of the test part and ``emnist-VARIANT-mapping.txt``, the images and labels
        with or without ``.gz``.
    variant
        ``"balanced"``, ``"letters"``, …; may be omitted if the folder holds only one.
    """
    folder = Path(path)
    there = _variants(folder)
    if variant is None and len(there) == 1:
        variant = there[0]
    if variant is None:
        raise DataError(
            f"{folder} has several variants of EMNIST: {', '.join(there)}; "
            "choose one with variant= (--variant)"
        )
    if variant not in there:
        raise DataError(unknown(f"variant in {folder}", variant, there))
    parts = [part for part in ("train", "test") if _has(folder, variant, part)]
    pairs = [read_pair(folder, f"emnist-{variant}-{part}") for part in parts]
    characters = _characters(folder, variant)
    if not characters:
        numbers = sorted({int(n) for _, labels in pairs for n in np.unique(labels)})
        characters = {number: str(number) for number in numbers}
    sets = [
        DataSet(
            np.ascontiguousarray(images.transpose(0, 2, 1))[:, None],
            _numbered(labels, characters, folder),
            tuple(characters.values()),
            f"emnist-{variant}{suffix}",
        )
        for (images, labels), suffix in zip(pairs, ("", " test"), strict=False)
    ]
    return Splits(*sets)


def is_emnist(path: Path) -> bool:
    """Return whether `path` is a folder with the files of a variant of EMNIST."""
    return path.is_dir() and bool(_variants(path))


def _variants(folder: Path) -> list[str]:
    found = (_FILE.fullmatch(path.name) for path in folder.iterdir())
    return sorted({match[1] for match in found if match})


def _has(folder: Path, variant: str, part: str) -> bool:
    return find_idx(folder, f"emnist-{variant}-{part}-images-idx3-ubyte") is not None


def _characters(folder: Path, variant: str) -> dict[int, str]:
    """Return the characters of each class by its number in the files, in order."""
    path = folder / f"emnist-{variant}-mapping.txt"
    if not path.is_file():
        return {}
    with path.open(encoding="ascii", errors="replace") as file:
        lines = file.read(_LONGEST_MAPPING).splitlines()
    try:
        rows = sorted([int(word) for word in line.split()] for line in lines if line.strip())
        if rows and not 0 <= rows[0][0] <= rows[-1][0] <= 255:
            raise ValueError("its classes are not from 0 to 255")
        return {number: "".join(map(chr, codes)) for number, *codes in rows}
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path} is no mapping of EMNIST: {error!s:.300}") from error


def _numbered(labels: Array, characters: dict[int, str], folder: Path) -> Array:
    """Return the labels counted from 0 in the order of `characters`."""
    place = {number: i for i, number in enumerate(characters)}
    strange = set(np.unique(labels).tolist()) - place.keys()
    if strange:
        raise DataError(f"{folder}: label {min(strange)} is not in the mapping of the classes")
    table = np.zeros(256, np.int64)
    table[list(place)] = list(place.values())
    return np.asarray(table[labels])
