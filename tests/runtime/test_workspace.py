"""Memory that is used again, for arrays of every size."""

import numpy as np
import pytest

from pellucid.runtime import workspace
from pellucid.runtime.workspace import Workspace, empty


@pytest.mark.parametrize("more", [-workspace._GAP, -64, 0, 1, 1 << 20])
def test_an_array_may_be_as_large_as_a_slab_or_larger(more):
    """Only the pages that are written take memory, so this test needs none."""
    size = workspace._SLAB + more
    memory = Workspace()
    with memory.used():
        small = empty((1 << 15,), np.uint8)
        large = empty((size,), np.uint8)
        address = large.ctypes.data
        large[[0, -1]] = 1
        assert not np.shares_memory(small, large)
        del large
        assert empty((size,), np.uint8).ctypes.data == address
    assert memory.nbytes < size + small.nbytes + 2 * workspace._SLAB
