"""Random networks compute the same through ONNX, PyTorch and Keras, and in a trace.

``make random SEED=20261128000 N=1 ARGS=exchange`` repeats one. See `random_networks.exchange`.
"""

import pytest

from random_networks.exchange import exchanged
from random_networks.report import SEED, try_networks

COUNT = 24
PARTS = 2
"""So many tests, so that several processes can share the work."""


@pytest.mark.parametrize("part", range(PARTS))
def test_random_networks_compute_the_same_through_other_formats(part, record_property):
    seeds = range(SEED + part, SEED + COUNT, PARTS)
    record_property("seeds", str(seeds))
    tried = try_networks(seeds, print, exchanged)
    assert not tried.failures, "\n".join(tried.failures)
    assert tried.refused["through PyTorch"] < 3
    assert tried.refused["through ONNX"] < 3
    assert tried.refused["through Keras"] < len(seeds)
