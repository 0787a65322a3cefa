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
from pellucid.errors import DataError, PellucidError
from pellucid.types import Array

_LAYOUTS = (
    (("x_train", "y_train"), ("x_test", "y_test")),  # as Keras names them
    (("train_images", "train_labels"), ("test_images", "test_labels")),  # as MedMNIST does
    (("images", "labels"),),
    (("x", "y"),),
)
_CLASSES = "classes"
_INFLATION = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: MOST_INFLATION}
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError, SyntaxError),
    *(OSError, EOFError, ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError),
)
"""What zipfile and NumPy raise when they read a damaged file."""
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz(path: str | Path, *, channels_last: bool | None = None) -> Splits:
    """Return the data set in an .npz file.

    Parameters
    ----------
    path
        A file with the arrays ``x_train`` and ``y_train`` and, for a test part, ``x_test`` and
        ``y_test``; or ``train_images``, ``train_labels``, ``test_images``, ``test_labels``; or
        ``images`` and ``labels``. An array ``classes`` names the classes. The forms are those of
        `from_arrays`.
    channels_last
        Whether images are (N, H, W, C); without it the shape tells, see `from_arrays`.

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
            arrays = _read_known(archive, path)
    except PellucidError:
        raise
    except _DAMAGED as error:
        raise DataError(f"{path} is damaged or no .npz file ({error})") from error
    classes = arrays.pop(_CLASSES, None)
    names = None if classes is None else tuple(map(str, classes.ravel().tolist()))
    images = list(arrays.values())[::2]
    labels = [one_column(a, f"{path}: {key}") for key, a in list(arrays.items())[1::2]]
    numbers, names = encode_labels(np.concatenate(labels), names, str(path))  # of both parts
    parts = zip(images, np.split(numbers, [len(labels[0])]), ("", " test"), strict=False)
    return Splits(
        *(
            from_arrays(x, y, names, name=f"{path.stem}{suffix}", channels_last=channels_last)
            for x, y, suffix in parts
        )
    )


def _read_known(archive: zipfile.ZipFile, path: Path) -> dict[str, Array]:
    """Return images, labels, and those of the test part if there are any, then the class names."""
    there = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    layout = next((layout for layout in _LAYOUTS if layout[0][0] in there), None)
    if layout is None:
        listed = ", ".join(list(there)[:10]) or "nothing"
        raise DataError(
            f"{path} has no arrays x_train and y_train, nor images and labels; it has: {listed}"
        )
    wanted = [key for pair in layout if pair[0] in there for key in pair]
    missing = [key for key in wanted if key not in there]
    if missing:
        raise DataError(f"{path} has no array '{missing[0]}'")
    wanted += [_CLASSES] if _CLASSES in there else []
    return {key: _read_array(archive, there[key], path) for key in wanted}


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
