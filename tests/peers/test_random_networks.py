"""Random networks compute and learn what PyTorch's do in float64: each day others.

``make random SEED=20261128000 N=1`` repeats one. See `random_networks`.
"""

import os

import pytest

from random_networks.report import SEED, try_networks

COUNT = int(os.environ.get("PELLUCID_RANDOM_NETWORKS", "300"))
PARTS = 10
"""So many tests, so that several processes can share the work."""


@pytest.mark.parametrize("part", range(PARTS))
def test_random_networks_agree_with_pytorch(part, record_property):
    seeds = range(SEED + part, SEED + COUNT, PARTS)
    record_property("seeds", str(seeds))
    tried = try_networks(seeds, print)
    assert tried.networks == len(seeds)
    assert not tried.failures, "\n".join(tried.failures)
