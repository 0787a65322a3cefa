"""Arrays that NumPy wrote into one .npz file."""

import lzma
import math
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from pellucid.data.arrays import encode_labels, from_arrays, one_column
from pellucid.data.dataset import Splits
from pellucid.data.idx import MOST_INFLATION
from pellucid.data.inflation import check_unpacked
from pellucid.data.problems import shortened
from pellucid.errors import DataError, PellucidError
from pellucid.types import Array, Shape

_PARTS = ("train", "validation", "test")
_LAYOUTS: tuple[tuple[tuple[str, str], ...], ...] = (  # images and labels of each part, if there
    (("x_train", "y_train"), ("x_val", "y_val"), ("x_test", "y_test")),  # as Keras names them
    (
        ("train_images", "train_labels"),  # as MedMNIST does
        ("val_images", "val_labels"),
        ("test_images", "test_labels"),
    ),
    (("images", "labels"),),
    (("x", "y"),),
    (("data", "labels"),),
    (("data", "target"),),
    (("arr_0", "arr_1"),),  # as np.savez names arrays without names
)
_CLASSES = "classes"
_INFLATION = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: MOST_INFLATION}
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError, SyntaxError),
    *(OSError, EOFError, ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError),
)
"""What zipfile and NumPy raise when they read a damaged file."""
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz(
    path: str | Path, *, shape: Shape | None = None, channels_last: bool | None = None
) -> Splits:
    """Return the data set in an .npz file.

    Parameters
    ----------
    path
        A file with the arrays ``x_train`` and ``y_train`` and, for further parts, ``x_val`` and
        ``y_val``, ``x_test`` and ``y_test``; or ``train_images``, ``train_labels``,
        ``val_images``, ``val_labels``, ``test_images``, ``test_labels``; or ``images`` and
        ``labels``, ``x`` and ``y``, ``data`` and ``target``. Capitals do not matter. An array
        ``classes`` names the classes. The forms are those of `from_arrays`.
    shape
        (C, H, W) or (H, W), where images are rows of pixels.
    channels_last
        Whether images are (N, H, W, C); see `from_arrays`.

    Raises
    ------
    DataError
        It is no such file, has other arrays, is damaged, or promises more than it holds: that is
        looked at before memory is taken. Arrays of Python objects, which could run code, are
        refused.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "small.npz"
    ...     np.savez(path, images=np.zeros((2, 8, 8, 3), np.uint8), labels=[0, 1])
    ...     read_npz(path)
    small: 2 images of 3×8×8, uint8, in 2 classes, no test part
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no file '{path}'")
    try:
        with zipfile.ZipFile(path) as archive:
            parts, classes = _read_known(archive, path)
    except PellucidError:
        raise
    except _DAMAGED as error:
        raise DataError(f"{path} is damaged or no .npz file ({error!s:.300})") from error
    names = None if classes is None else tuple(map(str, classes.ravel().tolist()))
    labels = [one_column(y, f"{path}: labels of the {part} part") for part, (_, y) in parts.items()]
    numbers, names = encode_labels(np.concatenate(labels), names, str(path))  # of all parts
    ends = np.cumsum([len(part) for part in labels])
    sets = {}
    for (part, (x, _)), y in zip(parts.items(), np.split(numbers, ends[:-1]), strict=True):
        name = path.stem if part == "train" else f"{path.stem} {part}"
        sets[part] = from_arrays(x, y, names, name=name, channels_last=channels_last, shape=shape)
    return Splits(**sets)


def _read_known(
    archive: zipfile.ZipFile, path: Path
) -> tuple[dict[str, tuple[Array, Array]], Array | None]:
    """Return images and labels of each part, and the names of the classes if there are any."""
    there = {info.filename.removesuffix(".npy").lower(): info for info in archive.infolist()}
    whole = (layout for layout in _LAYOUTS if set(layout[0]) <= there.keys())
    begun = (layout for layout in _LAYOUTS if layout[0][0] in there)
    layout = next(whole, None) or next(begun, None)
    if layout is None:
        listed = shortened(", ".join(list(there)[:10]), 200) or "nothing"
        raise DataError(
            f"{path} has no arrays x_train and y_train, nor images and labels; it has: {listed}"
        )
    parts = _PARTS if len(layout) > 1 else ("train",)
    pairs = {part: keys for part, keys in zip(parts, layout, strict=True) if keys[0] in there}
    missing = [key for keys in pairs.values() for key in keys if key not in there]
    if missing:
        raise DataError(f"{path} has no array '{missing[0]}'")
    read = {
        part: (_read_array(archive, there[x], path), _read_array(archive, there[y], path))
        for part, (x, y) in pairs.items()
    }
    classes = _read_array(archive, there[_CLASSES], path) if _CLASSES in there else None
    return read, classes


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Array:
    name = f"{path}: {info.filename}"
    most = info.compress_size * _INFLATION.get(info.compress_type, 0)
    if info.file_size > most or info.compress_size > path.stat().st_size:
        raise DataError(f"{name} promises {info.file_size:,} bytes, which the file cannot hold")
    check_unpacked(name, info.compress_size, info.file_size, "save it uncompressed, with np.savez")
    with archive.open(info) as file:
        version = npy.read_magic(file)
        if version not in _HEADERS:
            raise DataError(f"{name} has version {version} of NumPy's format, expected 1.0 or 2.0")
        shape, _, dtype = _HEADERS[version](file)
        there = info.file_size - file.tell()
    if dtype.hasobject:
        raise DataError(f"{name} holds Python objects, which are not read; save plain arrays")
    if (promised := math.prod(shape) * dtype.itemsize) != there:
        raise DataError(f"{name}: the header promises {promised:,} bytes, there are {there:,}")
    with archive.open(info) as file:
        return np.asarray(npy.read_array(file, allow_pickle=False))
