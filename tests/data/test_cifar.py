"""CIFAR-10, both versions, and a pickle that is read but never run."""

import gzip
import hashlib
import io
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.data import cifar, load, read_cifar10
from pellucid.data.cifar import read_batch
from pellucid.data.cifar_classes import CIFAR10 as CLASSES
from pellucid.data.pickled import read_pickle
from pellucid.errors import DataError
from pellucid.types import Array

BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")


def sample(seed: int, count: int = 4) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, 3072), np.uint8), generator.integers(0, 10, count)


def binary(seed: int) -> bytes:
    pixels, labels = sample(seed)
    return np.column_stack([labels.astype(np.uint8), pixels]).tobytes()


def pickled(seed: int, protocol: int = 3) -> bytes:
    pixels, labels = sample(seed)
    return pickle.dumps({"data": pixels, "labels": labels.tolist()}, protocol)


def all_batches(make: Any, suffix: str = "") -> dict[str, bytes]:
    return {f"{name}{suffix}": make(i) for i, name in enumerate((*BATCHES, "test_batch"))}


def in_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def in_archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(("make", "suffix"), [(binary, ".bin"), (pickled, "")])
@pytest.mark.parametrize("packed", ["", "cifar.tar", "cifar.tar.gz"])
def test_both_versions_are_read_from_a_folder_and_from_the_archive(
    make: Any, suffix: str, packed: str, tmp_path: Path
) -> None:
    files = all_batches(make, suffix)
    if packed:
        inside = {f"cifar-10-batches/{name}": content for name, content in files.items()}
        splits = read_cifar10(in_archive(tmp_path / packed, inside))
    else:
        splits = read_cifar10(in_folder(tmp_path, files))
    expected = [sample(seed) for seed in range(6)]
    assert splits.test is not None
    for data, parts in ((splits.train, expected[:5]), (splits.test, expected[5:])):
        assert (data.images.reshape(-1, 3072) == np.concatenate([x for x, _ in parts])).all()
        assert (data.labels == np.concatenate([y for _, y in parts])).all()
    assert splits.train.classes == CLASSES


def test_pixels_are_planes_of_red_green_and_blue() -> None:
    record = bytes([6, *[1] * 1024, *[2] * 1024, *[3] * 1024])
    images, labels = read_batch(record, "x.bin")
    assert labels.tolist() == [6]
    assert images[0].reshape(3, -1).tolist() == [[value] * 1024 for value in (1, 2, 3)]


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    files = all_batches(binary, ".bin")
    del files["data_batch_3.bin"]
    with pytest.raises(DataError, match="has no data_batch_3"):
        read_cifar10(in_folder(tmp_path, files))
    with pytest.raises(DataError, match="there is no file or folder"):
        read_cifar10(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (binary(0)[:-1], "x.bin", "12,291 bytes, which is not a number of whole records"),
        (b"", "x.bin", "0 bytes"),
        (bytes([10, *bytes(3072)]), "x.bin", "image 0 has label 10, expected 0 to 9"),
        (
            pickle.dumps({"data": sample(0)[0], "labels": [0, 1, 2, -1]}, 3),
            "x",
            "image 3 has label -1, expected 0 to 9",
        ),
        (pickle.dumps([1], 2), "x", "not a batch of CIFAR"),
        (pickle.dumps({"data": 1, "labels": [1]}, 2), "x", "'data' should be images"),
        (pickled(0)[:-1], "x", "not a readable pickle"),
        (b"no pickle at all", "x", "pickle"),
        (
            pickle.dumps({"data": sample(0)[0], "labels": [1]}, 3),
            "x",
            "4 images, but 1 labels",
        ),
        (
            pickle.dumps({"data": sample(0)[0], "labels": [1, 2, 3, "4"]}, 3),
            "x",
            "list of class numbers",
        ),
        (
            pickle.dumps({"data": sample(0)[0], "labels": [1, 2, 3, 11]}, 3),
            "x",
            "image 3 has label 11",
        ),
    ],
)
def test_a_batch_that_is_wrong_is_named(content: bytes, name: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_batch(content, name)


# A pickle is never run


class Malicious:
    """What unpickling would call."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_malicious_pickle_is_refused_and_nothing_is_run(protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "was-run"
    content = pickle.dumps({"data": Malicious(marker)}, protocol)
    with pytest.raises(DataError, match="was not run"):
        read_pickle(content, "batch")
    assert not marker.exists()
    pickle.loads(content)  # the test can fail: unpickling does run it
    assert marker.exists()


def test_a_malicious_pickle_in_the_place_of_a_batch_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "was-run"
    files = all_batches(pickled) | {"data_batch_2": pickle.dumps(Malicious(marker), 2)}
    with pytest.raises(DataError, match=r"data_batch_2.*system"):
        read_cifar10(in_archive(tmp_path / "cifar.tar.gz", files))
    assert not marker.exists()


SYSTEM = b"cposix\nsystem\n"
NAMED = {
    "global": b"\x80\x02" + SYSTEM + b"(X\x02\x00\x00\x00lstR.",
    "inst": b"(S'ls'\niposix\nsystem\n.",
    "stack global": b"\x8c\x05posix\x8c\x06system\x93.",
    "object": b"(" + SYSTEM + b"S'ls'\no.",
    "new object": SYSTEM + b")\x81.",
    "extension": b"\x82\x01.",
    "persistent": b"Psecret\n.",
    "array of objects": b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nmatrix\n\x85R.",
    "eval": b"c__builtin__\neval\n(S'1'\ntR.",
}


@pytest.mark.parametrize("content", NAMED.values(), ids=NAMED)
def test_every_instruction_that_could_name_code_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="was not run"):
        read_pickle(content, "batch")


def test_only_permitted_instructions_exist_for_the_reader() -> None:
    """Each of pickle's instructions alone: none but plain ones gets by."""
    refused = {
        instruction.name
        for instruction in pickletools.opcodes
        if instruction.arg is None and _is_refused(instruction.code.encode("latin-1") + b".")
    }
    assert {"OBJ", "NEWOBJ", "NEWOBJ_EX", "STACK_GLOBAL", "BINPERSID"} <= refused


def _is_refused(content: bytes) -> bool:
    try:
        read_pickle(content, "x")
    except DataError as error:
        return "was not run" in str(error)
    return False


def test_only_arrays_of_bytes_are_made() -> None:
    for array in (np.zeros(2, np.float64), np.array([{}]), np.zeros((2, 3), np.uint8).T):
        with pytest.raises(DataError):
            read_pickle(pickle.dumps({"data": array}, 3), "batch")


def test_an_array_larger_than_its_content_is_refused() -> None:
    content = pickle.dumps({"data": np.zeros((2, 3), np.uint8)}, 3)
    larger = content.replace(b"K\x02K\x03\x86", b"J" + struct.pack("<i", 2**31 - 1) + b"K\x03\x86")
    assert larger != content
    with pytest.raises(DataError, match="reshape"):
        read_pickle(larger, "batch")


@pytest.mark.parametrize("protocol", [2, 3])
def test_plain_data_is_what_pickle_reads(protocol: int) -> None:
    plain = {"numbers": [0, 255, 256, 70000, -1], "nested": [(1,), (1, 2, 3, 4), {"none": None}]}
    assert read_pickle(pickle.dumps(plain, protocol), "batch") == plain


# The archive is read, never unpacked


def test_names_in_an_archive_are_never_used_as_paths(tmp_path: Path) -> None:
    files = all_batches(pickled)
    outside = {f"../../{name}": content for name, content in files.items()}
    archive = in_archive(tmp_path / "cifar.tar.gz", outside | {"/etc/extra": b"x"})
    before = sorted(tmp_path.parent.rglob("*"))
    assert len(read_cifar10(archive).train) == 20
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar, "_MOST_ARCHIVE_BYTES", 1 << 20)
    monkeypatch.setattr(cifar, "_MOST_BYTES", 1 << 10)
    bomb = in_archive(tmp_path / "bomb.tar.gz", {"unrelated": bytes(2 << 20)})
    with pytest.raises(DataError, match="unpacks to more than 1 MiB"):
        read_cifar10(bomb)
    large = in_archive(tmp_path / "large.tar.gz", {"data_batch_1": bytes(2000)})
    with pytest.raises(DataError, match="data_batch_1 has more than"):
        read_cifar10(large)


def test_an_archive_that_broke_off_is_told(tmp_path: Path) -> None:
    path = in_archive(tmp_path / "cifar.tar.gz", all_batches(pickled))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="damaged or incomplete"):
        read_cifar10(path)
    path.write_bytes(gzip.compress(b"no archive"))
    with pytest.raises(DataError, match=r"has no data_batch_1|damaged"):
        read_cifar10(path)


# The real one


def test_the_real_test_batch_has_its_published_classes(data_home: Path) -> None:
    path = data_home / "cifar-10" / "cifar-10-batches-py" / "test_batch"
    images, labels = read_batch(path.read_bytes(), str(path))
    assert images.shape == (10000, 3, 32, 32)
    assert np.bincount(labels).tolist() == [1000] * 10


def test_what_is_read_from_the_real_batch_is_what_unpickling_gives(data_home: Path) -> None:
    """In a process of its own: NumPy warns about how the old file writes its type."""
    path = data_home / "cifar-10" / "cifar-10-batches-py" / "test_batch"
    program = (
        "import pickle, sys, hashlib, numpy\n"
        "batch = pickle.load(open(sys.argv[1], 'rb'), encoding='bytes')\n"
        "print(hashlib.sha256(batch[b'data'].tobytes() + bytes(batch[b'labels'])).hexdigest())"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, str(path)]
    unpickled = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    images, labels = read_batch(path.read_bytes(), str(path))
    read = hashlib.sha256(images.tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()
    assert read == unpickled


@pytest.mark.usefixtures("real_data")
def test_the_real_set_is_whole() -> None:
    splits = load("cifar-10")
    assert splits.train.counts.tolist() == [5000] * 10
    mean = splits.train.images.mean(axis=(0, 2, 3), dtype=np.float64) / 255
    assert mean == pytest.approx([0.4914, 0.4822, 0.4465], abs=5e-5)
