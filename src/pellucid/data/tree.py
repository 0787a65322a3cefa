"""Find out which folders are classes, and which are the parts of a data set."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pellucid.data.arrays import in_order
from pellucid.data.images import is_image
from pellucid.data.parts import TRAIN, part_of
from pellucid.data.problems import SkippedWarning, shortened
from pellucid.errors import DataError, unknown

_MEANINGS = ("classes", "parts", "nested")
_OPTION = 'folders="classes", "nested" or "parts" (--folders)'
_DEEPEST = 32
_SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx"}

ByClass = dict[str, list[Path]]


@dataclass(frozen=True)
class Tree:
    """The image files of each part and class.

    Attributes
    ----------
    parts
        The sorted files of each class, for ``train`` and, if present, ``validation`` and ``test``.
    classes
        Names of the classes, in order.
    """

    parts: dict[str, ByClass]
    classes: tuple[str, ...]

    def labelled(self, part: str) -> Iterator[tuple[Path, int]]:
        """Yield the files of a part and the numbers of their classes, class by class."""
        for number, name in enumerate(self.classes):
            for path in self.parts[part].get(name, ()):
                yield path, number


def find_tree(root: Path, folders: str | None = None) -> Tree:
    """Assign the images below `root` to parts and classes; see `read_folder` for `folders`."""
    if folders not in (None, *_MEANINGS):
        raise DataError(unknown("folders", folders, _MEANINGS))
    if not root.is_dir():
        raise DataError(f"{root} is no folder")
    folder = _Folder.at(root)
    if folders != "classes":
        folder = _passed_through(folder)
    parts = _parts(folder, folders)
    divided = parts != {TRAIN: folder}
    by_part = {part: _by_class(inside, folders, divided) for part, inside in parts.items()}
    classes = in_order(by_part[TRAIN])
    for part, by_class in by_part.items():
        if strange := by_class.keys() - set(classes):
            raise DataError(
                f"{parts[part].path} has a class '{shortened(min(strange))}' that the training "
                "part does not have"
            )
    used = {path for by_class in by_part.values() for paths in by_class.values() for path in paths}
    left_out = [path for path in folder.every("images") if path not in used]
    for part_folder in parts.values():
        for class_folder in part_folder.folders.values():
            left_out += class_folder.every("others")
    _say_what_is_left_out(root, left_out)
    return Tree(by_part, classes)


@dataclass
class _Folder:
    """A folder: the images and other files directly in it, and the folders in it by name."""

    path: Path
    images: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    folders: dict[str, _Folder] = field(default_factory=dict)

    @classmethod
    def at(cls, path: Path, above: tuple[str, ...] = ()) -> _Folder:
        """Read the contents of a folder on disk; `above` are the folders that contain it."""
        found = cls(path)
        real = os.path.realpath(path)
        if real in above:
            return found  # a link to an enclosing folder
        if len(above) > _DEEPEST:
            raise DataError(f"{shortened(path, 80)} lies more than {_DEEPEST} folders deep")
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_FILES:
                continue
            if entry.is_dir():
                found.folders[entry.name] = cls.at(Path(entry.path), (*above, real))
            elif is_image(entry.name):
                found.images.append(Path(entry.path))
            else:
                found.others.append(Path(entry.path))
        return found

    def every(self, kind: str = "images") -> list[Path]:
        """Return the ``images``, or the ``others``, in this folder and all below it, sorted."""
        below = [path for folder in self.folders.values() for path in folder.every(kind)]
        return sorted(getattr(self, kind) + below)

    @property
    def nested(self) -> bool:
        """Whether there are images in subfolders."""
        return any(folder.every() for folder in self.folders.values())


def _passed_through(folder: _Folder) -> _Folder:
    """Descend while a folder holds nothing but one folder of folders with images."""
    while not folder.images and len(folder.folders) == 1:
        (inside,) = folder.folders.values()
        if inside.images or not inside.nested:
            return folder
        folder = inside
    return folder


def _parts(folder: _Folder, folders: str | None) -> dict[str, _Folder]:
    """Return the folder of each part; only ``train`` if the folder is not divided into parts."""
    named = {name: part for name in folder.folders if (part := part_of(name))}
    if folders == "parts" or (folders != "classes" and _are_parts(folder, named, folders)):
        if TRAIN not in named.values():
            raise DataError(f"{folder.path} has no folder 'train'")
        twice = [part for part, times in Counter(named.values()).items() if times > 1]
        if twice:
            names = ", ".join(sorted(name for name in named if named[name] == twice[0]))
            raise DataError(f"{folder.path} has several folders for the {twice[0]} part: {names}")
        return {part: _passed_through(folder.folders[name]) for name, part in _in_order(named)}
    return {TRAIN: folder}


def _in_order(named: dict[str, str]) -> Iterable[tuple[str, str]]:
    return sorted(named.items(), key=lambda item: ("train", "validation", "test").index(item[1]))


def _are_parts(folder: _Folder, named: dict[str, str], folders: str | None) -> bool:
    """Return whether folders with names such as ``train`` are parts, rather than classes.

    A part contains class folders, a class contains images. A class may happen to be named
    "train"; a validation or test part without class folders cannot be used and is left out.
    """
    inside = folder.folders
    divided = [name for name in named if inside[name].nested and not inside[name].images]
    others = [name for name in inside if name not in named and inside[name].every()]
    training = [name for name, part in named.items() if part == TRAIN]
    if not training or (not divided and others):
        return False
    if set(training) <= set(divided) and (len(named) > 1 or not others):
        for name in set(named) - set(divided):
            del named[name]
        return True
    if folders == "nested":
        return False
    raise DataError(
        f"{folder.path}: it is not clear whether its folders ({_few([*named, *others])}) are "
        f"classes or parts, which have a folder for each class; give {_OPTION}"
    )


def _by_class(folder: _Folder, folders: str | None, divided: bool) -> ByClass:
    """Return the images of each class."""
    if not folder.folders:
        raise DataError(
            f"{folder.path} has no class folders: put the images of each class into a folder "
            "named after it"
        )
    if folders == "nested":
        return _by_innermost(folder)
    if folders is None:
        _check_depth(folder, "parts" if divided else "classes")
    by_class = {name: inside.every() for name, inside in folder.folders.items()}
    empty = [name for name, paths in by_class.items() if not paths]
    if empty:
        raise DataError(
            f"the class folder{'s' if len(empty) > 1 else ''} {', '.join(empty[:5])} in "
            f"{folder.path} {'have' if len(empty) > 1 else 'has'} no images"
        )
    return by_class


def _check_depth(folder: _Folder, outer: str) -> None:
    """Raise an error if both the outer and the inner folders could be the classes."""
    nested = [name for name, inside in folder.folders.items() if inside.nested]
    if not nested:
        return
    inner = list(_by_innermost(folder))
    raise DataError(
        f"{folder.path}: images are in folders inside {nested[0]}"
        f"{f' and {len(nested) - 1} more' if len(nested) > 1 else ''}; the classes may be "
        f'{_few(list(folder.folders))} (folders="{outer}", --folders {outer}) or '
        f'{_few(inner)} (folders="nested", --folders nested)'
    )


def _few(names: list[str]) -> str:
    more = f", … ({len(names)})" if len(names) > 3 else ""
    return ", ".join(shortened(name) for name in names[:3]) + more


def _by_innermost(folder: _Folder) -> ByClass:
    """Group images by the name of the innermost folder."""
    found: ByClass = {}
    for name, inside in folder.folders.items():
        if inside.images:
            found.setdefault(name, []).extend(inside.images)
        for inner, paths in _by_innermost(inside).items():
            found.setdefault(inner, []).extend(paths)
    return {name: sorted(paths) for name, paths in found.items()}


def _say_what_is_left_out(root: Path, paths: list[Path]) -> None:
    if not paths:
        return
    kinds = Counter(path.suffix.lower() or "no suffix" for path in paths)
    listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(5))
    files = f"{len(paths):,} file{'s' if len(paths) > 1 else ''}"
    first = shortened(os.path.relpath(paths[0], root), 80)
    warnings.warn(
        f"{root}: left out {files} that are no images of a class ({listed}), such as {first}",
        SkippedWarning,
        stacklevel=2,
    )
