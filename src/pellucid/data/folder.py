"""A folder with one folder of images per class."""

from __future__ import annotations

from pathlib import Path

from pellucid.data.dataset import Splits
from pellucid.data.encoded import Piece
from pellucid.data.gathered import How, gather
from pellucid.data.memory import Memory
from pellucid.data.tree import find_tree
from pellucid.types import Pair


def read_folder(
    path: str | Path,
    *,
    folders: str | None = None,
    size: Pair | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
    memory: Memory = None,
    cache: bool = False,
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
    memory
        The memory to plan with, such as ``"2GB"``. If the images would take more than half of it,
        they stay on the disk, are decoded ahead of training by threads, and give the same batches.
        Without it all images are read into memory.
    cache
        Whether images that stay on the disk are decoded once, and kept so in the folder for caches
        (`pellucid.data.home`): a byte for each channel of each pixel.

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
    parts = {
        part: [(Piece(file), label) for file, label in tree.labelled(part)] for part in tree.parts
    }
    how = How(size, channels, skip_bad, memory, cache)
    return gather(parts, tree.classes, folder.resolve().name, str(folder), how)
