"""For which shapes is F(4×4, 3×3) faster than the definition?

Times all three passes of both, in turns on one thread, best of several, in processor
time, so that others on the machine disturb little. `auto` chooses by what was found here:

    NUMBA_NUM_THREADS=1 python benchmarks/winograd_or_direct.py
"""

import time
from itertools import product

import numpy as np

from pellucid import compiled
from pellucid.compiled import layout
from pellucid.contract import Convolution
from pellucid.geometry import Window
from pellucid.types import Array

BATCHES = (1, 4, 8, 16, 64)
CHANNELS = ((3, 64), (8, 8), (8, 32), (16, 16), (16, 64), (24, 24), (32, 32), (64, 64), (128, 128))
SIZES = (4, 7, 8, 14, 16, 28, 32, 56)
RUNS = 7
MOST = 4e9  # multiplications of a shape that is still worth the wait
NAMES = ("direct", "winograd4")


def images(*shape: int) -> Array:
    """Return random images in the engine's order."""
    filled = layout.new_images(shape)
    filled[...] = np.random.default_rng(0).random(shape, np.float32) - 0.5
    return filled


def seconds(N: int, C: int, F: int, size: int) -> dict[str, list[float]]:
    """Return the seconds of the three passes, by algorithm."""
    window = Window.of((size, size), 3, padding=1)
    x, dy, weight = images(N, C, size, size), images(N, F, size, size), images(F, C, 3, 3)
    weight = np.ascontiguousarray(weight)
    best = {name: [np.inf] * 3 for name in NAMES}
    for _, name in product(range(RUNS), NAMES):
        given = Convolution(x.shape, weight.shape, window, algorithm=name)
        passes = (
            lambda given=given: compiled.conv2d(x, weight, None, given),
            lambda given=given: compiled.conv2d_input_gradient(dy, weight, given),
            lambda given=given: compiled.conv2d_weight_gradient(dy, x, given),
        )
        for i, run in enumerate(passes):
            best[name][i] = min(best[name][i], _time(run))
    return best


def _time(run) -> float:
    begin = time.process_time()
    repeats = 0
    while (spent := time.process_time() - begin) < 0.002:  # its clock may tick coarsely
        run()
        repeats += 1
    return spent / repeats


def main() -> None:
    print("  N    C    F  size   direct ms   winograd4 ms   direct / winograd4: all  (y  dx  dw)")
    for N, (C, F), size in product(BATCHES, CHANNELS, SIZES):
        if N * C * F * size * size * 9 > MOST:
            continue
        direct, winograd = seconds(N, C, F, size).values()
        ratios = "  ".join(f"{d / w:.2f}" for d, w in zip(direct, winograd, strict=True))
        whole = sum(direct), sum(winograd)
        print(
            f"{N:3} {C:4} {F:4} {size:5} {whole[0] * 1e3:11.3f} {whole[1] * 1e3:14.3f}   "
            f"{whole[0] / whole[1]:23.2f}  ({ratios})",
            flush=True,
        )


if __name__ == "__main__":
    main()
