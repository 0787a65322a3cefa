"""How fast the NumPy engine trains, beside eager PyTorch: one small network, one thread each.

    python -m benchmarks.numpy_engine

The job: conv 5×5×8 with padding 2, ReLU, pool 2, conv 5×5×16, ReLU, pool 2, linear 10, on batches
of 64 images of 1×28×28, float32: forward, cross entropy, backward, SGD with momentum.
"""

import argparse
from statistics import median

from benchmarks.contestants import CONTESTANTS, ON_NUMPY, PYTORCH
from benchmarks.measure import Settings, measure

BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.numpy_engine")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    contestants = [CONTESTANTS[name] for name in ("reference", "torch")]
    settings = Settings(1, options.turns, options.seconds)
    row = measure("training", "lenet", BATCH, contestants, settings)
    for name, entry in row.entries.items():
        if entry.problem is not None:
            raise SystemExit(f"{CONTESTANTS[name].label}: {entry.problem}")
        slow, fast = (BATCH / seconds for seconds in reversed(entry.span))
        print(
            f"{CONTESTANTS[name].label:24}{BATCH / entry.seconds:8.0f} images/s "
            f"({slow:.0f} to {fast:.0f})"
        )
    ratios = row.ratios(ON_NUMPY, PYTORCH)
    print(f"Ratio: {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
