"""IDX files: what is right is read exactly, what is wrong is named before memory is taken."""

import gzip
import shutil
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data import load, read_idx, read_idx_folder
from pellucid.errors import DataError, ShapeError
from pellucid.types import Array


def idx(shape: tuple[int, ...], content: bytes) -> bytes:
    """An IDX file, written as its definition says."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + content


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 5), np.uint8)
RIGHT = idx((3, 4, 5), IMAGES.tobytes())


@given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=4), packed=st.booleans())
def test_what_is_written_is_read(
    shape: list[int], packed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    array = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    content = idx(tuple(shape), array.tobytes())
    path = tmp_path_factory.mktemp("idx") / "file"
    read = read_idx(written(path, gzip.compress(content) if packed else content))
    assert read.shape == tuple(shape)
    assert (read == array).all()


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize("packed", [False, True])
def test_compression_is_told_by_content_not_by_name(
    name: str, packed: bool, tmp_path: Path
) -> None:
    path = written(tmp_path / name, gzip.compress(RIGHT) if packed else RIGHT)
    assert (read_idx(path) == IMAGES).all()


WRONG = {
    "empty": (b"", "not an IDX file"),
    "other": (b"\x89PNG\r\n", "not an IDX file of unsigned bytes: it begins with '89 50 4e 47'"),
    "floats": (RIGHT.replace(b"\x08", b"\x0d", 1), "begins with '00 00 0d 03'"),
    "no dimensions": (idx((), b"\0"), "not an IDX file"),
    "header only in part": (RIGHT[:10], "ends inside its header"),
    "cut short": (RIGHT[:-1], "cut short: its header promises 60 values, there is 59"),
    "longer": (RIGHT + b"\0", "goes on after the 60 values"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("content", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(content: bytes, said: str, packed: bool, tmp_path: Path) -> None:
    path = written(tmp_path / "file", gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=said) as raised:
        read_idx(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_promises_terabytes_is_not_believed(packed: bool, tmp_path: Path) -> None:
    content = idx((2**31, 2**10, 2**10), bytes(100))
    path = written(tmp_path / "file", gzip.compress(content) if packed else content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="promises 2,251,799,813,685,248 values") as raised:
            read_idx(path)
        assert ("there can be at most" if packed else "there is 100;") in str(raised.value)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_compressed_file_is_unpacked_no_further_than_its_header_says(tmp_path: Path) -> None:
    bomb = written(tmp_path / "bomb.gz", gzip.compress(idx((10,), bytes(50 << 20))))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="goes on after the 10 values"):
            read_idx(bomb)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("cut", [5, 20, -4])
def test_a_compressed_file_that_broke_off_is_told(cut: int, tmp_path: Path) -> None:
    path = written(tmp_path / "file.gz", gzip.compress(RIGHT)[:cut])
    with pytest.raises(DataError, match=r"damaged or incomplete.*download it again"):
        read_idx(path)


def test_a_flipped_bit_in_a_compressed_file_is_found(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(RIGHT))
    content[-6] ^= 1  # in the checksum
    with pytest.raises(DataError, match="CRC"):
        read_idx(written(tmp_path / "file.gz", bytes(content)))


def four_files(folder: Path, labels: Array, test_labels: Array, suffix: str = "") -> Path:
    for part, numbers in (("train", labels), ("t10k", test_labels)):
        images = np.zeros((len(numbers), 2, 3), np.uint8)
        written(folder / f"{part}-images-idx3-ubyte{suffix}", idx(images.shape, images.tobytes()))
        written(folder / f"{part}-labels-idx1-ubyte{suffix}", idx(numbers.shape, numbers.tobytes()))
    return folder


def test_four_files_make_a_data_set(tmp_path: Path) -> None:
    labels = np.array([0, 2, 1], np.uint8)
    splits = read_idx_folder(four_files(tmp_path, labels, labels[:2], ".gz"), name="small")
    assert repr(splits) == "small: 3 images of 1×2×3, uint8, in 3 classes, 2 for testing"
    assert splits.train.labels.tolist() == [0, 2, 1]


def test_a_class_that_only_the_test_part_has_counts(tmp_path: Path) -> None:
    splits = read_idx_folder(
        four_files(tmp_path, np.array([0, 1], np.uint8), np.array([4], np.uint8))
    )
    assert splits.train.classes == ("0", "1", "2", "3", "4")


def test_as_many_labels_as_images_are_needed(tmp_path: Path) -> None:
    four_files(tmp_path, np.zeros(3, np.uint8), np.zeros(1, np.uint8))
    written(tmp_path / "train-labels-idx1-ubyte", idx((2,), bytes(2)))
    with pytest.raises(ShapeError, match=r"3 images, but .*train-labels-idx1-ubyte has 2 labels"):
        read_idx_folder(tmp_path)


def test_labels_in_place_of_images_are_noticed(tmp_path: Path) -> None:
    four_files(tmp_path, np.zeros(3, np.uint8), np.zeros(1, np.uint8))
    shutil.copy(tmp_path / "train-labels-idx1-ubyte", tmp_path / "train-images-idx3-ubyte")
    with pytest.raises(DataError, match=r"3 dimensions \(magic number 2051\), it has 1"):
        read_idx_folder(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no file train-images-idx3-ubyte"):
        read_idx_folder(tmp_path)


def test_a_label_outside_the_classes_is_named(tmp_path: Path) -> None:
    four_files(tmp_path, np.array([0, 1, 7], np.uint8), np.zeros(1, np.uint8))
    with pytest.raises(DataError, match="image 2 has label 7"):
        read_idx_folder(tmp_path, classes=("a", "b"))


PUBLISHED = {
    "mnist": ([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 0.1307, 0.3081),
    "fashion-mnist": ([6000] * 10, 0.2860, 0.3530),
}


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_real_sets_have_their_published_counts_and_pixels(name: str) -> None:
    counts, mean, std = PUBLISHED[name]
    splits = load(name)
    assert splits.train.images.shape == (60000, 1, 28, 28)
    assert splits.train.counts.tolist() == counts
    sample = splits.train.images / np.float32(255)
    assert float(sample.mean(dtype=np.float64)) == pytest.approx(mean, abs=5e-5)
    assert float(sample.std(dtype=np.float64)) == pytest.approx(std, abs=5e-5)
    assert splits.test is not None
    assert splits.test.images.shape == (10000, 1, 28, 28)
