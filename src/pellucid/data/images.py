"""Read image files, with the right orientation, size and number of channels."""

from __future__ import annotations

import io
import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from pellucid.data.bounded import BoundedFile
from pellucid.data.inflation import check_unpacked
from pellucid.errors import DataError, PellucidError, ShapeError, missing_extra
from pellucid.files import check_is_file
from pellucid.types import Array, Shape

if TYPE_CHECKING:
    from PIL import Image, ImageFile

_NOT_READ = frozenset(("BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"))
"""Formats that Pillow recognises but cannot read without another program."""
_FIRST_TRIED = ("JPEG", "PNG")
_COMMON = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_ORIENTATION = 0x0112  # the EXIF tag of the camera's orientation
_SIDEWAYS = (5, 6, 7, 8)
_SCALED_BY_DECODER = ("JPEG", "MPO")
_LARGE = 8 << 20
"""Decoded size in bytes above which an image is first reduced."""
_FREE = 48 << 20  # bytes: always allowed; a screenshot of 4096×3072 pixels, even if empty
_SMALL_FILE = 1 << 16  # bytes
_STRIP = 64  # rows of the reduced image computed at once
_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")


def read_image(path: str | Path | IO[bytes], shape: Shape | None = None) -> Array:
    """Read an image file as uint8 (C, H, W).

    Parameters
    ----------
    path
        Image in any format that Pillow reads: PNG, JPEG, WebP, AVIF, GIF (first frame), TIFF, BMP,
        …. It is rotated according to its EXIF data; transparent parts become white; 16-bit greys
        are converted to 8 bits.
    shape
        Shape (C, H, W), with C = 1 for grey or 3 for colour. The largest centred part with these
        proportions is cropped and resized with smoothing. By default, the image as it is.

    Returns
    -------
    ndarray of shape (C, H, W)
        The pixels.

    Raises
    ------
    DataError
        The file is not a readable image, or exceeds Pillow's limit against decompression bombs.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (320, 240), "white").save(Path(folder) / "photo.png")
    ...     read_image(Path(folder) / "photo.png", (1, 28, 28)).shape
    (1, 28, 28)
    """
    if shape is not None and (len(shape) != 3 or shape[0] not in (1, 3) or min(shape) < 1):
        raise ShapeError(f"the shape of an image must be (1, H, W) or (3, H, W), not {shape}")
    with opened(path) as image:
        channels, size = shape_of(image)
        if shape is not None:
            channels, size = shape[0], (shape[1], shape[2])
        return pixels(image, channels, size)


def _file(source: str | Path | IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    """Return `source` for a ``with`` block, which closes it only if it is opened here.

    Small files are read at once, because Pillow asks for a few bytes many times.
    """
    if not isinstance(source, str | Path):
        return nullcontext(source)
    file = BoundedFile(io.FileIO(source))
    if os.fstat(file.fileno()).st_size > _SMALL_FILE:
        return file
    with file:
        return io.BytesIO(file.read())


@contextmanager
def opened(
    source: str | Path | IO[bytes], name: str | None = None
) -> Iterator[ImageFile.ImageFile]:
    """Open an image; any error becomes a `DataError` that names the image.

    Parameters
    ----------
    source
        Path of a file, or an open file.
    name
        Name of the image in messages. By default its path.
    """
    path = name or source
    try:
        from PIL import Image
    except ImportError as error:
        raise missing_extra("reading image files", "pillow") from error
    try:
        with (
            _no_bomb_warning(),
            _file(source) as file,
            Image.open(file, formats=_formats()) as image,
        ):
            image.filename = str(path)
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise Image.DecompressionBombError
            if image.format not in _SCALED_BY_DECODER:
                _check_memory(image)
            yield image
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: the image is too large") from error
    except PellucidError:
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        if isinstance(source, str | Path):
            check_is_file(source, "an image file", DataError)
        raise DataError(f"{path}: {error.strerror}") from error
    except Exception as error:  # Pillow's decoders raise errors of many types
        text = "not an image file" if "cannot identify" in str(error) else str(error)
        raise DataError(f"{path} cannot be read as an image: {text}") from error


@contextmanager
def _no_bomb_warning() -> Iterator[None]:
    """Suppress Pillow's warning about large images, which `opened` refuses.

    The filters of `warnings` are shared by all threads, so threads that read ahead do not change
    them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def shape_of(image: Image.Image) -> tuple[int, tuple[int, int]]:
    """Return (channels, (height, width)) of an image in upright orientation, from its header."""
    width, height = image.size
    if image.getexif().get(_ORIENTATION) in _SIDEWAYS:
        width, height = height, width
    return (1 if image.mode in _GREY_MODES else 3), (height, width)


def pixels(image: ImageFile.ImageFile, channels: int, size: tuple[int, int]) -> Array:
    """Return uint8 (channels, *size): upright, on white background, cropped and resized."""
    from PIL import Image, ImageOps

    mode = "L" if channels == 1 else "RGB"
    smaller = _not_large(image, mode, size)
    ImageOps.exif_transpose(smaller, in_place=True)
    plain = _plain(smaller, mode)
    height, width = size
    if plain.size != (width, height):
        plain = ImageOps.fit(plain, (width, height), Image.Resampling.BICUBIC)
    return np.asarray(plain).reshape(height, width, channels).transpose(2, 0, 1).copy()


def _not_large(image: ImageFile.ImageFile, mode: str, size: tuple[int, int]) -> Image.Image:
    """Reduce an image much larger than `size`, to no less than twice this size.

    A JPEG is scaled while it is decoded. Any other image is decoded once, and reduced strip by
    strip, by means over blocks of pixels.
    """
    from PIL import Image

    def factor() -> int:
        there = shape_of(image)[1]
        return min(side // (2 * wanted) for side, wanted in zip(there, size, strict=True))

    if _decoded_bytes(image) > _LARGE and factor() > 1:
        image.draft(None, (image.width // factor(), image.height // factor()))
    if image.format in _SCALED_BY_DECODER:  # others were checked when they were opened
        _check_memory(image)
    k = factor()
    if _decoded_bytes(image) <= _LARGE or k < 2:
        return image
    smaller = Image.new(mode, (-(-image.width // k), -(-image.height // k)))
    for top in range(0, smaller.height, _STRIP):
        rows = (0, k * top, image.width, min(k * (top + _STRIP), image.height))
        smaller.paste(_plain(image.crop(rows), mode).reduce(k), (0, top))
    smaller.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return smaller


def _check_memory(image: ImageFile.ImageFile) -> None:
    """Raise an error if the image would take far more memory than its file has bytes."""
    assert image.fp is not None
    place = image.fp.tell()
    stored = image.fp.seek(0, io.SEEK_END)
    image.fp.seek(place)
    remedy = "save it smaller, or as JPEG"
    check_unpacked(str(image.filename), stored, _decoded_bytes(image), remedy, _FREE)


def _decoded_bytes(image: Image.Image) -> int:
    """Return the size of the decoded image in bytes; Pillow uses 1 or 4 bytes per pixel."""
    return image.width * image.height * (1 if image.mode in ("1", "L", "P") else 4)


def _plain(image: Image.Image, mode: str) -> Image.Image:
    """Return the image in this mode, with 8 bits, on white background."""
    plain = _without_transparency(_eight_bits(image))
    return plain if plain.mode == mode else plain.convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers; save it with 8 bits")
    if not image.mode.startswith("I"):
        return image
    levels = np.asarray(image).astype(np.int64)
    return Image.fromarray(np.clip((levels + 128) // 257, 0, 255).astype(np.uint8))


def _without_transparency(image: Image.Image) -> Image.Image:
    from PIL import Image

    if not image.has_transparency_data:
        return image
    seen = image.convert("RGBA")
    white = Image.new("RGBA", seen.size, "white")
    white.alpha_composite(seen)
    return white.convert("RGB")


def is_image(name: str) -> bool:
    """Return whether a file name has the suffix of an image that Pillow can read.

    >>> is_image("photo.JFIF"), is_image("notes.txt")
    (True, False)
    """
    return Path(name).suffix.lower() in _suffixes()


def first_image(folder: Path) -> Path | None:
    """Return the first image file, by path, in `folder` and its subfolders, or None."""
    return next((p for p in sorted(folder.rglob("*")) if is_image(p.name) and p.is_file()), None)


def _suffixes() -> frozenset[str]:
    """Return the suffixes of image files; without Pillow, the most common ones."""
    try:
        return _pillows()
    except ImportError:
        return frozenset(_COMMON)


@cache
def _pillows() -> frozenset[str]:
    from PIL import Image

    known = Image.registered_extensions().items()
    return frozenset(suffix for suffix, name in known if name in _formats() or name == "MPO")


@cache
def _formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats that it reads without other programs.

    Pillow tries them in this order, and some take long to find out that a file is of another.
    """
    from PIL import Image

    Image.init()
    readable = [name for name in Image.OPEN if name not in _NOT_READ]
    return tuple(sorted(readable, key=lambda name: name not in _FIRST_TRIED))
