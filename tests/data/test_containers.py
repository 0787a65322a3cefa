"""Encoded images inside Parquet files and tar shards, in memory and on the disk."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from pellucid.data import Splits, load, read_parquet, read_shards
from pellucid.errors import DataError
from pellucid.stored import StoredImages
from pellucid.types import Array

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (12, 6, 5, 3), np.uint8)
LABELS = [2, 0, 1] * 4
TINY = "1kB"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def png(image: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def check(splits: Splits, train: list[int], test: list[int], stored: bool) -> None:
    """Compare the parts with the images of these numbers."""
    assert splits.test is not None
    for part, numbers in ((splits.train, train), (splits.test, test)):
        assert isinstance(part.images, StoredImages) == stored
        assert (part.images[:] == IMAGES[numbers].transpose(0, 3, 1, 2)).all()
        assert [part.classes[label] for label in part.labels] == ["abc"[LABELS[i]] for i in numbers]


# Parquet, as Hugging Face's datasets writes it


def hugging_face(path: Path, numbers: list[int], names: str = "abc", **change: Any) -> Path:
    """Write images as ``Dataset.to_parquet`` does: a struct, whole numbers, names in metadata."""
    content = [{"bytes": png(IMAGES[i]), "path": f"{i}.png"} for i in numbers]
    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(names), "_type": "ClassLabel"},
    }
    columns: dict[str, Any] = {
        "image": pa.array(content, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        "label": pa.array([LABELS[i] for i in numbers], pa.int64()),
    }
    table = pa.table({**columns, **change})
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table.replace_schema_metadata(metadata), path, row_group_size=3)
    return path


@pytest.mark.parametrize("memory", [None, TINY])
@pytest.mark.parametrize("inside", ["", "data/"])
def test_parquet_as_the_hub_has_it(inside: str, memory: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    hugging_face(folder / f"{inside}train-00000-of-00002.parquet", [0, 1, 2, 3])
    hugging_face(folder / f"{inside}train-00001-of-00002.parquet", [4, 5, 6])
    hugging_face(folder / f"{inside}test-00000-of-00001.parquet", [7, 8, 9, 10, 11])
    for _ in range(2):  # the second time from the cache
        for splits in (read_parquet(folder, memory=memory), load(folder, memory=memory)):
            check(splits, list(range(7)), list(range(7, 12)), stored=memory is not None)
            assert splits.train.classes == ("a", "b", "c")
            assert splits.train.name == "mnist"


def test_one_parquet_file_with_plain_bytes_and_names(tmp_path: Path) -> None:
    names = pa.array(["abc"[LABELS[i]] for i in range(12)])
    pictures = pa.array([png(image) for image in IMAGES], pa.binary())
    path = tmp_path / "one.parquet"
    parquet.write_table(pa.table({"photo": pictures, "kind": names}), path)
    with pytest.raises(DataError, match=r"no column 'image'; give image= .*: photo, kind"):
        load(path)
    data = load(path, image="photo", label="kind").train
    assert (data.images == IMAGES.transpose(0, 3, 1, 2)).all()
    assert data.classes == ("a", "b", "c")
    with pytest.raises(DataError, match=r"unknown column .* 'foto'; did you mean 'photo'"):
        load(path, image="foto", label="kind")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": pa.array([1, 2, 3])}, "column 'image' does not hold the bytes of images"),
        ({"image": pa.array([b"a", b"b", b"c"])}, "3 unusable images: .*row 0 .*not an image"),
        ({"label": pa.array([0, 1, 7])}, "image 2 has label 7, but there are 3 classes"),
        ({"label": pa.array([0, None, 1])}, "no label|has label"),
    ],
)
@pytest.mark.parametrize("memory", [None, TINY])
def test_what_a_parquet_file_holds_instead_is_told(
    change: dict[str, Any], said: str, memory: str | None, tmp_path: Path
) -> None:
    path = hugging_face(tmp_path / "a.parquet", [0, 1, 2], **change)
    with pytest.raises(DataError, match=said):
        load(path, memory=memory)


def test_files_that_name_the_classes_differently_are_refused(tmp_path: Path) -> None:
    """The class numbers of the one would be read as those of the other."""
    hugging_face(tmp_path / "test.parquet", [3, 4, 5], names="bac")
    path = hugging_face(tmp_path / "train.parquet", [0, 1, 2])
    with pytest.raises(
        DataError, match=r"train\.parquet names the classes a, b, c, but .* b, a, c"
    ):
        read_parquet(tmp_path)
    assert read_parquet(path).train.classes == ("a", "b", "c")


def test_a_damaged_parquet_file_is_told(tmp_path: Path) -> None:
    path = hugging_face(tmp_path / "a.parquet", [0, 1, 2])
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match="is damaged or no Parquet file"):
        load(path)


def test_altered_parquet_is_copied_anew(tmp_path: Path) -> None:
    path = hugging_face(tmp_path / "a.parquet", [0, 1, 2])
    before = load(path, memory=TINY).train
    hugging_face(path, [3, 4, 5])
    after = load(path, memory=TINY).train
    assert (before.images[:] == IMAGES[:3].transpose(0, 3, 1, 2)).all()
    assert (after.images[:] == IMAGES[3:6].transpose(0, 3, 1, 2)).all()


# Tar shards, as WebDataset has them


def shard(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def samples(numbers: list[int], named: bool = True) -> dict[str, bytes]:
    files = {}
    for i in numbers:
        label = "abc"[LABELS[i]] if named else str(LABELS[i])
        key = f"photos/{i:06d}"
        files |= {f"{key}.png": png(IMAGES[i]), f"{key}.cls": label.encode(), f"{key}.json": b"{}"}
    return files


@pytest.mark.parametrize("memory", [None, TINY])
def test_shards_of_each_part(memory: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    shard(folder / "train-000000.tar", samples([0, 1, 2]))
    shard(folder / "train-000001.tar", samples([3, 4]))
    shard(folder / "test-000000.tar", samples([5, 6, 7]))
    for splits in (read_shards(folder, memory=memory), load(folder, memory=memory)):
        check(splits, [0, 1, 2, 3, 4], [5, 6, 7], stored=memory is not None)


def test_one_shard_whose_classes_are_numbers(tmp_path: Path) -> None:
    files = {**samples([0, 1, 2], named=False)}
    data = load(shard(tmp_path / "a.tar", dict(reversed(files.items())))).train
    assert data.classes == ("0", "1", "2")
    assert data.labels.tolist() == [1, 0, 2]
    assert (data.images == IMAGES[[2, 1, 0]].transpose(0, 3, 1, 2)).all()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"1.png": png(IMAGES[0])}, r"sample '1' has no class, a file '1\.cls'"),
        ({"1.cls": b"a"}, "sample '1' has no image"),
        ({"1.png": png(IMAGES[0]), "1.b.png": b""}, "no class"),
        ({"1.png": png(IMAGES[0]), "1.jpg": b"", "1.cls": b"a"}, "several images"),
        ({"1.png": png(IMAGES[0]), "1.cls": b"\xff"}, "holds no text"),
        ({"1.png": png(IMAGES[0]), "1.cls": b"a" * 1000}, "1,000 bytes, no class"),
        ({"1.png": b"no", "1.cls": b"a"}, r"1 unusable image: .*1\.png \(.*not an image"),
        ({"readme.txt": b"hello"}, "has no images for training"),
    ],
)
def test_what_a_shard_lacks_is_named(files: dict[str, bytes], said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        load(shard(tmp_path / "a.tar", files))


def test_a_shard_that_broke_off_is_told(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", samples([0, 1, 2]))
    path.write_bytes(path.read_bytes()[:1100])
    with pytest.raises(DataError, match=r"cut short|damaged"):
        load(path)
