"""How much slower Pellucid and PyTorch become when other programs compute at the same time.

    python -m benchmarks.busy --networks lenet vgg-small --others 1

Each network is trained, and answers, alone and beside so many processes that do nothing but count.
Threads that share a step wait for each other; where one of them has to give its processor to
another program, all wait. Times are medians over turns, in milliseconds.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from statistics import median

from benchmarks.contestants import invited, present
from benchmarks.measure import Settings, measure
from benchmarks.networks import NETWORKS
from benchmarks.process import granted_processors

TASKS = {"training": 64, "inference": 256, "one image": 1}
"""What is measured, with its batch size."""


@contextmanager
def busy(others: int) -> Iterator[None]:
    """Let so many other processes compute inside the ``with`` block."""
    count = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(count) for _ in range(others)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["lenet", "vgg-small"])
    parser.add_argument("--contestants", nargs="+", default=["pellucid", "torch", "torch-cl"])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--others", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    settings = Settings(granted_processors(), given.turns, given.seconds)
    print(f"{'':28}" + "".join(f"{name:>22}" for name in given.contestants))
    print(f"{'':28}" + "".join(f"{'alone':>11}{'busy':>11}" for _ in given.contestants))
    for network, task in product(given.networks, given.tasks):
        kind = "training" if task == "training" else "inference"
        contestants, _ = present(invited(kind, given.contestants))
        found: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
        for others in (0, given.others):
            with busy(others):
                row = measure(kind, network, TASKS[task], contestants, settings)
            for name, entry in row.entries.items():
                if entry.problem is not None:
                    raise SystemExit(f"{name}: {entry.problem}")
                found[name].append(1000 * median(turn.seconds for turn in entry.turns))
        shown = (f"{milliseconds:11.3f}" for times in found.values() for milliseconds in times)
        print(f"{network:12}{task + f' ({TASKS[task]})':16}" + "".join(shown), flush=True)


if __name__ == "__main__":
    main()
