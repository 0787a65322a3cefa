"""Images of every format, and folders of them."""

import functools
import io
import struct
import zlib
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, features

from pellucid.data import read_folder, read_image
from tests.fuzz.mutation import EDGES, mutated
from tests.fuzz.reader import Files, Reader

_FORMATS = (
    "PNG",
    "JPEG",
    "GIF",
    "BMP",
    "WEBP",
    "TIFF",
    "PPM",
    "TGA",
    "ICO",
    "PCX",
    "DDS",
    "JPEG2000",
)
_MODES = ("RGB", "L", "RGBA", "P", "1", "LA", "I;16")


@functools.cache
def _images() -> list[tuple[str, bytes]]:
    """Return small images as (suffix, bytes), in every format and mode that goes together."""
    values = np.arange(12 * 9 * 3, dtype=np.uint8).reshape(12, 9, 3)
    found = []
    for format_name in _FORMATS + (("AVIF",) if features.check("avif") else ()):
        for mode in _MODES:
            image = Image.fromarray(values)
            image = image.convert("L").convert("I") if mode == "I;16" else image
            file = io.BytesIO()
            try:
                image.convert(mode).save(file, format_name)
            except (OSError, ValueError, KeyError):
                continue  # this format has no such images
            found.append((format_name, file.getvalue()))
    return found


def png_file(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG file of these chunks, with their checksums right."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> tuple[bytes, bytes]:
    """Return the chunk that a PNG file begins with."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


def _png(random: Random) -> bytes:
    side = (3, 9, 100, 5000, 9400, 30000, *EDGES)
    header = png_header(
        random.choice(side), random.choice(side), random.choice((1, 8, 16, 3)), random.randrange(8)
    )
    chunks = [
        header,
        (b"PLTE", random.randbytes(random.choice((0, 3, 768)))),
        (b"tRNS", random.randbytes(random.choice((0, 2, 256)))),
        (b"IDAT", zlib.compress(bytes(random.choice((0, 100, 1 << 16, 1 << 20))), 1)),
        (b"eXIf", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"),
        (random.choice((b"iTXt", b"zTXt", b"iCCP")), b"a\0\0" + zlib.compress(bytes(1 << 20))),
        (b"IEND", b""),
    ]
    for _ in range(random.choice((0, 1, 2))):
        at = random.randrange(len(chunks))
        chunks[at] = (
            random.choice((chunks[at][0], b"IDAT", b"abcd")),
            mutated(chunks[at][1], random),
        )
    return png_file(*(c for c in chunks if c[0] in (b"IHDR", b"IDAT") or random.random() < 0.5))


def good_image() -> bytes:
    """Return a small image with nothing wrong."""
    return _images()[0][1]


def an_image(random: Random) -> bytes:
    """Return an image with something wrong."""
    if random.random() < 0.15:
        return _png(random)
    content = mutated(random.choice(_images())[1], random)
    return content if random.random() < 0.8 else mutated(content[:64], random) + content[64:]


def _single(random: Random) -> Files:
    return {"photo.png": an_image(random)}


def _folder(random: Random) -> Files:
    names = random.sample(
        ("a/1.png", "a/2.jpg", "b/1.png", "train/a/1.png", "test/b/3.bmp", "4.gif"), 4
    )
    good = good_image()
    return {name: good if random.random() < 0.6 else an_image(random) for name in names}


def _read_folder(path: Path) -> None:
    root = next(folder for folder in path.parents if folder.name == "case")
    read_folder(root, skip_bad=len(str(path)) % 2 == 0)


READERS = {
    "image": Reader(_single, lambda path: read_image(path, (3, 8, 8))),
    "image-as-it-is": Reader(_single, read_image),
    "folder": Reader(_folder, _read_folder),
}
