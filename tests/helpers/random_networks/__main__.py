"""Try the random networks of several seeds: ``python -m random_networks SEED COUNT [exchange]``."""

import sys
import time
from functools import partial

from random_networks.report import try_networks
from random_networks.verdict import Ways, computed


def main(seed: str, count: str, suite: str = "computed") -> int:
    ways: Ways = computed
    if suite == "exchange":
        from random_networks.exchange import exchanged as ways
    started = time.perf_counter()
    seeds = range(int(seed), int(seed) + int(count))
    tried = try_networks(seeds, partial(print, flush=True), ways)
    print(f"{tried.networks} networks in {time.perf_counter() - started:.0f} s")
    print(f"{len(tried.failures)} wrong, {tried.unsure} only with the first values drawn")
    for way, refused in tried.refused.most_common():
        print(f"{way}: {refused} not supported")
    print(f"used of what is allowed: {tried.worst()}")
    return bool(tried.failures)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
