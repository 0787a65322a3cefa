"""Arrays in .npy and .npz files, in memory or left where they lie."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.data import AssumptionWarning, Splits, load, read_npy_folder, read_npz
from pellucid.errors import DataError
from pellucid.stored import StoredImages
from pellucid.types import Array

TINY = "1kB"
RANDOM = np.random.default_rng(0)
PLANES = RANDOM.integers(0, 256, (30, 3, 8, 8), np.uint8)
LABELS = np.arange(30) % 3


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def folder_of(folder: Path, **arrays: Array) -> Path:
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def npz_of(path: Path, packed: bool, **arrays: Array) -> Path:
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    return path


def same(a: Splits, b: Splits) -> None:
    """Compare a set in memory with one on the disk."""
    assert repr(a) == repr(b)
    for part, found in b.parts.items():
        assert isinstance(found.images, StoredImages)
        assert isinstance(a.parts[part].images, np.ndarray)
        assert (found.images[:] == a.parts[part].images).all()
        assert (found.labels == a.parts[part].labels).all()


FORMS: dict[str, Array] = {
    "planes": PLANES,
    "pixels": PLANES.transpose(0, 2, 3, 1).copy(),
    "grey": PLANES[:, 0],
    "float32": PLANES.astype(np.float32) / 3,
    "big-endian": (PLANES / 3).astype(">f8"),
    "rows": PLANES[:, 0].reshape(30, 64),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["npy", "npz", "packed npz"])
def test_images_on_the_disk_are_those_in_memory(form: str, kind: str, tmp_path: Path) -> None:
    x = FORMS[form]
    arrays = {"x_train": x[:20], "y_train": LABELS[:20], "x_val": x[20:24], "y_val": LABELS[20:24]}
    arrays |= {"x_test": x[24:], "y_test": LABELS[24:]}
    if kind == "npy":
        path = folder_of(tmp_path / "set", **arrays)
    else:
        path = npz_of(tmp_path / "set.npz", kind != "npz", **arrays)
    for _ in range(2):
        same(load(path), load(path, memory=TINY))
    assert (
        load(path).train.images
        == (PLANES if len(x.shape) == 4 else PLANES[:, :1])[:20]
        * (1 if x.dtype == np.uint8 else np.array(1 / 3, x.dtype))
    ).all() or form in ("float32", "big-endian")


def test_names_of_files(tmp_path: Path) -> None:
    x = {"images": FORMS["grey"], "labels": LABELS}
    data = read_npy_folder(folder_of(tmp_path / "a", **x)).train
    assert (data.images[:, 0] == FORMS["grey"]).all()
    pairs = {"train_images": FORMS["grey"], "train_labels": LABELS}
    assert len(load(folder_of(tmp_path / "b", **pairs)).train) == 30
    with pytest.raises(DataError, match=r"single array; pass the folder"):
        load(tmp_path / "a/images.npy")


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (PLANES.astype(np.int64), "are uint8, float32 or float64, row by row, not int64"),
        (np.asfortranarray(PLANES), "column by column"),
        (PLANES.reshape(30, 192), "pixel by pixel or in planes; give channels_last"),
        (RANDOM.random((30, 16, 8, 9)), r"give channels_last=True or False"),
        (PLANES[:, 0, 0, 0], r"holds no images|not \(30,\)"),
    ],
)
def test_what_cannot_stay_on_the_disk_is_told(x: Array, said: str, tmp_path: Path) -> None:
    for path in (
        folder_of(tmp_path / "a", x=x, y=LABELS),
        npz_of(tmp_path / "a.npz", packed=False, x=x, y=LABELS),
    ):
        with pytest.raises(ValueError, match=said):
            load(path, memory=TINY)


def test_an_unusual_shape_is_said_on_the_disk_too(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "a", x=RANDOM.random((30, 8, 8, 13)), y=LABELS)
    with pytest.warns(AssumptionWarning, match="13 channels of 8×8"):
        assert load(path, memory=TINY).train.image_shape == (13, 8, 8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[:-1], "header promises 5,760 bytes, there are 5,759"),
        (lambda content: content + b"x", "header promises 5,760 bytes, there are 5,761"),
        (lambda content: b"no array", "damaged or no array"),
        (lambda content: content.replace(b"|u1", b"|O1"), "damaged|Python objects"),
        (lambda content: content.replace(b"|u1", b"|V0"), "damaged: its shape is"),
        (lambda content: content.replace(b"(30, ", b"(-3, "), "damaged: its shape is"),
        (lambda content: b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{", "damaged or no array"),
    ],
)
def test_a_damaged_file_is_told(change: Any, said: str, tmp_path: Path) -> None:
    path = folder_of(tmp_path / "a", x=PLANES, y=LABELS)
    (path / "x.npy").write_bytes(change((path / "x.npy").read_bytes()))
    for memory in (None, TINY):
        with pytest.raises(DataError, match=said):
            load(path, memory=memory)


@pytest.mark.parametrize("array", ["y", "classes"])
def test_text_that_is_none_is_told(array: str, tmp_path: Path) -> None:
    no_text = np.full(30, 0xFFFFFF, np.uint32).view("<U1")
    path = npz_of(tmp_path / "a.npz", packed=False, **{"x": PLANES, "y": LABELS, array: no_text})
    with pytest.raises(DataError, match="damaged array of text"):
        load(path)


def test_a_packed_array_is_unpacked_once(tmp_path: Path, home: Path) -> None:
    path = npz_of(tmp_path / "a.npz", packed=True, x=PLANES, y=LABELS)
    for _ in range(2):
        read_npz(path, memory=TINY)
        assert len(list((home / "decoded").iterdir())) == 1
    npz_of(path, packed=True, x=PLANES[::-1], y=LABELS)
    assert (read_npz(path, memory=TINY).train.images[:] == PLANES[::-1]).all()


@pytest.mark.parametrize("packed", [None, False, True])
def test_an_array_saved_column_by_column_is_read_into_memory(
    packed: bool | None, tmp_path: Path
) -> None:
    arrays = {"x": np.asfortranarray(PLANES), "y": LABELS}
    if packed is None:
        path = folder_of(tmp_path / "a", **arrays)
    else:
        path = npz_of(tmp_path / "a.npz", packed, **arrays)
    assert (load(path).train.images == PLANES).all()
