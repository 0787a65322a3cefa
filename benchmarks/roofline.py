"""What this machine could do at most, and what share of it is reached, by us and by PyTorch.

    python -m benchmarks.roofline [--networks lenet …]

Measured are the machine's peaks, of products in registers and of bytes from memory, with one thread
and with all; the time of a step; and with one thread that of each kernel. `limits` counts what a
step needs. The table is written into ``docs/compiled-engine.md``. A share above 100 % is no
mistake: arrays that stay in the caches need not come from memory.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks import limits, pages
from benchmarks.contestants import PELLUCID, PYTORCH, invited, present
from benchmarks.machine import machine
from benchmarks.measure import Settings, measure
from benchmarks.networks import CLASSES, EVERY, NETWORKS, OTHER_LAYERS, initial_state
from benchmarks.process import ROOT, granted_processors
from pellucid.interchange.compare import process

PAGE = ROOT / "docs" / "compiled-engine.md"
CONTESTANTS = ("pellucid", "torch-cl", "torch-compile-cl")
BATCH = 64
_SIZE = 512  # of the matrices that are multiplied
_NUMBERS = 1 << 24  # in each of the arrays that are added: more than any cache holds


def peaks() -> dict[str, float]:
    """Return products and bytes a second, in this process: the best of several runs."""
    from pellucid.compiled.join import total
    from pellucid.compiled.linear import product

    a, b = np.random.default_rng(0).random((2, _SIZE, _SIZE), np.float32)
    by = min(_best(lambda: a @ b), _best(lambda: product(a, b)))
    x, y = np.ones((2, 1, 1, 1, _NUMBERS), np.float32)
    # x + y: two arrays are read, one is fetched to be overwritten, and written
    moved = _best(lambda: total([x, y]), 30)
    return {"products": _SIZE**3 / by, "bandwidth": 4 * x.nbytes / moved}


def _best(run: Callable[[], object], times: int = 200) -> float:
    run()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def kernels(network: str, batch: int, steps: int = 10) -> dict[str, float]:
    """Return the shortest time of each kind of kernel in a step, in this process."""
    from benchmarks.frameworks.pellucid_ import Contestant
    from benchmarks.job import Job
    from pellucid.runtime.recording import Recording

    input_shape, build = EVERY[network]
    model = build()
    job = Job(
        "pellucid_", {"engine": "compiled"}, True, network, model.describe(), input_shape, {}, "",
        batch, threads=1,
    )  # fmt: skip
    contestant, spent = Contestant(job, initial_state(model)), Counter[str]()

    def replay(recording: Recording) -> None:
        for function, arguments in recording._calls:
            began = time.perf_counter()
            function(*arguments)
            dispatcher = getattr(function, "dispatcher", function)
            name = getattr(getattr(dispatcher, "_cache", None), "kernel", "")
            spent[limits.kind_of(str(name))] += time.perf_counter() - began

    Recording.replay = replay  # type: ignore[method-assign]  # to time each call
    random, found = np.random.default_rng(0), dict[str, float]()
    x = random.normal(size=(batch, *input_shape)).astype(np.float32)
    given = contestant.batch(x, random.integers(0, CLASSES, batch))
    for step in range(steps + 5):
        spent.clear()
        contestant.train(given)
        if step >= 5:  # captured
            found = {kind: min(found.get(kind, np.inf), spent[kind]) for kind in spent}
    return found


def main(networks: list[str], turns: int, seconds: float) -> None:
    threads = granted_processors()
    most = {count: _in_process(count, ["--peaks"]) for count in {1, threads}}
    contestants, _ = present(invited("training", CONTESTANTS))
    lines, kinds = [], []
    for network in networks:
        input_shape, build = EVERY[network]
        needed = limits.work(build(), (BATCH, *input_shape))
        row = measure("training", network, BATCH, contestants, Settings(threads, turns, seconds))
        lines.append([network, *_shares(needed, row, most[threads])])
        spent = _in_process(1, ["--kernels", network])
        kinds.append([network, *(_of_kind(needed[k], spent.get(k), most[1]) for k in limits.KINDS)])
        print(*lines[-1], *kinds[-1][1:], sep=" | ", flush=True)
    heads = [
        *("network", "Gproducts", "MB", "products ms", "bytes ms", "limit ms"),
        *(f"{family} {what}" for family in (PELLUCID, PYTORCH) for what in ("ms", "share")),
    ]
    about = (
        f"A step of training with batches of {BATCH}. Peaks of {machine()['processor']}: "
        + "; ".join(
            f"{each['products'] / 1e9:.0f} Gproducts/s and {each['bandwidth'] / 1e9:.1f} GB/s with "
            f"{count} thread{'s' * (count > 1)}"
            for count, each in sorted(most.items())
        )
        + f". {datetime.now(UTC).date().isoformat()}; written by `python -m benchmarks.roofline`."
    )
    text = [about, pages.table(heads, lines)]
    text += ["Share of the limit by kind of kernel, one thread (and its part of the step):"]
    text += [pages.table(["network", *limits.KINDS], kinds)]
    pages.write(PAGE, "roofline", "\n\n".join(text))


def _shares(needed: dict[str, list[limits.Work]], row: Any, most: dict[str, float]) -> list[str]:
    """Return what a network needs, the limit, and the times with their shares of it."""
    products, moved = (limits.totals(needed)[key] for key in ("products", "bytes"))
    limit = sum(one.seconds(**most) for items in needed.values() for one in items)
    figures = [products / 1e9, moved / 1e6]
    figures += [1e3 * products / most["products"], 1e3 * moved / most["bandwidth"], 1e3 * limit]
    shown = [pages.number(each) for each in figures]
    for family in (PELLUCID, PYTORCH):
        best = row.best(family)
        seconds = None if best is None else row.entries[best].seconds
        shown += ["–", "–"] if seconds is None else [
            pages.number(1e3 * seconds), f"{limit / seconds:.0%}",
        ]  # fmt: skip
    return shown


def _of_kind(items: list[limits.Work], spent: float | None, most: dict[str, float]) -> str:
    """Return the share of the limit that a kind of kernel reaches, and its milliseconds."""
    if not spent or not items:
        return "–"
    return f"{sum(one.seconds(**most) for one in items) / spent:.0%} ({1e3 * spent:.1f} ms)"


def _in_process(threads: int, arguments: list[str]) -> dict[str, float]:
    """Return what this program prints in a process of its own with so many threads."""
    command = [sys.executable, "-m", "benchmarks.roofline", *arguments]
    environment = os.environ | process.environment(threads)
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    everybody = [*NETWORKS, *OTHER_LAYERS]
    parser.add_argument("--networks", nargs="+", choices=EVERY, default=everybody)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--peaks", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--kernels", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peaks:
        print(json.dumps(peaks()))
    elif asked.kernels:
        print(json.dumps(kernels(asked.kernels, BATCH)))
    else:
        main(asked.networks, asked.turns, asked.seconds)
