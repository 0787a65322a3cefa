"""Functions that join, add and flatten."""

import numpy as np
import pytest

from pellucid import ops
from pellucid.errors import ShapeError


def test_only_arrays_of_one_shape_have_a_total():
    ones = np.ones((2, 3))
    np.testing.assert_array_equal(ops.total([ones, 2 * ones, ones]), 4 * ones)
    for other in (np.ones((1, 3)), np.ones(3), np.float64(1)):  # NumPy would repeat them
        with pytest.raises(ShapeError, match=r"equal shapes, got \[\(2, 3\)"):
            ops.total([ones, other])
