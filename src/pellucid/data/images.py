"""Image files: read, turned upright, cut to size."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import DataError, ShapeError, missing_extra
from pellucid.types import Array, Shape

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
)
_ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held
_SIDEWAYS = (5, 6, 7, 8)
_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")


def read_image(path: str | Path, shape: Shape | None = None) -> Array:
    """Return one image file as uint8 (C, H, W).

    Parameters
    ----------
    path
        A PNG, JPEG, BMP, GIF (its first picture), WebP, TIFF or PNM file. It is turned as its EXIF
        data says; transparent parts become white; 16-bit greys are brought to 8 bits.
    shape
        (C, H, W), with C = 1 for grey or 3 for colour. The largest centred part with these
        proportions is taken and resized, smoothing what gets smaller. Without it, the image as it
        is.

    Raises
    ------
    DataError
        It cannot be read as an image, or is larger than Pillow's limit against decompression bombs.

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
        raise ShapeError(f"an image is read as (1, H, W) or (3, H, W), not {shape}")
    with opened(path) as image:
        channels, size = shape_of(image)
        if shape is not None:
            channels, size = shape[0], (shape[1], shape[2])
        return pixels(image, channels, size)


@contextmanager
def opened(path: str | Path) -> Iterator["Image.Image"]:
    """Open an image file; whatever is wrong with it becomes a `DataError` that names it."""
    try:
        from PIL import Image
    except ImportError as error:
        raise missing_extra("reading image files", "pillow") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path}: the image is too large to be taken for a photo") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
            raise DataError(f"{path}: {error.strerror}") from error
        said = "not an image file" if "cannot identify" in str(error) else str(error)
        raise DataError(f"{path} cannot be read as an image: {said}") from error


def shape_of(image: "Image.Image") -> tuple[int, tuple[int, int]]:
    """Return (channels, (height, width)) of an image once it is upright, from its header alone."""
    width, height = image.size
    if image.getexif().get(_ORIENTATION) in _SIDEWAYS:
        width, height = height, width
    return (1 if image.mode in _GREY_MODES else 3), (height, width)


def pixels(image: "Image.Image", channels: int, size: tuple[int, int]) -> Array:
    """Return uint8 (channels, *size): upright, transparency made white, cut and resized."""
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image)
    plain = _without_transparency(_eight_bits(upright)).convert("L" if channels == 1 else "RGB")
    height, width = size
    if plain.size != (width, height):
        plain = ImageOps.fit(plain, (width, height), Image.Resampling.BICUBIC)
    array = np.array(plain, np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def _eight_bits(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers; save it with 8 bits")
    if not image.mode.startswith("I"):
        return image
    levels = np.asarray(image).astype(np.int64)
    return Image.fromarray(np.clip((levels + 128) // 257, 0, 255).astype(np.uint8))


def _without_transparency(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if not image.has_transparency_data:
        return image
    seen = image.convert("RGBA")
    white = Image.new("RGBA", seen.size, "white")
    white.alpha_composite(seen)
    return white.convert("RGB")


def listed(folder: Path) -> list[Path]:
    """Return the image files in `folder` and its subfolders, sorted, hidden ones left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
