"""How fast a thread writes memory that it, or another thread, has used just before.

    python -m benchmarks.handover [--seconds 20] [--kilobytes 1024]

Two threads write their parts of an array, again and again. What comes between two writes makes the
difference: nothing, or each thread reads, or writes, the other's part. Printed are the fastest
tenth, the median and the slowest tenth of all rounds, as the two processors of a virtual machine
may have a cache in common at one time and none at another. How `runtime/workspace.py` places arrays
and how kernels divide their work follows from these figures.
"""

import argparse
import time

import numpy as np

from pellucid import engine
from pellucid.compiled.jit import jit
from pellucid.compiled.parallel import share_of

ROUNDS = 4
BETWEEN = {
    "nothing": lambda x: None,
    "the other thread reads it": lambda x: _read(x, 1, np.zeros(len(x), np.float32)),
    "the other thread writes it": lambda x: _write(x, 1, np.float32(1)),
}


@jit
def _write(mine, x, other, value):
    """Write a value into this thread's rows of x, or into those of another thread."""
    number, threads = mine
    for row in share_of(((number + other) % threads, threads), len(x)):
        for i in range(x.shape[1]):
            x[row, i] = value


@jit
def _read(mine, x, other, largest):
    """Find the largest number in each of this thread's rows of x, or of another thread's."""
    number, threads = mine
    for row in share_of(((number + other) % threads, threads), len(x)):
        for i in range(x.shape[1]):
            largest[row] = max(largest[row], x[row, i])


def main(seconds: float, kilobytes: int) -> None:
    engine.use("compiled")
    engine.current()
    x = np.zeros((2, kilobytes * 256), np.float32)
    speeds: dict[str, list[float]] = {name: [] for name in BETWEEN}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, between in BETWEEN.items():
            spent = 0.0
            for value in range(ROUNDS + 1):
                _write(x, 0, np.float32(value))
                between(x)
                began = time.perf_counter()
                _write(x, 0, np.float32(-value))
                spent += (time.perf_counter() - began) * (value > 0)  # the first wakes the threads
            speeds[name].append(ROUNDS * x.nbytes / spent / 1e9)
    print(
        "GB/s of two threads that write again, if in between: fastest tenth, median, slowest tenth"
    )
    for name, found in speeds.items():
        tenths = np.percentile(found[1:], (90, 50, 10))
        print(f"{name:28}", *(f"{speed:8.1f}" for speed in tenths))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.handover")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--kilobytes", type=int, default=1024, help="of each thread's part")
    chosen = parser.parse_args()
    main(chosen.seconds, chosen.kilobytes)
