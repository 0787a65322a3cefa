"""Recognise the usual names of the training, validation and test parts of a data set."""

from __future__ import annotations

import re

TRAIN, VALIDATION, TEST = "train", "validation", "test"

_WORDS = {
    TRAIN: ("train", "training", "trn"),
    VALIDATION: ("validation", "valid", "val", "dev", "publictest"),
    TEST: ("test", "testing", "tst", "privatetest"),
}
_PART = {word: part for part, words in _WORDS.items() for word in words}


def part_of(name: str) -> str | None:
    """Return the part that a name denotes: ``"train"``, ``"validation"``, ``"test"``, or None.

    Case is ignored, and the name may contain other words. ``PublicTest`` and ``PrivateTest`` are
    FER2013's names for validation and test.

    >>> [part_of(name) for name in ("Training", "seg_test", "val", "PublicTest", "cat", "trainer")]
    ['train', 'test', 'validation', 'validation', None, None]
    """
    words = re.split(r"[\W_\d]+", name.strip().lower())
    found = {_PART[word] for word in words if word in _PART}
    return found.pop() if len(found) == 1 else None
