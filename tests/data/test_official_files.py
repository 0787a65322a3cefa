"""Data sets in their official files, made here as their makers document them, and recognised."""

import gzip
import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from pellucid.data import (
    SkippedWarning,
    Splits,
    load,
    read_cifar100,
    read_csv_folder,
    read_emnist,
    read_stl10,
    read_svhn,
)
from pellucid.data.cifar_classes import COARSE, FINE
from pellucid.errors import DataError
from pellucid.types import Array

RANDOM = np.random.default_rng(0)


def parts_of(splits: Splits) -> list[tuple[Array, list[int]]]:
    return [(data.images, data.labels.tolist()) for data in splits.parts.values()]


def check(splits: Splits, expected: list[tuple[Array, list[int]]]) -> None:
    """Compare all parts with (images, labels)."""
    for (images, labels), (x, y) in zip(parts_of(splits), expected, strict=True):
        assert images.shape == x.shape
        assert (images == x).all()
        assert labels == y
        assert images.flags.c_contiguous


# CIFAR-100

CIFAR = {
    part: RANDOM.integers(0, 256, (n, 3072), np.uint8) for part, n in (("train", 5), ("test", 3))
}
FINE_LABELS = {"train": [99, 0, 7, 50, 7], "test": [1, 2, 3]}
COARSE_LABELS = {"train": [19, 0, 3, 5, 3], "test": [4, 5, 6]}


def cifar_python(part: str) -> bytes:
    content = {
        "filenames": ["a.png"] * len(CIFAR[part]),
        "batch_label": "training batch 1 of 1",
        "fine_labels": FINE_LABELS[part],
        "coarse_labels": COARSE_LABELS[part],
        "data": CIFAR[part],
    }
    return pickle.dumps(content, 3)


def cifar_binary(part: str) -> bytes:
    columns = (COARSE_LABELS[part], FINE_LABELS[part], CIFAR[part])
    return np.column_stack(columns).astype(np.uint8).tobytes()


@pytest.mark.parametrize("version", ["python", "binary", "archive"])
@pytest.mark.parametrize(
    ("kind", "numbers", "names"), [("fine", FINE_LABELS, FINE), ("coarse", COARSE_LABELS, COARSE)]
)
def test_both_versions_of_cifar_100(
    version: str, kind: str, numbers: dict[str, list[int]], names: tuple[str, ...], tmp_path: Path
) -> None:
    make, suffix = (cifar_binary, ".bin") if version == "binary" else (cifar_python, "")
    path = tmp_path
    if version == "archive":
        path = tmp_path / "cifar-100.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for part in ("train", "test"):
                member = tarfile.TarInfo(f"cifar-100-python/{part}")
                member.size = len(make(part))
                archive.addfile(member, io.BytesIO(make(part)))
    else:
        for part in ("train", "test"):
            (tmp_path / f"{part}{suffix}").write_bytes(make(part))
    for splits in (read_cifar100(path, labels=kind), load(path, labels=kind)):
        assert splits.train.classes == names
        expected = [(CIFAR[p].reshape(-1, 3, 32, 32), numbers[p]) for p in ("train", "test")]
        check(splits, expected)


def test_cifar_100_has_100_classes_in_20_superclasses(tmp_path: Path) -> None:
    assert (len(set(FINE)), len(set(COARSE))) == (100, 20)
    assert list(FINE) == sorted(FINE)
    for part in ("train", "test"):
        (tmp_path / part).write_bytes(cifar_python(part))
    assert load(tmp_path).train.classes == FINE
    with pytest.raises(DataError, match="unknown labels of cifar-100 'fin'; did you mean 'fine'"):
        load(tmp_path, labels="fin")
    (tmp_path / "train.bin").write_bytes(bytes([0, 100, *bytes(3072)]))
    (tmp_path / "train").unlink()
    with pytest.raises(DataError, match="label 100, expected 0 to 99"):
        load(tmp_path)


# SVHN


def svhn(path: Path, labels: list[int], compressed: bool = True) -> Array:
    images = RANDOM.integers(0, 256, (32, 32, 3, len(labels)), np.uint8)
    arrays = {"X": images, "y": np.array(labels, np.uint8)[:, None]}
    scipy.io.savemat(path, arrays, do_compression=compressed)
    return images.transpose(3, 2, 0, 1)


@pytest.mark.parametrize("compressed", [False, True])
def test_svhn_in_which_the_digit_0_is_class_10(compressed: bool, tmp_path: Path) -> None:
    train = svhn(tmp_path / "train_32x32.mat", [1, 10, 9, 10], compressed)
    test = svhn(tmp_path / "test_32x32.mat", [5, 10], compressed)
    expected = [(train, [1, 0, 9, 0]), (test, [5, 0])]
    for splits in (read_svhn(tmp_path), load(tmp_path)):
        check(splits, expected)
        assert splits.train.classes == tuple("0123456789")
    check(load(tmp_path / "test_32x32.mat"), expected[1:])


def test_a_matlab_file_that_is_not_svhn_is_told(tmp_path: Path) -> None:
    path = tmp_path / "train_32x32.mat"
    scipy.io.savemat(path, {"a": np.zeros((3, 3))})
    with pytest.raises(DataError, match="does not hold SVHN's arrays"):
        load(path)
    svhn(path, [1, 11])
    with pytest.raises(DataError, match="image 1 has label 11, expected 1 to 10"):
        load(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"train_32x32\.mat (is damaged|does not hold)"):
        load(path)


# STL-10


def stl10(folder: Path, part: str, labels: list[int]) -> Array:
    images = RANDOM.integers(0, 256, (len(labels), 3, 96, 96), np.uint8)
    columns_first = np.ascontiguousarray(images.transpose(0, 1, 3, 2))
    (folder / f"{part}_X.bin").write_bytes(columns_first.tobytes())
    (folder / f"{part}_y.bin").write_bytes(bytes(labels))
    return images


def test_stl_10_stands_column_by_column_and_counts_classes_from_1(tmp_path: Path) -> None:
    train, test = stl10(tmp_path, "train", [1, 10, 3]), stl10(tmp_path, "test", [2])
    (tmp_path / "unlabeled_X.bin").write_bytes(b"not looked at")
    for splits in (read_stl10(tmp_path), load(tmp_path)):
        check(splits, [(train, [0, 9, 2]), (test, [1])])
        assert splits.train.classes[0] == "airplane"


def test_damaged_files_of_stl_10_are_named(tmp_path: Path) -> None:
    stl10(tmp_path, "train", [1, 11])
    with pytest.raises(DataError, match="image 1 has label 11, expected 1 to 10"):
        load(tmp_path)
    (tmp_path / "train_y.bin").write_bytes(b"1")
    with pytest.raises(DataError, match=r"has 2 images, but .* has 1 labels"):
        load(tmp_path)
    (tmp_path / "train_X.bin").write_bytes(bytes(1000))
    with pytest.raises(DataError, match="1,000 bytes, which is not a number of STL-10's"):
        load(tmp_path)


# EMNIST and other IDX files


def idx(path: Path, values: Array) -> None:
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))


def emnist(folder: Path, variant: str, part: str, labels: list[int]) -> Array:
    images = RANDOM.integers(0, 256, (len(labels), 28, 28), np.uint8)
    stem = f"emnist-{variant}-{part}"
    idx(folder / f"{stem}-images-idx3-ubyte.gz", images.transpose(0, 2, 1))
    idx(folder / f"{stem}-labels-idx1-ubyte.gz", np.array(labels))
    return images[:, None]


def test_emnist_stands_column_by_column_with_classes_from_its_mapping(tmp_path: Path) -> None:
    train = emnist(tmp_path, "letters", "train", [1, 26, 3])
    test = emnist(tmp_path, "letters", "test", [2])
    lines = [f"{i} {64 + i} {96 + i}" for i in range(1, 27)]
    (tmp_path / "emnist-letters-mapping.txt").write_text("\n".join(lines))
    for splits in (read_emnist(tmp_path), load(tmp_path)):
        check(splits, [(train, [0, 25, 2]), (test, [1])])
        assert splits.train.classes[::25] == ("Aa", "Zz")
        assert splits.train.name == "emnist-letters"


def test_one_of_several_variants_of_emnist_is_chosen(tmp_path: Path) -> None:
    digits = emnist(tmp_path, "digits", "train", [3, 5])
    emnist(tmp_path, "balanced", "train", [3, 5])
    with pytest.raises(DataError, match=r"variants of EMNIST: balanced, digits; .*--variant"):
        load(tmp_path)
    check(load(tmp_path, variant="digits"), [(digits, [0, 1])])
    assert load(tmp_path, variant="digits").train.classes == ("3", "5")
    with pytest.raises(DataError, match=r"unknown variant .* 'digit'; did you mean 'digits'"):
        load(tmp_path, variant="digit")


def test_a_label_outside_the_mapping_is_named(tmp_path: Path) -> None:
    emnist(tmp_path, "letters", "train", [1, 3])
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n")
    with pytest.raises(DataError, match="label 3 is not in the mapping"):
        load(tmp_path)
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 A\n")
    with pytest.raises(DataError, match="is no mapping of EMNIST"):
        load(tmp_path)


def test_a_folder_of_mnists_files_is_recognised(tmp_path: Path) -> None:
    images = RANDOM.integers(0, 256, (3, 5, 5), np.uint8)
    idx(tmp_path / "train-images-idx3-ubyte.gz", images)
    idx(tmp_path / "train-labels-idx1-ubyte.gz", np.array([0, 1, 2]))
    check(load(tmp_path), [(images[:, None], [0, 1, 2])])
    (tmp_path / "alone").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 0]))
    with pytest.raises(DataError, match=r"single IDX file; pass the folder"):
        load(tmp_path / "alone")


# .npz files of Keras and MedMNIST


def test_keras_mnist_npz(tmp_path: Path) -> None:
    x, y = RANDOM.integers(0, 256, (6, 28, 28), np.uint8), np.array([5, 0, 4, 1, 9, 2], np.uint8)
    np.savez_compressed(
        tmp_path / "mnist.npz", x_train=x[:4], y_train=y[:4], x_test=x[4:], y_test=y[4:]
    )
    splits = load(tmp_path / "mnist.npz")
    check(splits, [(x[:4, None], [5, 0, 4, 1]), (x[4:, None], [9, 2])])


@pytest.mark.parametrize("channels", [(), (3,)])
def test_medmnist_has_three_parts_and_labels_in_a_column(
    channels: tuple[int, ...], tmp_path: Path
) -> None:
    x = RANDOM.integers(0, 256, (6, 28, 28, *channels), np.uint8)
    y = np.array([[0], [1], [2], [0], [1], [2]], np.uint8)
    arrays = {}
    for part, chosen in (("train", slice(3)), ("val", slice(3, 4)), ("test", slice(4, 6))):
        arrays |= {f"{part}_images": x[chosen], f"{part}_labels": y[chosen]}
    np.savez_compressed(tmp_path / "pathmnist.npz", **arrays)
    splits = load(tmp_path / "pathmnist.npz")
    turned = x[:, None] if not channels else x.transpose(0, 3, 1, 2)
    check(splits, [(turned[:3], [0, 1, 2]), (turned[3:4], [0]), (turned[4:], [1, 2])])
    assert splits.validation is not None


# MNIST as CSV


def test_a_folder_with_a_table_for_each_part(tmp_path: Path) -> None:
    x = RANDOM.integers(0, 256, (5, 784), np.uint8)
    x[:, -1] = 0  # a corner of MNIST
    for name, rows in (("mnist_train", [0, 1, 2]), ("mnist_test", [3, 4])):
        lines = [",".join(map(str, [i, *x[i]])) for i in rows]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    expected = [(x[:3].reshape(3, 1, 28, 28), [0, 1, 2]), (x[3:].reshape(2, 1, 28, 28), [3, 4])]
    for splits in (read_csv_folder(tmp_path), load(tmp_path)):
        check(splits, expected)


def test_a_test_table_without_classes_is_left_out_and_named(tmp_path: Path) -> None:
    names = ",".join(f"pixel{i}" for i in range(4))
    (tmp_path / "train.csv").write_text(f"label,{names}\n0,1,2,3,4\n1,5,6,7,8\n")
    (tmp_path / "test.csv").write_text(f"{names}\n0,1,2,0\n0,5,6,0\n")
    with pytest.warns(SkippedWarning, match=r"left out .*test\.csv: its images are \(3, 1, 1\)"):
        splits = load(tmp_path)
    assert splits.test is None
    assert splits.train.image_shape == (1, 2, 2)
