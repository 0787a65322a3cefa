"""How a convolution becomes fast, rung by rung: naive loops, tiles in registers, fused, Winograd.

Measures each rung on one thread, in processor time, the best of several runs, and writes the table
into src/pellucid/compiled/conv/README.md. A rung's speed is that of the definition's operations, 2
for each product and sum, however many it really needs::

    make ladder
"""

import os
from collections.abc import Callable
from pathlib import Path
from time import process_time

os.environ["NUMBA_NUM_THREADS"] = "1"

import numpy as np

from benchmarks import pages
from benchmarks.machine import machine
from pellucid import compiled
from pellucid.compiled import fused, layout
from pellucid.compiled.jit import jit
from pellucid.compiled.parallel import share_of
from pellucid.contract import Convolution
from pellucid.geometry import Window
from pellucid.types import Array

PAGE = Path(compiled.__file__).parent / "conv" / "README.md"
N, C, F, SIZE = 64, 64, 64, 32
RUNS = 5
WINDOW = Window.of((SIZE, SIZE), 3, padding=1)
OPERATIONS = 2 * N * C * F * SIZE * SIZE * 9


@jit
def naive(mine, x, w, y):
    """The definition as it is written, x (N, C, H, W), w (F, C, KH, KW), y (N, F, OH, OW)."""
    N, C, H, W = x.shape
    F, _, KH, KW = w.shape
    for n in share_of(mine, N):
        for f in range(F):
            for oh in range(y.shape[2]):
                for ow in range(y.shape[3]):
                    total = np.float32(0)
                    for c in range(C):
                        for i in range(KH):
                            for j in range(KW):
                                h, v = oh + i - 1, ow + j - 1
                                if 0 <= h < H and 0 <= v < W:
                                    total += x[n, c, h, v] * w[f, c, i, j]
                    y[n, f, oh, ow] = total


def rungs() -> dict[str, Callable[[], object]]:
    """Return what computes each rung, by its name."""
    random = np.random.default_rng(0)
    plain = random.normal(size=(N, C, SIZE, SIZE)).astype(np.float32)
    x, w = layout.new_images(plain.shape), random.normal(size=(F, C, 3, 3)).astype(np.float32)
    x[...] = plain
    y = np.empty((N, F, SIZE, SIZE), np.float32)
    ones, zeros = np.ones(F, np.float32), np.zeros(F, np.float32)

    def by(algorithm: str) -> Callable[[], Array]:
        given = Convolution(x.shape, w.shape, WINDOW, algorithm=algorithm)
        return lambda: compiled.conv2d(x, w, None, given)

    def normalized(algorithm: str) -> Array:
        z = by(algorithm)()
        n, *_ = compiled.batch_norm_training(z, ones, zeros, 1e-5)
        return compiled.relu(n)

    def in_one_pass(algorithm: str) -> object:
        return fused.norm_epilogue(by(algorithm)(), ones, zeros, 1e-5, None, True, None)[0]

    return {
        "naive loops": lambda: naive(plain, w, y),
        "tiled (`direct.py`)": by("direct"),
        "Winograd (`winograd.py`)": by("winograd4"),
        "tiled, then normalisation and ReLU, a pass each": lambda: normalized("direct"),
        "tiled, normalisation and ReLU fused (`epilogue.py`)": lambda: in_one_pass("direct"),
        "Winograd, normalisation and ReLU fused": lambda: in_one_pass("winograd4"),
    }


def main() -> None:
    best: dict[str, float] = {}
    made = rungs()
    for turn in range(1 + RUNS):  # the first compiles
        for name, run in made.items():
            begin = process_time()
            run()
            if turn:
                best[name] = min(best.get(name, np.inf), process_time() - begin)
    lines = ["| rung | GFLOP/s | times |", "| --- | ---: | ---: |"]
    first = best["naive loops"]
    for name, seconds in best.items():
        rate = OPERATIONS / seconds / 1e9
        lines.append(f"| {name} | {rate:.1f} | {first / seconds:.1f} |")
    table = "\n".join([*lines, "", f"One thread of {machine()['processor']}."])
    pages.write(PAGE, "ladder", table)
    print(table)


if __name__ == "__main__":
    main()
