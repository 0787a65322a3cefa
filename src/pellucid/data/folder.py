"""Read a folder that contains one folder of images per class."""

from __future__ import annotations

from pathlib import Path

from pellucid.data.encoded import Piece
from pellucid.data.gathered import How, gather
from pellucid.data.memory import Memory
from pellucid.data.splits import Splits
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
    """Read the data set in a folder of class folders.

    Parameters
    ----------
    path
        Folder with one folder of images per class, named after the class; or folder with such a
        folder ``train`` and optionally others ``validation`` and ``test``. Other common names are
        understood (``Training``, ``val``, ``seg_test``, …). A folder that contains only one other
        folder is skipped.
    folders
        Meaning of the folders in `path`: ``"classes"`` (all images below a folder belong to its
        class), ``"parts"`` (training, validation and test part, with class folders inside) or
        ``"nested"`` (the folder that directly contains an image names its class). By default it is
        inferred from names and contents; if that is ambiguous, an error names this option.
    size
        Size of the images, (height, width) or one number for both. By default, the most common size
        of the training images. Others are cropped about their centre to these proportions and
        resized.
    channels
        1 for grey, 3 for colour. By default, colour if any training image is stored in colour.
    skip_bad
        Whether to skip unreadable images, with a `SkippedWarning` that lists them, instead of
        raising an error. Default: False.
    memory
        Available memory, such as ``"2GB"``. If the images would take more than half of it, they
        stay on disk and are decoded ahead in threads during training, with the same results. By
        default all images are read into memory.
    cache
        Whether images that stay on disk are decoded only once and stored in the cache folder
        (`pellucid.data.home`), with one byte per channel and pixel. Default: False.

    Returns
    -------
    Splits
        The data set with its parts.

    Raises
    ------
    DataError
        There are no class folders, one of them is empty, it is not clear which folders are the
        classes, or images cannot be read; the message names them.

    Warns
    -----
    SkippedWarning
        Files were skipped because they are not readable images.

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
