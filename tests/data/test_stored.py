"""Images that stay on the disk give what an array of them gives, bit for bit, in bounded memory."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid import layers as nn
from pellucid import models, optim
from pellucid.data import DataSet, Splits, augment, describe, load, read_folder
from pellucid.data.memory import memory_bytes
from pellucid.data.outliers import find_outliers
from pellucid.data.raw import RawImages
from pellucid.errors import DataError, FileError
from pellucid.evaluation import evaluate, predict
from pellucid.preprocessing import Preprocessing
from pellucid.stored import StoredImages, blocks_of
from pellucid.training import TrainingState, records, resume, save_checkpoint
from pellucid.training.fingerprint import fingerprint
from pellucid.types import Array
from pellucid.view.statistics import statistics

TINY = "1kB"
"""So little memory that everything stays on the disk."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """60 colour photos of several sizes in three classes, and a test part."""
    random = np.random.default_rng(0)
    for part, count in (("train", 60), ("test", 9)):
        for i in range(count):
            shape = (12, 12) if i % 3 else (20, 17)
            path = tmp_path / f"photos/{part}/{'abc'[i % 3]}/{i}.{'png' if i % 2 else 'jpg'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (*shape, 3), np.uint8)).save(path)
    return tmp_path / "photos"


def both(photos: Path, **options: object) -> tuple[Splits, Splits]:
    """Return the data set in memory, and on the disk."""
    in_memory, on_disk = read_folder(photos), read_folder(photos, memory=TINY, **options)
    assert isinstance(in_memory.train.images, np.ndarray)
    assert isinstance(on_disk.train.images, StoredImages)
    return in_memory, on_disk


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize(
    "key",
    [
        *(3, -1, np.int64(5), slice(None), slice(2, 40, 3), slice(None, None, -1)),
        *([5, 2, 5], np.array([], int), np.arange(60) % 7 == 0),
        *((0, 0), (slice(0, 4), 0), (slice(1, 3), slice(None), 2, slice(1, 4)), (2, 1, 3, 4)),
    ],
)
def test_an_index_gives_what_it_gives_of_the_array(key: object, cache: bool, photos: Path) -> None:
    in_memory, on_disk = both(photos, cache=cache)
    expected = in_memory.train.images[key]  # type: ignore[index]  # of any kind
    found = on_disk.train.images[key]  # type: ignore[index]
    assert isinstance(found, np.ndarray)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert (found == expected).all()


def test_what_belongs_to_a_data_set_stays_on_the_disk(photos: Path) -> None:
    in_memory, on_disk = both(photos)
    assert repr(on_disk) == repr(in_memory)
    assert (on_disk.train.counts == in_memory.train.counts).all()
    parts = [*on_disk.train.split(0.3, seed=1), on_disk.train.take(7), on_disk.train.subset([5, 1])]
    same = [
        *in_memory.train.split(0.3, seed=1),
        in_memory.train.take(7),
        in_memory.train.subset([5, 1]),
    ]
    for part, expected in zip(parts, same, strict=True):
        assert isinstance(part.images, StoredImages)
        assert (np.asarray(part.images) == expected.images).all()
        assert (part.labels == expected.labels).all()
    again = parts[0].split(0.5)[0]
    assert (again.images[:] == same[0].split(0.5)[0].images).all()


def test_descriptions_statistics_and_predictions_are_the_same(photos: Path) -> None:
    in_memory, on_disk = both(photos)
    assert Preprocessing.fit(on_disk.train.images) == Preprocessing.fit(in_memory.train.images)
    assert describe(on_disk).pixels == describe(in_memory).pixels
    model = models.build("mlp", (3, 12, 12), 3)
    nn.initialize(model, 0)
    model.preprocessing = Preprocessing.fit(in_memory.train.images)
    assert in_memory.test is not None
    assert on_disk.test is not None
    assert (predict(model, on_disk.test) == predict(model, in_memory.test)).all()
    some = on_disk.train.subset([7, 3, 5])
    assert (predict(model, some.images) == predict(model, in_memory.train.images[[7, 3, 5]])).all()
    assert str(evaluate(model, on_disk.test)) == str(evaluate(model, in_memory.test))


def test_outliers_and_pictures_are_the_same(photos: Path) -> None:
    (photos / "train/a/0.jpg").write_bytes((photos / "train/b/1.png").read_bytes())
    near = np.asarray(Image.open(photos / "train/a/3.png")).copy()
    near[::2, ::2] ^= 8
    Image.fromarray(near).save(photos / "train/c/2.png")
    in_memory, on_disk = both(photos)
    found = find_outliers(on_disk.train)
    assert found == find_outliers(in_memory.train)
    assert {outlier.reason.partition(",")[0] for outlier in found} >= {"copy", "near duplicate"}
    drawn = [
        statistics(part.train.images, part.train.labels, part.train.classes)
        for part in (in_memory, on_disk)
    ]
    for expected, same in zip(vars(drawn[0]).values(), vars(drawn[1]).values(), strict=True):
        np.testing.assert_array_equal(same, expected)


# Training


def state(augmentation: str | None) -> TrainingState:
    model = models.build("mlp", (3, 12, 12), 3)
    nn.initialize(model, 0)
    adam = optim.Adam(model.parameters())
    chosen = None if augmentation is None else augment.parse(augmentation)
    return TrainingState(model, adam, batch_size=7, epochs=2, augment=chosen)


def trained(data: Splits, augmentation: str | None) -> dict[str, Array]:
    run = state(augmentation)
    train, validation = data.train.split(0.2)
    for _ in records(run, train, validation):
        pass
    return {**run.model.state_dict(), "loss": np.array([epoch.loss for epoch in run.history])}


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize(
    "augmentation", [None, "crop:2,flip,mixup", "crop-reflect:2,flip-alternating"]
)
def test_training_gives_the_same_bits(augmentation: str | None, cache: bool, photos: Path) -> None:
    expected, found = (trained(data, augmentation) for data in both(photos, cache=cache))
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert value.tobytes() == found[name].tobytes(), name


def test_a_run_is_resumed_and_recognises_altered_images(photos: Path, tmp_path: Path) -> None:
    data = read_folder(photos, memory=TINY).train
    run = state("flip")
    steps = iter(records(run, data))
    for _ in range(3):
        next(steps)
    save_checkpoint(run, tmp_path / "run")
    expected = state("flip")
    for _ in records(expected, data):
        pass
    resumed = resume(tmp_path / "run", data, augment=augment.parse("flip"))
    for _ in records(resumed, data):
        pass
    for name, value in expected.model.state_dict().items():
        assert value.tobytes() == resumed.model.state_dict()[name].tobytes()
    Image.new("RGB", (20, 17)).save(photos / "train/a/0.jpg")
    with pytest.raises(FileError, match="other training data"):
        resume(
            tmp_path / "run", read_folder(photos, memory=TINY).train, augment=augment.parse("flip")
        )


def test_the_fingerprint_knows_the_order_and_the_choice_of_images(photos: Path) -> None:
    data = read_folder(photos, memory=TINY).train
    chosen = [np.arange(60), np.arange(59), np.arange(60)[::-1]]
    found = [
        fingerprint(data.subset(numbers), None)["training"]["all_inputs"] for numbers in chosen
    ]
    assert len(set(found)) == 3


# What goes wrong


def test_an_image_that_cannot_be_read_is_named_when_it_is_read(photos: Path) -> None:
    path = photos / "train/b/4.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    data = read_folder(photos, memory=TINY).train
    with pytest.raises(DataError, match=r"b/4\.jpg cannot be read as an image"):
        for _ in records(state(None), data):
            pass
    with pytest.warns(UserWarning, match="left out 1 unusable image"):
        usable = read_folder(photos, memory=TINY, skip_bad=True).train
    assert len(usable) == 59
    assert len(usable.images[:]) == 59


def test_a_limit_that_is_no_size_is_told(photos: Path) -> None:
    for wrong in ("much", "-1GB", "0", "2TB"):
        with pytest.raises(DataError, match="a size such as '2GB'"):
            read_folder(photos, memory=wrong)
    assert memory_bytes("0.5 gb") == 500_000_000
    assert isinstance(read_folder(photos, memory="1GB").train.images, np.ndarray)


def test_decoded_images_are_kept_once_and_made_anew_for_altered_ones(
    photos: Path, home: Path
) -> None:
    for _ in range(2):
        read_folder(photos, memory=TINY, cache=True)
        assert len(list((home / "decoded").iterdir())) == 2
    kept = read_folder(photos, memory=TINY, cache=True).train.images
    Image.new("RGB", (20, 17), "red").save(photos / "train/a/0.jpg")
    fresh = read_folder(photos, memory=TINY, cache=True).train.images
    assert len(list((home / "decoded").iterdir())) == 3
    assert (kept[0] != fresh[0]).any()
    assert (kept[1:] == fresh[1:]).all()


# Reading ahead


class Counted(StoredImages):
    """Images whose pixels are their numbers; it counts how many are read but not asked for."""

    def __init__(self, count: int, ahead: int) -> None:
        super().__init__((count, 1, 10, 10), np.uint8, ahead)
        self.read_so_far = 0
        self.lock = threading.Lock()

    def read(self, numbers: Array) -> Array:
        time.sleep(0.001 * float(np.random.default_rng(int(numbers[0])).random()))
        with self.lock:
            self.read_so_far += len(numbers)
        return np.repeat(numbers.astype(np.uint8), 100).reshape(-1, 1, 10, 10)

    def digest(self) -> str:
        return ""


@pytest.mark.parametrize("ahead", [100, 1000, 5000])
def test_no_more_is_read_ahead_than_is_allowed(ahead: int) -> None:
    images = Counted(200, ahead)
    asked = 0
    for block in images.read_ahead([slice(i, i + 5) for i in range(0, 200, 5)]):
        assert block[:, 0, 0, 0].tolist() == list(range(asked, asked + 5))
        asked += 5
        assert (images.read_so_far - asked) * 100 <= max(ahead, 500)


class Slow(Counted):
    """Images that are read when the test allows it; it counts how many were asked for."""

    def __init__(self, count: int) -> None:
        super().__init__(count, 1_000_000)
        self.allowed = threading.Semaphore(0)
        self.asked = 0

    def read(self, numbers: Array) -> Array:
        with self.lock:
            self.asked += len(numbers)
        assert self.allowed.acquire(timeout=10)
        return super().read(numbers)

    def allow_one_by_one(self) -> None:
        for _ in range(len(self)):
            time.sleep(0.02)
            self.allowed.release()


def test_one_batch_is_read_while_another_is_used() -> None:
    images = Slow(40)
    images.allowed.release(40)
    for used, _ in enumerate(images.read_ahead([slice(i, i + 1) for i in range(40)]), start=1):
        wait_until(lambda: images.read_so_far >= min(used + 1, 40))  # noqa: B023  # called at once
        assert images.asked <= used + 1


def test_more_batches_are_read_at_a_time_once_somebody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    images = Slow(40)
    batches = images.read_ahead([slice(i, i + 1) for i in range(40)])
    slow_disk = threading.Thread(target=images.allow_one_by_one)
    slow_disk.start()
    for _ in range(20):
        next(batches)
    assert images.asked > 22
    slow_disk.join()


def wait_until(happened: Callable[[], bool]) -> None:
    ended = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < ended
        time.sleep(0.001)


def test_a_thread_may_prepare_what_it_has_read() -> None:
    images = Counted(20, 10_000)
    parts = [np.array([3, 1]), np.array([0]), slice(18, 20)]
    found = list(images.read_ahead(parts, lambda number, x: (number, x[:, 0, 0, 0].tolist())))
    assert found == [(0, [3, 1]), (1, [0]), (2, [18, 19])]


def test_threads_end_when_nobody_asks_any_more() -> None:
    before = threading.active_count()
    batches = Counted(200, 10_000).read_ahead([slice(i, i + 1) for i in range(200)])
    next(batches)
    batches.close()  # type: ignore[attr-defined]  # it is a generator
    assert threading.active_count() == before


@pytest.mark.parametrize("rows", [1, 7, 1024])
def test_blocks_are_all_images_in_order(rows: int) -> None:
    blocks = list(blocks_of(Counted(30, 10_000), rows))
    assert np.concatenate(blocks)[:, 0, 0, 0].tolist() == list(range(30))
    assert {len(block) for block in blocks[:-1]} <= {rows}


# Plain numbers in a file


@pytest.mark.parametrize("dtype", ["u1", "<f4", ">f4", "<f8"])
@pytest.mark.parametrize(
    ("shape", "last"), [((6, 4, 5), False), ((6, 3, 4, 5), False), ((6, 4, 5, 3), True)]
)
def test_numbers_in_a_file_are_images(
    dtype: str, shape: tuple[int, ...], last: bool, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    (tmp_path / "a.raw").write_bytes(b"head" + values.tobytes())
    images = RawImages(tmp_path / "a.raw", 4, shape, dtype, channels_last=last)
    expected = values.transpose(0, 3, 1, 2) if last else values.reshape(6, -1, 4, 5)
    assert (images[[5, 0, 3]] == expected[[5, 0, 3]]).all()
    assert images[:].dtype == np.dtype(dtype).newbyteorder("=")
    assert images[:].flags.c_contiguous
    data = DataSet(images, np.arange(6) % 2, ("a", "b"))  # type: ignore[arg-type]
    assert data.image_shape == expected.shape[1:]


def test_a_file_that_has_become_shorter_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(50))
    images = RawImages(tmp_path / "a.raw", 0, (4, 4, 4), "u1")
    assert images[2].shape == (1, 4, 4)
    with pytest.raises(DataError, match="ends inside image 3"):
        images[3]


def test_a_limit_is_an_option_of_load_too(photos: Path) -> None:
    assert isinstance(load(photos, memory=TINY).train.images, StoredImages)
