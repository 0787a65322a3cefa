"""The handwritten digits that come with scikit-learn: no download, learnt in seconds."""

import numpy as np

from pellucid.data.dataset import DataSet, Splits
from pellucid.errors import missing_extra

TEST_FRACTION = 0.2


def digits() -> Splits:
    """Return 1,797 grey images of 8×8 in ten classes, a fifth of them for testing.

    The original pixels count, from 0 to 16, how much of a 4×4 block was ink. Here they are
    multiplied by 255/16 and rounded, so that, as in MNIST, 0 is background and 255 is full ink. The
    17 levels stay different. The division, stratified, is always the same.

    Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI repository, 1998
    (its test part, which is what scikit-learn holds).
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise missing_extra("the data set 'digits'", "scikit-learn") from error
    images, labels = load_digits().images, load_digits().target
    pixels = np.rint(images * (255 / 16)).astype(np.uint8)[:, None]
    classes = tuple("0123456789")
    rest, part = DataSet(pixels, labels, classes, "digits").split(TEST_FRACTION, seed=0)
    return Splits(rest, DataSet(part.images, part.labels, classes, "digits test"))
