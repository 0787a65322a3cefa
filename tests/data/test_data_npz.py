"""Arrays from .npz files: no objects, and no more memory than the file can hold."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.data import load, read_npz
from pellucid.errors import DataError, ShapeError

GREY = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def saved(path: Path, packed: bool = False, **arrays: Any) -> Path:
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_arrays_as_keras_names_them(packed: bool, tmp_path: Path) -> None:
    path = saved(
        tmp_path / "small.npz",
        packed,
        x_train=GREY,
        y_train=LABELS,
        x_test=GREY[:2],
        y_test=LABELS[:2],
    )
    splits = load(path)
    assert repr(splits) == "small: 6 images of 1×2×2, uint8, in 3 classes, 2 for testing"
    assert (splits.train.images[:, 0] == GREY).all()
    assert splits.train.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": GREY, "labels": LABELS},
        {"x": GREY[:, None], "y": LABELS[:, None].astype(np.uint8)},
        {"train_images": GREY[..., None], "train_labels": LABELS[:, None]},
    ],
)
def test_other_names_and_shapes(arrays: dict[str, Any], tmp_path: Path) -> None:
    splits = read_npz(saved(tmp_path / "a.npz", **arrays))
    assert (splits.train.images[:, 0] == GREY).all()
    assert splits.train.labels.tolist() == LABELS.tolist()
    assert splits.test is None


def test_channels_last_is_recognised_and_turned(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 9, 3), np.uint8)
    data = read_npz(saved(tmp_path / "a.npz", images=images, labels=LABELS)).train
    assert (data.images == images.transpose(0, 3, 1, 2)).all()
    assert data.images.flags.c_contiguous


def test_classes_may_be_named_by_text_or_by_an_array(tmp_path: Path) -> None:
    names = np.array(["c", "a", "b"])
    by_text = read_npz(saved(tmp_path / "a.npz", images=GREY, labels=names[LABELS])).train
    assert by_text.classes == ("a", "b", "c")
    assert [by_text.classes[i] for i in by_text.labels] == names[LABELS].tolist()
    by_array = read_npz(saved(tmp_path / "b.npz", images=GREY, labels=LABELS, classes=names)).train
    assert by_array.classes == ("c", "a", "b")


@pytest.mark.parametrize("labels", [np.array([-1, 1]), np.array(["no", "yes"])])
def test_both_parts_have_the_same_classes_even_if_one_lacks_some(
    labels: Any, tmp_path: Path
) -> None:
    path = saved(
        tmp_path / "a.npz", x_train=GREY[:2], y_train=labels, x_test=GREY[:1], y_test=labels[1:]
    )
    splits = read_npz(path)
    assert splits.test is not None
    assert splits.test.labels.tolist() == [1]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": GREY, "b": LABELS}, "has no arrays x_train and y_train.*it has: a, b"),
        ({"images": GREY}, "has no array 'labels'"),
        ({"x_train": GREY, "y_train": LABELS, "x_test": GREY}, "has no array 'y_test'"),
        ({"images": GREY, "labels": LABELS[:5]}, r"labels must be an array \(6,\)"),
        ({"images": GREY, "labels": np.eye(6)}, "argmax"),
        ({"images": GREY[0], "labels": LABELS}, "2 pixels a row, neither a square number"),
        ({"images": GREY[0, 0], "labels": LABELS}, r"\(N, H, W\)"),
        ({"images": GREY + 0j, "labels": LABELS}, "pixels must be numbers, not complex"),
        ({"images": GREY, "labels": LABELS, "classes": np.array(["a"])}, "image 1 has label 1"),
    ],
)
def test_what_does_not_fit_is_named(arrays: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises((DataError, ShapeError), match=said):
        read_npz(saved(tmp_path / "a.npz", **arrays))


class Malicious:
    ran = False

    def __reduce__(self) -> Any:
        return setattr, (Malicious, "ran", True)


def test_objects_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", images=np.array([Malicious()]), labels=np.array([0]))
    with pytest.raises(DataError, match=r"images\.npy holds Python objects"):
        read_npz(path)
    assert not Malicious.ran


def npy(shape: str, content: bytes, descr: str = "'|u1'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


LABELS_FILE = npy("(2,)", bytes(2))


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (
            npy("(2, 1000000000000)", bytes(2)),
            "header promises 2,000,000,000,000 bytes, there are 2",
        ),
        (npy("(2, 2)", bytes(3)), "header promises 4 bytes, there are 3"),
        (npy("(2, 2)", bytes(5)), "header promises 4 bytes, there are 5"),
        (npy("(2, 2)", bytes(4), "'|O'"), "Python objects"),
        (npy("(-2, -2)", bytes(4)), "damaged: its shape is"),
        (b"\x93NUMPY\x07\x00", r"version \(7, 0\)"),
        (b"no array", "damaged or no array"),
        (b"", "damaged or no array"),
    ],
)
def test_a_member_that_is_no_array_of_its_size_is_named(
    images: bytes, said: str, tmp_path: Path
) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((DataError, ShapeError), match=said):
            read_npz(zipped(tmp_path / "a.npz", images=images, labels=LABELS_FILE))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_directory_that_promises_terabytes_is_not_believed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npz", images=npy("(2, 2)", bytes(4)), labels=LABELS_FILE)
    content = path.read_bytes()
    size = len(npy("(2, 2)", bytes(4)))
    path.write_bytes(content.replace(struct.pack("<I", size), struct.pack("<I", 2**32 - 2)))
    with pytest.raises(DataError, match="promises 4,294,967,294 bytes, which the file cannot hold"):
        read_npz(path)


def test_nor_is_one_that_promises_more_compressed_bytes_than_the_file_has(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npz", images=npy("(2, 2)", bytes(4)), labels=LABELS_FILE)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("images.npy")
    sizes = struct.pack("<II", info.compress_size, info.file_size)
    path.write_bytes(content.replace(sizes, struct.pack("<II", 2**31, 2**31)))
    with pytest.raises(DataError, match="promises 2,147,483,648 bytes, which the file cannot hold"):
        read_npz(path)


@pytest.mark.parametrize("cut", [0, 10, -30])
def test_a_file_that_broke_off_is_told(cut: int, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", images=GREY, labels=LABELS)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"damaged or no \.npz file"):
        read_npz(path)


def test_a_flipped_byte_is_found(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", images=GREY, labels=LABELS)
    content = path.read_bytes()
    path.write_bytes(content.replace(GREY.tobytes(), GREY.tobytes()[::-1], 1))
    with pytest.raises(DataError, match="CRC"):
        read_npz(path)


def test_a_pickle_by_another_name_is_no_npz(tmp_path: Path) -> None:
    buffer = io.BytesIO(pickle.dumps(GREY))
    (tmp_path / "a.npz").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"no \.npz file"):
        read_npz(tmp_path / "a.npz")
