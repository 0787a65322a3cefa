"""Handwritten digits that are included in the library, and learned in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.data.dataset import DataSet
from pellucid.data.splits import Splits

TEST_FRACTION = 0.2
_FILE = Path(__file__).with_name("digits.npz")


def digits() -> Splits:
    """Return 1,797 grey images of 8×8 in ten classes, a fifth of them for testing.

    The original pixels, from 0 to 16, count the ink in a block of 4×4. Here they are multiplied by
    255/16 and rounded, so that, as in MNIST, 0 is background and 255 is full ink; the 17 levels
    stay distinct. The division into parts is stratified and always the same.

    Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49, licence CC BY 4.0: its test part, in the same
    order as in scikit-learn.
    """
    with np.load(_FILE, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"].astype(np.int64)
    pixels = np.rint(images * (255 / 16)).astype(np.uint8)[:, None]
    classes = tuple("0123456789")
    rest, part = DataSet(pixels, labels, classes, "digits").split(TEST_FRACTION, seed=0)
    return Splits(rest, DataSet(part.images, part.labels, classes, "digits test"))
