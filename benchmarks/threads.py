"""How much faster training becomes with more threads, beside PyTorch: 1, 2, 4, … up to the machine.

    python -m benchmarks.threads [--networks lenet …] [--batch 128]

Runs unchanged on a machine with 2, 16 or 64 processors. The table and a picture are written into
``docs/compiled-engine.md``.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from matplotlib.ticker import ScalarFormatter

from benchmarks import pages
from benchmarks.contestants import PELLUCID, PYTORCH, invited, present
from benchmarks.machine import machine
from benchmarks.measure import Settings, measure
from benchmarks.networks import NETWORKS
from benchmarks.picture import COLOURS
from benchmarks.process import ROOT, granted_processors
from benchmarks.report import ratio, time_of
from benchmarks.results import Row, geometric_mean
from pellucid.view import style

PAGE, PICTURE = ROOT / "docs" / "compiled-engine.md", ROOT / "docs" / "images" / "threads"
CONTESTANTS = ("pellucid", "torch-cl")


def counts(most: int) -> list[int]:
    """Return the powers of two below `most`, and `most`."""
    return [*(1 << i for i in range(most.bit_length()) if 1 << i < most), most]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4)
    asked = parser.parse_args()
    contestants, _ = present(invited("training", CONTESTANTS))
    rows: dict[str, dict[int, Row]] = {}
    for network in asked.networks:
        for threads in counts(granted_processors()):
            settings = Settings(threads, asked.turns, asked.seconds)
            row = measure("training", network, asked.batch, contestants, settings)
            rows.setdefault(network, {})[threads] = row
            print(network, threads, time_of(row, PELLUCID), time_of(row, PYTORCH), flush=True)
    about = (
        f"Milliseconds for a step of training with batches of {asked.batch}; how many times as "
        "fast as with one thread; how many times as fast as PyTorch (eager, channels last). "
        f"{machine()['processor']}, {datetime.now(UTC).date().isoformat()}; medians of "
        f"{asked.turns} turns. Written by `python -m benchmarks.threads`."
    )
    image = "![Speed with more threads, relative to one](images/threads.svg)"
    pages.write(PAGE, "threads", f"{about}\n\n{image}\n\n{table(rows)}")
    draw(rows, PICTURE)


def table(rows: dict[str, dict[int, Row]]) -> str:
    """Return a line for each network and number of threads."""
    heads = ["network", "threads", *(f"{f} {w}" for f in (PELLUCID, PYTORCH) for w in ("ms", "×"))]
    lines = []
    for network, of_threads in rows.items():
        for threads, row in of_threads.items():
            faster = [f"{speed(of_threads, threads, f):.2f}" for f in (PELLUCID, PYTORCH)]
            times = [time_of(row, family) for family in (PELLUCID, PYTORCH)]
            figures = [each for pair in zip(times, faster, strict=True) for each in pair]
            lines.append([network, str(threads), *figures, ratio(row.ratios(PELLUCID, PYTORCH))])
    return pages.table([*heads, "against PyTorch"], lines)


def speed(of_threads: dict[int, Row], threads: int, family: str) -> float:
    """Return how many times as fast a family is as with one thread."""
    one, many = (of_threads[count].family(family).values() for count in (1, threads))
    return min(each.seconds for each in one) / min(each.seconds for each in many)


@style.styled
def draw(rows: dict[str, dict[int, Row]], path: Path) -> None:
    """Draw the geometric mean of the networks' speeds over the number of threads."""
    figure = style.figure(5, 3.2)
    axes = figure.add_subplot()
    every = list(next(iter(rows.values())))
    for family in (PELLUCID, PYTORCH):
        means = [geometric_mean(speed(each, n, family) for each in rows.values()) for n in every]
        axes.plot(every, means, "o-", color=COLOURS[family], label=family)
    axes.plot(every, every, ":", color="grey", label="ideal")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ScalarFormatter())
    axes.set_xticks(every)
    axes.set_xlabel("threads")
    axes.set_ylabel("speed relative to one thread")
    axes.legend(frameon=False)
    style.save(figure, path.with_suffix(".svg"))


if __name__ == "__main__":
    main()
