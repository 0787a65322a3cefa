"""Data sets: IDX, NPZ, tables, CIFAR-10's pickles and archives."""

import functools
import gzip
import io
import pickle
import pickletools
import struct
import tarfile
import zipfile
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import scipy.io

from pellucid.data import load, read_cifar10
from pellucid.data.cifar import read_batch
from pellucid.data.csv import read_csv
from pellucid.data.idx import read_idx
from pellucid.data.npz import read_npz
from pellucid.data.svhn import read_svhn
from pellucid.data.unlabelled import read_unlabelled
from tests.fuzz.mutation import EDGES, HUGE, junk, mutated
from tests.fuzz.reader import Files, Reader


def idx_file(shape: tuple[int, ...], content: bytes, kind: int = 8) -> bytes:
    """Return an IDX file with this header and this content."""
    header = bytes([0, 0, kind, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    return header + content


def _idx(random: Random) -> Files:
    shape = tuple(random.choice((1, 2, 3, 5)) for _ in range(random.choice((1, 1, 3, 3, 4))))
    content = random.randbytes(int(np.prod(shape)))
    if random.random() < 0.4:
        shape = tuple(random.choice((n, n, random.choice(EDGES))) for n in shape)
    if random.random() < 0.1:
        content = bytes(random.choice((1 << 16, 1 << 20)))
    file = idx_file(shape, content, random.choice((8, 8, 8, 8, 8, 9, 13, 14)))
    if random.random() < 0.5:
        file = mutated(file, random)
    if random.random() < 0.5:
        file = gzip.compress(file, random.choice((0, 1, 9)), mtime=0)
        file = mutated(file, random) if random.random() < 0.3 else file
    return {"images.idx": file}


# Arrays of NumPy


def npy_file(array: Any) -> bytes:
    """Return an array as NumPy writes it."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), allow_pickle=True)
    return file.getvalue()


def npy_with_header(header: bytes, content: bytes = b"", version: int = 1) -> bytes:
    """Return a file of NumPy's format whose header is any text."""
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + content


def npy_changed(array: Any, random: Random) -> bytes:
    """Return an array as NumPy writes it, or with a header or bytes changed."""
    array = np.asarray(array)
    part = random.randrange(12)
    if part < 9:
        return npy_file(array)
    if part == 9:
        return mutated(npy_file(array), random)
    size = random.choice((*EDGES, *HUGE, -1, True, 1.5, "x", None, (1,), "9" * 5000))
    descr = random.choice(("|u1", "<f8", "|O", ">i4", "<U5", "|S3", "|V0", "<M8[s]", "|b1", "", 1))
    shape = f"({array.shape[0] if array.ndim else 1}, {size}, 4)"[: random.choice((9, 99, 9999))]
    header = (
        f"{{'descr': {descr!r}, 'fortran_order': {random.choice((0, True))}, 'shape': {shape}}}"
    )
    if random.random() < 0.3:
        header = header[: random.randrange(len(header))]
    content = array.tobytes()[: random.randrange(array.nbytes + 1)]
    return npy_with_header(header.encode(), content, random.choice((1, 1, 2, 3, 9)))


def npz_file(compression: int = zipfile.ZIP_STORED, **arrays: bytes) -> bytes:
    """Return an .npz file of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in arrays.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content, compression)
    return file.getvalue()


_LABELS = (
    [0, 1, 2],
    ["cat", "dog", "cat"],
    [b"a", b"\xff", b"c"],
    [0.0, 1.5, 2.0],
    [[0], [1], [2]],
    [2**62, 1, 0],
    [],
    0,
    [None, 1, 2],
    [float("nan"), 0, 1],
    [True, False, True],
)


def _npz(random: Random) -> Files:
    kinds = ("u1", "u1", "f4", "f8", "i8", "f2", "c8", "?", "U1")
    shape = random.choice(((3, 4, 4), (3, 1, 4, 4), (3, 4, 4, 3), (3, 16), (3,), (0, 4, 4), ()))
    images = np.zeros(shape, random.choice(kinds))
    labels = np.asarray(random.choice(_LABELS), object if random.random() < 0.1 else None)
    names = random.choice((("images", "labels"), ("x_train", "y_train"), ("x", "y")))
    members = dict(
        zip(names, (npy_changed(images, random), npy_changed(labels, random)), strict=True)
    )
    if random.random() < 0.2:
        members["classes"] = npy_changed(np.array(["cat", "dog"]), random)
    if random.random() < 0.2:
        members |= {"x_test": npy_changed(images, random), "y_test": npy_changed(labels, random)}
    methods = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA
    content = npz_file(random.choice((*methods[:2], *methods)), **members)
    if random.random() < 0.2:
        content = _other_directory(content, random)
    return {"data.npz": mutated(content, random) if random.random() < 0.2 else content}


def _other_directory(content: bytes, random: Random) -> bytes:
    """Change a number in a zip file's directory."""
    data = bytearray(content)
    start = data.rfind(random.choice((b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04")))
    at = start + random.randrange(4, 30)
    size = random.choice((2, 4))
    number = random.choice(EDGES) % 256**size
    data[at : at + size] = number.to_bytes(size, "little")
    return bytes(data)


# Tables


def _csv(random: Random) -> Files:
    separator = random.choice(",,,,;\t")
    rows = [[str(random.randrange(256)) for _ in range(5)] for _ in range(random.randrange(1, 6))]
    if random.random() < 0.5:
        rows.insert(0, ["label", *(f"pixel{i}" for i in range(4))])
    for _ in range(random.choice((0, 1, 1, 2))):
        row = random.choice(rows)
        if row:
            row[random.randrange(len(row))] = _cell(random)
    if random.random() < 0.2:
        random.choice(rows).extend(["0"] * random.choice((1, 1000)))
    lines = (separator.join(row) + "\n" for row in rows)
    text = "".join(lines).encode("utf-8", "surrogatepass")
    text = mutated(text, random) if random.random() < 0.5 else text
    if random.random() < 0.2:
        times = random.choice((1, 1, 10_000)) if text.endswith(b"\n") else 1
        text = gzip.compress(text * times, mtime=0)
        text = mutated(text, random) if random.random() < 0.3 else text
    return {"table.csv": text}


def _cell(random: Random) -> str:
    cells = ("", '"', "'", "nan", "inf", "1e999", "-1", "0x10", "1_000", "9" * 400, "x" * 5000)
    return random.choice((*cells, '"a\nb"', "1 2 3 4", "\x00", "ä", str(junk(random))[:1000]))


# CIFAR-10


@functools.cache
def _opcodes() -> list[list[bytes]]:
    """Return pickled batches, each as the bytes of its instructions."""
    batch = {
        b"batch_label": b"training batch 1 of 5",
        b"labels": [3, 0],
        b"data": np.arange(2 * 3072, dtype=np.uint8).reshape(2, -1),
        b"filenames": [b"a.png", b"b.png"],
    }
    found = []
    for protocol in (0, 2, 3, 4):
        for content in (batch, {key.decode(): value for key, value in batch.items()}):
            data = pickle.dumps(content, protocol)
            starts = [at for _, _, at in pickletools.genops(data) if at is not None] + [len(data)]
            found.append([data[a:b] for a, b in pairwise(starts)])
    return found


def _pickled(random: Random) -> bytes:
    instructions = list(random.choice(_opcodes()[4:6] * 5 + _opcodes()))
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        at = random.randrange(len(instructions))
        action = random.randrange(5)
        if action == 0:
            del instructions[at]
        elif action == 1:
            instructions.insert(at, random.choice(instructions))
        elif action == 2:
            instructions[at] = mutated(instructions[at][:64], random) + instructions[at][64:]
        elif action == 3:
            instructions.insert(at, random.choice(_INSTRUCTIONS))
        else:
            other = random.randrange(len(instructions))
            instructions[at], instructions[other] = instructions[other], instructions[at]
        instructions = instructions or [b"."]
    return b"".join(instructions)


_INSTRUCTIONS = (
    *(b"0", b"2", b"1", b"(", b")", b"]", b"}", b"N", b"t", b"\x85", b"\x86", b"\x87", b"R", b"b"),
    *(b"a", b"e", b"s", b"u", b"K\x05", b"J\xff\xff\xff\x7f", b"h\x00", b"j\xff\xff\xff\x7f"),
    *(b"q\x00", b"r\xff\xff\xff\x7f", b"cos\nsystem\n", b"cbuiltins\neval\n", b"."),
    *(b"T\xff\xff\xff\x7f", b"X\xff\xff\xff\xff", b"I" + b"9" * 5000 + b"\n", b"\x8a\xff", b"d"),
)


def _cifar_batch(random: Random) -> Files:
    if random.random() < 0.2:
        content = random.randbytes(3073 * random.choice((0, 1, 2)))
        return {"data_batch_1.bin": mutated(content, random)}
    content = _pickled(random)
    return {"data_batch_1": mutated(content, random) if random.random() < 0.2 else content}


def tar_header(name: str, size: bytes, kind: bytes = b"0") -> bytes:
    """Return the header of a file in a tar archive, with its checksum right."""
    fields = struct.pack(
        "100s8s8s8s12s12s8sc100s6s2s", name.encode(), b"644", b"0", b"0", size, b"0", b" " * 8,
        kind, b"", b"ustar\0", b"00",
    )  # fmt: skip
    fields = fields.ljust(512, b"\0")
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def _cifar_archive(random: Random) -> Files:
    file = io.BytesIO()
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    with tarfile.open(fileobj=file, mode="w", format=random.choice((0, 1, 2))) as archive:
        for name in names:
            content = bytes(3073)
            if random.random() < 0.05:
                name, content = random.choice(("../x", "a" * 90, name)), random.randbytes(100)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}.bin")
            member.size = len(content)
            if random.random() < 0.05:
                member.type = random.choice((b"1", b"2", b"5", b"S", b"x", b"g", b"L", b"K"))
            archive.addfile(member, io.BytesIO(content))
    data = file.getvalue()
    if random.random() < 0.4:
        sizes = (b"\x80" + bytes(3) + b"@" + bytes(7), b"\xff" * 10 + b"\0\0", b"7" * 11, b"9")
        kind = random.choice((b"0", b"x", b"g", b"S", b"L", b"K", b"V"))
        header = tar_header(random.choice(("data_batch_1", "x")), random.choice(sizes), kind)
        data = header + random.choice((b"", b"19 size=99999999999999\n", b"6 a=b\n")) + data
    data = mutated(data, random) if random.random() < 0.4 else data
    data = gzip.compress(data, 1, mtime=0)
    return {"cifar.tar.gz": mutated(data, random) if random.random() < 0.1 else data}


# MATLAB files and raw bytes


@functools.cache
def _mat_files() -> list[bytes]:
    """Return small files of SVHN's form, and of others."""
    arrays = {"X": np.zeros((4, 4, 3, 2), np.uint8), "y": np.array([[1], [10]], np.uint8)}
    others = ({"y": np.array([["a", 1]], object)}, {"X": np.zeros((4, 4, 3, 2))}, {"z": {"a": [1]}})
    found = []
    for changes in ({}, {}, *others):
        for compressed in (False, True):
            file = io.BytesIO()
            scipy.io.savemat(file, arrays | changes, do_compression=compressed)
            found.append(file.getvalue())
    return found


def _svhn(random: Random) -> Files:
    content = bytearray(random.choice(_mat_files()))
    if random.random() < 0.7:  # a number in the headers of elements, which stand on eighths
        at = 8 * random.randrange(16, max(len(content) // 8, 17))
        number = random.choice((*EDGES, *range(20))) % 2**32
        content[at : at + 4] = number.to_bytes(4, "little")
    return {
        "train_32x32.mat": mutated(content, random) if random.random() < 0.5 else bytes(content)
    }


def _stl10(random: Random) -> Files:
    count = random.randrange(3)
    images, labels = bytes(3 * 96 * 96 * count), random.choices(range(12), k=count)
    files = {"train_X.bin": images, "train_y.bin": bytes(labels)}
    name = random.choice(sorted(files))
    return files | {name: mutated(files[name], random)}


READERS = {
    "idx": Reader(_idx, read_idx),
    "npz": Reader(_npz, read_npz),
    "csv": Reader(_csv, read_csv),
    "unlabelled": Reader(_csv, lambda path: read_unlabelled(path, (1, 2, 2))),
    "cifar-batch": Reader(_cifar_batch, lambda path: read_batch(path.read_bytes(), str(path))),
    "cifar-archive": Reader(_cifar_archive, read_cifar10),
    "svhn": Reader(_svhn, read_svhn),
    "stl-10": Reader(_stl10, lambda path: load(path.parent)),
}
