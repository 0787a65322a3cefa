"""A folder with one folder of images per class."""

from collections import Counter
from pathlib import Path

import numpy as np

from pellucid.data.arrays import in_order
from pellucid.data.dataset import DataSet, Splits
from pellucid.data.idx import find_idx
from pellucid.data.images import listed, opened, pixels, shape_of
from pellucid.data.problems import Problems
from pellucid.errors import DataError, ShapeError
from pellucid.types import Array, Pair

_TEST_FOLDERS = ("test", "val", "valid", "validation")
_MOST_BYTES = 2 << 30
"""What is read without a size being given; a folder of photos could fill the memory."""

Facts = dict[Path, tuple[int, tuple[int, int]]]
"""(channels, (height, width)) of each image that can be opened."""


def read_folder(
    path: str | Path,
    *,
    size: Pair | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
) -> Splits:
    """Return the data set in a folder of class folders.

    Parameters
    ----------
    path
        A folder with one folder of images for each class, named after it; or a folder with such a
        folder ``train`` and, for a test part, ``test`` (or, where there is no ``test``, ``val``).
    size
        Height and width, or one number for both, of the images; without it, the most common among
        the training images. Others are cut to these proportions around their middle and resized
        smoothly.
    channels
        1 for grey, 3 for colour; without it, colour if any training image is stored in colour.
    skip_bad
        Leave out images that cannot be read, with a `SkippedWarning` that names them, instead of
        raising an error.

    Raises
    ------
    DataError
        There are no class folders, one of them is empty, or images cannot be read; they are named.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     photos = Path(folder) / "photos"
    ...     for name in ("cat", "dog"):
    ...         (photos / name).mkdir(parents=True)
    ...         Image.new("RGB", (32, 24)).save(photos / name / "1.png")
    ...     read_folder(photos, size=16)
    photos: 2 images of 3×16×16, uint8, in 2 classes, no test part
    """
    folder = Path(path)
    parts = _parts(folder)
    files = [(name, _by_class(part)) for name, part in parts.items()]
    classes = in_order(files[0][1])
    for name, by_class in files[1:]:
        if unknown := by_class.keys() - set(classes):
            raise DataError(
                f"{parts[name]} has a class '{min(unknown)}' that the training part does not have"
            )
    problems = Problems("image")
    facts = [_facts(by_class, problems) for _, by_class in files]
    if not skip_bad:
        problems.settle(str(folder), skip=False)
    shape = _common_shape(facts[0], size, channels, folder)
    if size is None:
        _check_memory(sum(map(len, facts)), shape, folder)
    sets = [
        _read(by_class, known, classes, shape, f"{folder.resolve().name}{suffix}", problems)
        for (_, by_class), known, suffix in zip(files, facts, ("", " test"), strict=False)
    ]
    problems.settle(str(folder), skip_bad)
    return Splits(*sets)


def _parts(folder: Path) -> dict[str, Path]:
    """Return the folders of the training part and, if there is one, the test part."""
    if not (folder / "train").is_dir():
        return {"train": folder}
    tests = (folder / name for name in _TEST_FOLDERS if (folder / name).is_dir())
    test = next(tests, None)
    return {"train": folder / "train"} | ({"test": test} if test else {})


def _by_class(folder: Path) -> dict[str, list[Path]]:
    """Return the image files of each class."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder")
    inside = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not inside:
        hint = ""
        if find_idx(folder, "train-images-idx3-ubyte"):
            hint = "; its IDX files are read with pellucid.data.read_idx_folder"
        elif (folder / "data_batch_1").exists() or (folder / "data_batch_1.bin").exists():
            hint = "; its CIFAR-10 batches are read with pellucid.data.read_cifar10"
        raise DataError(
            f"{folder} has no class folders: put the images of each class into a folder "
            f"named after it{hint}"
        )
    by_class = {p.name: listed(p) for p in inside}
    empty = [name for name, paths in by_class.items() if not paths]
    if empty:
        raise DataError(
            f"the class folder{'s' if len(empty) > 1 else ''} {', '.join(empty[:5])} in {folder} "
            f"{'have' if len(empty) > 1 else 'has'} no images"
        )
    return by_class


def _facts(by_class: dict[str, list[Path]], problems: Problems) -> Facts:
    facts = {}
    for path in (path for paths in by_class.values() for path in paths):
        try:
            with opened(path) as image:
                facts[path] = shape_of(image)
        except DataError as error:
            problems.add(str(path), _reason(error, path))
    return facts


def _common_shape(
    facts: Facts, size: Pair | None, channels: int | None, folder: Path
) -> tuple[int, int, int]:
    if not facts:
        raise DataError(f"{folder} has no readable images")
    if channels is None:
        channels = max(channels for channels, _ in facts.values())
    if size is None:
        size = Counter(size for _, size in facts.values()).most_common(1)[0][0]
    height, width = (size, size) if isinstance(size, int) else size
    if channels not in (1, 3) or height < 1 or width < 1:
        raise ShapeError(
            f"images have 1 or 3 channels and a size from 1 on, not {channels}, {size}"
        )
    return channels, height, width


def _check_memory(count: int, shape: tuple[int, int, int], folder: Path) -> None:
    needed = count * int(np.prod(shape, dtype=np.int64))
    if needed > _MOST_BYTES:
        raise DataError(
            f"{folder}: {count:,} images of {shape[1]}×{shape[2]} would take "
            f"{needed / 2**30:.1f} GiB of memory; give a size, for example size=224"
        )


def _read(
    by_class: dict[str, list[Path]],
    facts: Facts,
    classes: tuple[str, ...],
    shape: tuple[int, int, int],
    name: str,
    problems: Problems,
) -> DataSet:
    chosen = [(p, i) for i, c in enumerate(classes) for p in by_class.get(c, ()) if p in facts]
    images = np.empty((len(chosen), *shape), np.uint8)
    good = np.ones(len(chosen), bool)
    for i, (path, _) in enumerate(chosen):
        try:
            images[i] = _pixels(path, shape)
        except DataError as error:
            good[i] = False
            problems.add(str(path), _reason(error, path))
    labels = np.array([label for _, label in chosen], np.int64)
    if not good.any():
        raise DataError(f"{name} has no readable images")
    return DataSet(images[good] if not good.all() else images, labels[good], classes, name)


def _pixels(path: Path, shape: tuple[int, int, int]) -> Array:
    with opened(path) as image:
        return pixels(image, shape[0], (shape[1], shape[2]))


def _reason(error: DataError, path: Path) -> str:
    return str(error).removeprefix(f"{path}").removeprefix(":").strip()
