"""Try the random networks of several seeds: ``python -m random_networks SEED COUNT``."""

import sys
import time
from functools import partial

from random_networks.report import try_networks

if __name__ == "__main__":
    seed, count = (int(argument) for argument in sys.argv[1:3])
    started = time.perf_counter()
    tried = try_networks(range(seed, seed + count), partial(print, flush=True))
    print(f"{tried.networks} networks in {time.perf_counter() - started:.0f} s")
    print(f"{len(tried.failures)} wrong, {tried.unsure} only with the first values drawn")
    print(f"used of what is allowed: {tried.worst()}")
    sys.exit(bool(tried.failures))
