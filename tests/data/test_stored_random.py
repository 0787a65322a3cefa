"""Batches of images on the disk are those of the same images in memory, for random settings.

Each day has its own seeds; a failure names its own.
"""

import datetime
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pellucid.data import DataSet, augment, load
from pellucid.parallel import Team
from pellucid.preprocessing import Preprocessing
from pellucid.stored import StoredImages
from pellucid.training.batches import ArraySource
from pellucid.types import Array

COUNT = 24
_FIRST = datetime.datetime.now(datetime.UTC).date().toordinal() * COUNT
SEEDS = range(_FIRST, _FIRST + COUNT)

AUGMENTATIONS = [
    *(None, None, "flip", "crop:1,flip-vertical", "mixup,flip", "cutmix", "rotate:20,contrast"),
    *("affine", "cutout:3", "brightness,crop:2,mixup"),
]


def png(image: Array) -> bytes:
    """Return a file with an image (C, H, W)."""
    stream = io.BytesIO()
    Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(stream, "PNG")
    return stream.getvalue()


def write_folder(path: Path, images: Array, labels: Array) -> Path:
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        file = path / f"class{label}" / f"{i:03d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(image))
    return path


def write_shards(path: Path, images: Array, labels: Array) -> Path:
    path.mkdir()
    for number, chosen in enumerate(np.array_split(np.arange(len(images)), 2)):
        with tarfile.open(path / f"train-{number:06d}.tar", "w") as archive:
            for i in chosen:
                for ending, content in (("png", png(images[i])), ("cls", b"%d" % labels[i])):
                    member = tarfile.TarInfo(f"{i:06d}.{ending}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    return path


def write_npz(path: Path, images: Array, labels: Array) -> Path:
    np.savez(path.with_suffix(".npz"), x_train=images, y_train=labels)
    return path.with_suffix(".npz")


def write_npy(path: Path, images: Array, labels: Array) -> Path:
    path.mkdir()
    np.save(path / "train_images.npy", images)
    np.save(path / "train_labels.npy", labels)
    return path


WRITERS: list[Callable[[Path, Array, Array], Path]] = [
    *(write_folder, write_shards, write_npz, write_npy)
]


def chosen(data: DataSet, random: Random) -> DataSet:
    """Return a random choice of the samples."""
    match random.randrange(4):
        case 0:
            return data.split(0.3, seed=random.randrange(9))[random.randrange(2)]
        case 1:
            return data.subset([random.randrange(len(data)) for _ in range(random.randint(2, 30))])
        case 2:
            return data.take(random.randint(2, len(data)))
        case _:
            return data


def source(data: DataSet, random: Random) -> ArraySource:
    text = random.choice(AUGMENTATIONS)
    weighted = random.random() < 0.3
    return ArraySource(
        data.images,
        data.labels,
        batch_size=random.randint(1, 20),
        preprocessing=random.choice([None, Preprocessing.fit(data.images)]),
        augment=None if text is None else augment.parse(text),
        classes=len(data.classes),
        dtype=np.dtype(random.choice(["float32", "float64"])),
        weights=np.linspace(0.1, 1, len(data)) if weighted else None,
    )


def batches(source: ArraySource, random: Random) -> Iterator[Any]:
    """Yield the arrays of each way to go through a source."""
    epoch, seed = random.randrange(3), random.randrange(5)
    start = random.randrange(len(source))
    yield from (array for batch in source.shuffled(epoch, seed, start) for array in batch)
    yield from (array for batch in source.in_order() for array in batch)
    steps = [random.randrange(len(source)) for _ in range(2)]
    yield from (array for batch in source.plain(steps) for array in batch)
    for sharded in source.sharded(epoch, seed, start, Team(shards=random.randint(1, 4))):
        yield from (array for _, batch in sorted(sharded.mine.items()) for array in batch)


@pytest.mark.parametrize("seed", SEEDS)
def test_batches_from_the_disk_are_those_from_memory(seed: int, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path / "home"))
    random, numbers = Random(seed), np.random.default_rng(seed)
    shape = random.choice([1, 3]), random.randint(4, 12), random.randint(4, 12)
    images = numbers.integers(0, 256, (random.randint(8, 40), *shape), np.uint8)
    labels = np.arange(len(images)) % random.randint(2, 4)
    writer = random.choice(WRITERS)
    options: dict[str, Any] = {}
    if writer in (write_npy, write_npz):
        options["channels_last"] = last = random.random() < 0.5
        images = images.transpose(0, 2, 3, 1) if last else images
    path = writer(tmp_path / "data", images, labels)
    in_memory = load(path, **options).train
    if writer is write_folder:
        options["cache"] = random.random() < 0.5
    on_disk = load(path, memory=random.choice([16, images.nbytes]), **options).train
    assert not isinstance(in_memory.images, StoredImages)
    assert isinstance(on_disk.images, StoredImages)
    found, expected = (
        list(batches(source(chosen(data, again), again), again))
        for data, again in ((on_disk, Random(seed)), (in_memory, Random(seed)))
    )
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        assert ours.tobytes() == theirs.tobytes()
