"""Folders and archives of samples: EMNIST, .npy files, tar shards and Parquet."""

import functools
import io
import tarfile
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from pellucid.data import load
from tests.fuzz.data_files import idx_file, npy_changed, tar_header
from tests.fuzz.image_files import an_image, good_image
from tests.fuzz.mutation import EDGES, junk, mutated
from tests.fuzz.reader import Files, Reader


def _emnist(random: Random) -> Files:
    labels = bytes(random.choices(range(3), k=4))
    lines = [f"{n} {c}" for n, c in zip(range(3), (65, 66, 67), strict=True)]
    if random.random() < 0.6:
        lines[random.randrange(3)] = f"{random.choice((*EDGES, -1, 1.5, ''))} {junk(random)!s:.99}"
    mapping = "\n".join(lines).encode("utf-8", "replace")
    files = {
        "emnist-small-train-images-idx3-ubyte": idx_file((4, 3, 3), bytes(36)),
        "emnist-small-train-labels-idx1-ubyte": idx_file((4,), labels),
        "emnist-small-mapping.txt": mutated(mapping, random) if random.random() < 0.3 else mapping,
    }
    name = random.choice(list(files)[:2])
    return files | ({name: mutated(files[name], random)} if random.random() < 0.5 else {})


def _npy_folder(random: Random) -> Files:
    shape = random.choice(((3, 4, 4), (3, 1, 4, 4), (3, 16), (0, 4, 4), (3,)))
    labels: Any = random.choice(([0, 1, 2], ["a", "b", "a"], [0.0, 1.5, 2], [[0], [1], [2]]))
    images = np.zeros(shape, random.choice(("u1", "f4", "i8", "c8", "?")))
    files = {"images.npy": npy_changed(images, random), "labels.npy": npy_changed(labels, random)}
    name = random.choice(sorted(files))
    return files | ({name: mutated(files[name], random)} if random.random() < 0.3 else {})


def _shard(random: Random) -> Files:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=random.choice((0, 1, 2))) as archive:
        for number in range(random.randrange(1, 4)):
            image = good_image() if random.random() < 0.7 else an_image(random)
            label = str(number).encode() if random.random() < 0.8 else random.randbytes(3)
            for name, content in ((f"{number:03}.png", image), (f"{number:03}.cls", label)):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                if random.random() < 0.05:
                    member.type = random.choice((b"1", b"2", b"5", b"S", b"x", b"g", b"L", b"K"))
                archive.addfile(member, io.BytesIO(content))
    data = file.getvalue()
    if random.random() < 0.3:
        sizes = (
            b"\x80" + bytes(3) + b"@" + bytes(7),
            b"\xff" * 12,
            b"\xff" * 10 + b"\0\0",
            b"7" * 11,
            b"9",
        )
        kind = random.choice((b"0", b"x", b"g", b"S", b"L", b"K", b"V"))
        data = tar_header("1.png", random.choice(sizes), kind) + data
    return {"train-0.tar": mutated(data, random) if random.random() < 0.5 else data}


@functools.cache
def _parquet_files() -> list[bytes]:
    import pyarrow
    from pyarrow import parquet

    found = []
    for labels in ([0, 1], ["a", "b"], [None, 1]):
        for image in ({"bytes": good_image(), "path": "x"}, good_image(), "text"):
            file = io.BytesIO()
            table = pyarrow.table({"image": [image] * 2, "label": labels})
            parquet.write_table(table, file)
            found.append(file.getvalue())
    return found


def _parquet(random: Random) -> Files:
    return {"train.parquet": mutated(random.choice(_parquet_files()), random)}


def _load_folder(path: Path) -> object:
    return load(path.parent)


READERS = {
    "emnist": Reader(_emnist, _load_folder),
    "npy-folder": Reader(_npy_folder, _load_folder),
    "shards": Reader(_shard, load),
}
if find_spec("pyarrow"):
    READERS["parquet"] = Reader(_parquet, load)
