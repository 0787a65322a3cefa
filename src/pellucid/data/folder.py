"""A folder with one folder of images per class."""

from collections import Counter
from pathlib import Path

import numpy as np

from pellucid.data.dataset import DataSet, Splits
from pellucid.data.images import opened, pixels, shape_of
from pellucid.data.problems import Problems
from pellucid.data.tree import Tree, find_tree
from pellucid.errors import DataError, ShapeError
from pellucid.types import Array, Pair

_MOST_BYTES = 2 << 30
"""What is read without a size being given; a folder of photos could fill the memory."""

_SUFFIXES = {"train": "", "validation": " validation", "test": " test"}

Facts = dict[Path, tuple[int, tuple[int, int]]]
"""(channels, (height, width)) of each image that can be opened."""


def read_folder(
    path: str | Path,
    *,
    folders: str | None = None,
    size: Pair | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
) -> Splits:
    """Return the data set in a folder of class folders.

    Parameters
    ----------
    path
        A folder with one folder of images for each class, named after it; or a folder with such a
        folder ``train`` and others ``validation`` and ``test``, if there are such parts. Their
        usual other names are understood (``Training``, ``val``, ``seg_test``, …). A folder that
        holds nothing but one other folder is passed through.
    folders
        What the folders inside `path` are: ``"classes"`` (all images below a folder belong to its
        class), ``"parts"`` (training, validation and test part, with class folders inside) or
        ``"nested"`` (the folder that directly holds an image names its class, whatever lies around
        it). Without it names and contents decide; where they do not, an error names this option.
    size
        Height and width, or one number for both, of the images; without it, the most common size
        among the training images. Others are cut to these proportions around their middle and
        resized smoothly.
    channels
        1 for grey, 3 for colour; without it, colour if any training image is stored in colour.
    skip_bad
        Leave out images that cannot be read, with a `SkippedWarning` that lists them, instead of
        raising an error.

    Raises
    ------
    DataError
        There are no class folders, one of them is empty, it is not clear which folders are the
        classes, or images cannot be read; they are named.

    Warns
    -----
    SkippedWarning
        Files were left out because they are no images that can be read.

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
    tree = find_tree(folder, folders)
    problems = Problems("image")
    facts = {part: _facts(by_class, problems) for part, by_class in tree.parts.items()}
    if not skip_bad:
        problems.settle(str(folder), skip=False)
    shape = _common_shape(facts["train"], size, channels, folder)
    if size is None:
        _check_memory(sum(map(len, facts.values())), shape, folder)
    name = folder.resolve().name
    sets = {
        part: _read(tree, part, known, shape, f"{name}{_SUFFIXES[part]}", problems)
        for part, known in facts.items()
    }
    problems.settle(str(folder), skip_bad)
    return Splits(**sets)


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
    tree: Tree,
    part: str,
    facts: Facts,
    shape: tuple[int, int, int],
    name: str,
    problems: Problems,
) -> DataSet:
    chosen = [(path, label) for path, label in tree.labelled(part) if path in facts]
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
    return DataSet(images[good] if not good.all() else images, labels[good], tree.classes, name)


def _pixels(path: Path, shape: tuple[int, int, int]) -> Array:
    with opened(path) as image:
        return pixels(image, shape[0], (shape[1], shape[2]))


def _reason(error: DataError, path: Path) -> str:
    return str(error).removeprefix(f"{path}").removeprefix(":").strip()
