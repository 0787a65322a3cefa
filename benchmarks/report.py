"""Write the figures into the README, and one picture of them.

    python -m benchmarks.report [RESULTS]

The table stands between the markers ``<!-- bench:begin -->`` and ``<!-- bench:end -->``.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks import pages
from benchmarks.contestants import BF16, CONTESTANTS, ON_NUMPY, PELLUCID, PYTORCH
from benchmarks.measure import BEHIND
from benchmarks.process import ROOT
from benchmarks.results import Results, Row, geometric_mean
from benchmarks.run import RESULTS, STARTED

IMAGE = "docs/images/benchmark"
QUIET = 0.05
"""The share of the processors that other programs may take without it being said."""
COLUMNS = {
    "training": (PELLUCID, PYTORCH, BF16, "JAX", "TensorFlow", ON_NUMPY),
    "few images": (PELLUCID, PYTORCH, BF16),
    "other layers": (PELLUCID, PYTORCH, BF16),
    "inference": (PELLUCID, PYTORCH, BF16, "ONNX Runtime"),
}
CAPTIONS = {
    "training": (
        "**Training**: milliseconds for one step (forward, cross entropy, backward, SGD with "
        "momentum) on one batch, and how many times as fast as PyTorch's best."
    ),
    "few images": "**Training with few images**, of the size that follows a network's name.",
    "other layers": "**Training of networks with other layers**, in batches of the first size.",
    "inference": "**Inference**: milliseconds for one batch, from array to array.",
    "footprint": (
        "**Around it**: `import` in a new process (of Pellucid what trains: `pellucid.training`); "
        "from the start of a process to the first step of training "
        f"{STARTED[0]} with batches of {STARTED[1]} done, what was compiled before "
        "kept on disk; the most memory held while training it, and how much of that came after "
        "the import; what `pip` installs."
    ),
}
AGAINST = {
    "training": (PYTORCH, BF16),
    "few images": (PYTORCH, BF16),
    "other layers": (PYTORCH, BF16),
    "inference": (PYTORCH, "ONNX Runtime"),
}


def main(path: Path = RESULTS) -> None:
    from benchmarks.picture import draw

    results = Results.load(path)
    draw(results, ROOT / IMAGE)
    pages.write(ROOT / "README.md", "bench", markdown(results))
    print(f"Written: {ROOT / IMAGE}.svg and .png")


def markdown(results: Results) -> str:
    """Return everything that the README says of the results."""
    parts = [
        _conditions(results),
        f"![Speed relative to PyTorch, starting time, memory and size]({IMAGE}.svg)",
    ]
    for task in COLUMNS:
        if results.batches(task):
            parts += [f"{CAPTIONS[task]} {_took_part(results, task)}", table(results, task)]
    if results.starts:
        parts += [CAPTIONS["footprint"], footprint_table(results)]
    parts += list(_remarks(results))
    return "\n\n".join(parts)


def table(results: Results, task: str) -> str:
    """Return the table of a task: a row for each network and batch size, and geometric means."""
    rows = [row for row in results.rows if row.task == task]
    families = [f for f in COLUMNS[task] if any(row.best(f) is not None for row in rows)]
    against = [f for f in AGAINST[task] if f in families and PELLUCID in families]
    heads = [f"{f}, its best" if f in (PYTORCH, BF16) else f for f in families]
    heads += [f"against {f}" for f in against]
    lines = []
    for batch in results.batches(task):
        rows = results.of(task, batch)
        for row in rows:
            times = [time_of(row, family) for family in families]
            ratios = [ratio(row.ratios(PELLUCID, family)) for family in against]
            lines.append([row.network, str(batch), *times, *ratios])
        means = [_mean(rows, family) for family in against]
        if len(rows) > 1:
            lines.append(["*geometric mean*", str(batch), *[""] * len(families), *means])
    return pages.table(["network", "batch", *heads], lines)


def _took_part(results: Results, task: str) -> str:
    """Return of whom PyTorch's figures are the best."""
    found = {name for row in results.rows if row.task == task for name in row.entries}
    labels = {
        family: [each.label for each in CONTESTANTS.values() if each.name in found & _of(family)]
        for family in (PYTORCH, BF16)
    }
    return " ".join(f"{family}: {'; '.join(those)}." for family, those in labels.items() if those)


def _of(family: str) -> set[str]:
    return {each.name for each in CONTESTANTS.values() if each.family == family}


def footprint_table(results: Results) -> str:
    """Return the table of starting time, memory and size, a row for each contestant."""
    lines = []
    for contestant in CONTESTANTS.values():
        imports = results.imports.get(contestant.family)
        start = results.start(contestant.name)
        installed = results.installed.get(contestant.family)
        if imports or start or installed:
            lines.append(
                [
                    contestant.label,
                    pages.number(median(imports), " s", 2) if imports else "",
                    pages.number(start.seconds, " s", 1) if start else "",
                    _megabytes(start.peak) if start else "",
                    _megabytes(start.growth) if start else "",
                    _megabytes(installed),
                ]
            )
    return pages.table(["", "import", "first step", "memory", "after import", "installed"], lines)


def _conditions(results: Results) -> str:
    machine, settings = results.machine, results.settings
    names = {"tensorflow-cpu": "tensorflow"}
    versions = {names.get(name, name): number for name, number in results.versions.items()}
    return (
        f"{machine['processor']}, {settings['threads']} of {machine['processors']} processors; "
        f"{', '.join(f'{name} {number}' for name, number in versions.items())}; {results.date}. "
        "All numbers are float32, and the images are noise. Each program runs in a process of its "
        "own, with the same values, batches and number of threads; the programs take turns, "
        f"{settings['turns']} each. A time is the median of the turns; a ratio is the median of "
        "the ratios within each turn, with their range. In each row PyTorch is the best of the "
        f"variants named above its table; one that is {BEHIND} times slower than the best in the "
        "first turn takes no further turns."
    )


def _remarks(results: Results) -> Iterator[str]:
    """Yield what has to be known to judge the figures."""
    for name, reason in results.left_out.items():
        yield f"{CONTESTANTS[name].label} was left out: {reason}."
    for row in results.rows:
        for name, entry in row.entries.items():
            if entry.problem is not None:
                where = f"{row.network}, batch {row.batch}, {row.task}"
                yield f"**{CONTESTANTS[name].label} does not count at {where}**: {entry.problem}."
    shares = [turn.others for turn in results.turns() if turn.others is not None]
    if disturbed := [share for share in shares if share > QUIET]:
        yield (
            f"**The machine was not quiet**: in {len(disturbed)} of {len(shares)} turns other "
            f"programs took more than {QUIET:.0%} of its processors, {max(shares):.0%} at most."
        )
    yield "All figures: [benchmarks/results](benchmarks/results). Measured by `make bench`."


def time_of(row: Row, family: str) -> str:
    """Return the milliseconds of a family's best."""
    best = row.best(family)
    if best is None:
        return "–"
    return pages.number(1e3 * row.entries[best].seconds)


def ratio(ratios: Sequence[float]) -> str:
    """Return the median of the turns' ratios, with their range."""
    if not ratios:
        return "–"
    return f"**{median(ratios):.2f}×** ({min(ratios):.2f}–{max(ratios):.2f})"


def _mean(rows: Iterable[Row], against: str) -> str:
    ratios = [row.ratios(PELLUCID, against) for row in rows]
    return f"**{geometric_mean(map(median, ratios)):.2f}×**" if all(ratios) else "–"


def _megabytes(size: float | None) -> str:
    return "" if size is None else f"{size / 1e6:.0f} MB"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
