"""Large images: cut down a strip at a time, and refused where they would fill the memory."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.data import images, read_image
from pellucid.errors import DataError

ROWS, COLUMNS = np.mgrid[0:300, 0:420]
SMOOTH = np.stack([ROWS % 256, COLUMNS // 2, 255 - ROWS // 2], axis=2).astype(np.uint8)
COLOUR = Image.fromarray(np.where(ROWS[..., None] < 256, SMOOTH, 255).astype(np.uint8))
GREY = COLOUR.convert("L")
ALPHA = Image.fromarray((COLUMNS // 2).astype(np.uint8))


def translucent(image: Image.Image) -> Image.Image:
    image = image.copy()
    image.putalpha(ALPHA)
    return image


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize(
    ("image", "suffix"),
    [
        (COLOUR, "png"),
        (GREY, "png"),
        (translucent(COLOUR), "png"),
        (translucent(GREY), "png"),
        (COLOUR.quantize(256), "png"),
        (Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257), "png"),
        (COLOUR, "jpg"),
        (GREY, "jpg"),
        (COLOUR, "webp"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.mode,
)
def test_a_large_image_looks_the_same_as_a_small_one(
    image: Image.Image,
    suffix: str,
    orientation: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{suffix}"
    image.save(path, exif=exif)
    for shape in ((3, 20, 30), (1, 17, 9)):
        whole = read_image(path, shape).astype(int)
        with monkeypatch.context() as patched:
            patched.setattr(images, "_LARGE", 0)
            patched.setattr(images, "_STRIP", 7)
            reduced = read_image(path, shape).astype(int)
        assert abs(whole - reduced).mean() < 3
        assert abs(whole - reduced).max() < 40  # the edge of the white corner


def test_an_image_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(8000, 8000))
    assert path.stat().st_size < 10_000
    for shape in (None, (3, 32, 32)):
        with pytest.raises(DataError, match=r"would take 244 MiB of memory.*save it smaller"):
            read_image(path, shape)


def png(width: int, height: int) -> bytes:
    """A PNG file that says how large it is, and holds the first rows alone."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return len(content).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 6, 0, 0, 0])
    rows = zlib.compress(bytes(10 * (1 + 4 * width)))
    parts = chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
