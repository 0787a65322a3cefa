"""Create the reader's files: exercises, the reader's own library, and notebooks."""

from __future__ import annotations

from pathlib import Path

from pellucid.files import atomic_write
from pellucid.teach.exercise import Exercise
from pellucid.teach.exercises import EXERCISES
from pellucid.teach.notebooks import notebook, pages

OWN_LIBRARY = (
    "im2col", "col2im", "conv2d_im2col", "conv2d_backward_im2col",
    "max_pool2d", "max_pool2d_backward", "relu", "relu_backward", "linear", "linear_backward",
    "softmax", "cross_entropy", "cross_entropy_gradient", "sgd_step", "adam_step", "sgd_epoch",
    "batch_norm", "running_statistics", "batch_norm_inference", "batch_norm_backward",
)  # fmt: skip
"""The exercises that make up ``mycnn.py``, in the order in which they are solved."""


def lay(folder: Path) -> list[Path]:
    """Write exercises, ``mycnn.py`` and the guide's notebooks to `folder`; return the new files.

    Existing files are kept, because they may hold the reader's work.
    """
    files = {Path("exercises", file_name(e)): exercise_file(e) for e in EXERCISES.values()}
    files[Path("mycnn.py")] = own_library()
    files[Path("train_mycnn.py")] = (
        Path(__file__).with_name("train_mycnn.template").read_text("utf-8")
    )
    for page in pages():
        files[Path("notebooks", f"{page.stem}.ipynb")] = notebook(page.read_text(encoding="utf-8"))
    new = [name for name in files if not (folder / name).exists()]
    for name in new:
        atomic_write(folder / name, files[name].encode())
    return [folder / name for name in new]


def file_name(exercise: Exercise) -> str:
    """Return the name of an exercise's file; files sort in the order of the guide.

    >>> file_name(EXERCISES["conv2d"])
    '02d_conv2d.py'
    """
    own = [e for e in EXERCISES.values() if e.chapter == exercise.chapter]
    return f"{exercise.chapter:02}{chr(ord('a') + own.index(exercise))}_{exercise.name}.py"


def exercise_file(exercise: Exercise) -> str:
    """Return the text of the file in which a reader solves an exercise."""
    return f'''"""{exercise.title}: an exercise of chapter {exercise.chapter}.

Write the function, then run this file, or: pellucid learn check {file_name(exercise)}
"""

import numpy as np


{exercise.stub()}

if __name__ == "__main__":
    from pellucid.teach import check

    print(check.{exercise.name}({exercise.name}))
'''


def own_library() -> str:
    """Return the text of ``mycnn.py`` with all functions still to be written."""
    stubs = "\n\n".join(EXERCISES[name].stub() for name in OWN_LIBRARY)
    return f'''"""My own CNN library, in NumPy.

Write one function after the other, and check as often as you like: pellucid learn check mycnn.py
"""

import numpy as np


{stubs}'''
