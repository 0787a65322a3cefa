"""Try networks, and report each failing one, reduced as far as possible."""

import datetime
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from random_networks.drawing import Case, draw
from random_networks.node import code
from random_networks.shrinking import shrunk
from random_networks.verdict import Difference, Ways, computed, faults, largest_ratios, refusals

TODAY = int(datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")) * 1000
SEED = int(os.environ.get("PELLUCID_RANDOM_SEED", TODAY))
"""The first seed of today's tests."""


@dataclass
class Tried:
    """The results of trying many networks."""

    networks: int = 0
    failures: list[str] = field(default_factory=list)
    unsure: int = 0
    """Number of networks that differed with the first random values but not with others."""
    ratios: dict[str, float] = field(default_factory=dict)
    """Largest ratio of difference to tolerance, by way."""
    refused: Counter[str] = field(default_factory=Counter)
    """Number of networks that a way does not support, by way."""

    def worst(self) -> str:
        """Return the largest ratios as text, in descending order."""
        shares = sorted(self.ratios.items(), key=lambda item: -item[1])
        return "; ".join(f"{way} {share:.2f}" for way, share in shares)


def try_networks(
    seeds: Iterable[int], tell: Callable[[str], object], ways: Ways = computed
) -> Tried:
    """Compare the networks of these seeds with PyTorch, and pass reports of failures to `tell`."""
    tried = Tried()
    for seed in seeds:
        case = draw(seed)
        wrong, once = faults(case, ways)
        tried.networks += 1
        tried.unsure += bool(once)
        for way, ratio in largest_ratios().items():
            tried.ratios[way] = max(tried.ratios.get(way, 0), ratio)
        tried.refused += refusals()
        if tried.networks % 200 == 0:
            tell(f"{tried.networks} networks; used of what is allowed: {tried.worst()}")
        if once:
            tell(f"seed {seed}: with other values no longer: {once[0]}")
        if wrong:
            tried.failures.append(described(case, wrong, ways))
            tell(tried.failures[-1])
    return tried


def described(case: Case, wrong: list[Difference], ways: Ways) -> str:
    """Return a report with the differences and the code of the smallest failing network found."""
    wrong_ways = {difference.way for difference in wrong}

    def fails(smaller: Case) -> bool:
        try:
            return any(difference.way in wrong_ways for difference in faults(smaller, ways)[0])
        except NotImplementedError:  # PyTorch has no such layer
            return False

    small = shrunk(case, fails)
    still = faults(small, ways)[0] or wrong
    return "\n".join(
        [
            f"seed {case.seed}, {len(wrong)} results differ from PyTorch's:",
            *(f"  {difference}" for difference in still[:6]),
            f"  model = {code(small.node, small.shape)}",
            f"  input {small.shape}, training {small.training}",
        ]
    )
