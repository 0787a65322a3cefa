"""Try networks, and report each failing one, reduced as far as possible."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from random_networks.drawing import Case, draw
from random_networks.node import code
from random_networks.shrinking import shrunk
from random_networks.verdict import Difference, faults, largest_ratios


@dataclass
class Tried:
    """The results of trying many networks."""

    networks: int = 0
    failures: list[str] = field(default_factory=list)
    unsure: int = 0
    """Number of networks that differed with the first random values but not with others."""
    ratios: dict[str, float] = field(default_factory=dict)
    """Largest ratio of difference to tolerance, by way."""

    def worst(self) -> str:
        """Return the largest ratios as text, in descending order."""
        shares = sorted(self.ratios.items(), key=lambda item: -item[1])
        return "; ".join(f"{way} {share:.2f}" for way, share in shares)


def try_networks(seeds: Iterable[int], tell: Callable[[str], object]) -> Tried:
    """Compare the networks of these seeds with PyTorch, and pass reports of failures to `tell`."""
    tried = Tried()
    for seed in seeds:
        case = draw(seed)
        wrong, once = faults(case)
        tried.networks += 1
        tried.unsure += bool(once)
        for way, ratio in largest_ratios().items():
            tried.ratios[way] = max(tried.ratios.get(way, 0), ratio)
        if tried.networks % 200 == 0:
            tell(f"{tried.networks} networks; used of what is allowed: {tried.worst()}")
        if once:
            tell(f"seed {seed}: with other values no longer: {once[0]}")
        if wrong:
            tried.failures.append(described(case, wrong))
            tell(tried.failures[-1])
    return tried


def described(case: Case, wrong: list[Difference]) -> str:
    """Return a report with the differences and the code of the smallest failing network found."""
    ways = {difference.way for difference in wrong}

    def fails(smaller: Case) -> bool:
        try:
            return any(difference.way in ways for difference in faults(smaller)[0])
        except NotImplementedError:  # PyTorch has no such layer
            return False

    small = shrunk(case, fails)
    still = faults(small)[0] or wrong
    return "\n".join(
        [
            f"seed {case.seed}, {len(wrong)} results differ from PyTorch's:",
            *(f"  {difference}" for difference in still[:6]),
            f"  model = {code(small.node, small.shape)}",
            f"  input {small.shape}, training {small.training}",
        ]
    )
