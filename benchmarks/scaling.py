"""How long a step by several processes takes: measured parts, and a model that joins them.

``mpiexec -n 2 python -m benchmarks.scaling exchange`` measures how long it takes to add up arrays,
beside calls of mpi4py alone, in shared memory; with ``--mca btl self,tcp`` behind ``mpiexec`` and
``loopback`` at the end, over the loopback interface. ``python -m benchmarks.scaling compute``
measures what one process computes. All write into ``benchmarks/results/scaling.json``, from which
``python -m benchmarks.scaling plan`` makes ``docs/images/scaling.svg`` and prints the tables of
``docs/scaling.md``, and ``python -m benchmarks.scaling overlap`` what an overlap could gain.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from pellucid import optim
from pellucid.execution import for_training
from pellucid.layers import StepContext
from pellucid.losses import cross_entropy
from pellucid.parallel import Team, mpi
from pellucid.parallel.tree import TreeSum
from pellucid.runtime.workspace import Workspace

RESULTS = Path(__file__).parent / "results" / "scaling.json"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "scaling.svg"

LENGTHS = (1, 1 << 8, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22)
SHARD = 64  # samples
SAMPLES = (8, 16, 32, 64)
PROCESSES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

ONE_MACHINE = "one machine, as measured"
_ON_ONE = 128  # processors of a large machine
LINKS = {
    # seconds for a round, bytes in a second: assumed, not measured
    "10 Gbit/s Ethernet": (30e-6, 1.1e9),
    "100 Gbit/s InfiniBand": (3e-6, 11e9),
}


def best(action: Callable[[], object], seconds: float = 2.0, clock: Any = perf_counter) -> float:
    """Return the shortest time that `action` took: what the machine can do when it is not busy."""
    times, until = [], perf_counter() + seconds
    while len(times) < 5 or (perf_counter() < until and len(times) < 2000):
        started = clock()
        action()
        times.append(clock() - started)
    return float(min(times))


def exchange(link: str = "") -> None:
    """Measure sums of several lengths over the processes that mpiexec started."""
    from mpi4py import MPI

    team, comm = mpi(shards=max(8, MPI.COMM_WORLD.size)), MPI.COMM_WORLD
    rows = []
    for length in LENGTHS:
        ours, theirs, pingpong = _sum(team, length), _allreduce(comm, length), _swap(comm, length)
        count = max(60, min(2000, (1 << 26) // length))
        row = {"bytes": 4 * length}
        for name, action in (("sum", ours), ("allreduce", theirs), ("swap", pingpong)):
            times = []
            for _ in range(count):
                comm.Barrier()
                started = perf_counter()
                action()
                times.append(perf_counter() - started)
            row[name] = comm.allreduce(min(times), MPI.MAX)
        rows.append(row)
        if team.leads:
            print(
                f"{4 * length:>10} bytes: tree sum {1e6 * row['sum']:9.1f} µs, "
                f"Allreduce {1e6 * row['allreduce']:9.1f} µs, swap {1e6 * row['swap']:9.1f} µs",
                flush=True,
            )
    message = _message(MPI.COMM_SELF)
    if team.leads:
        _keep(f"exchange, {team.size} processes" + f", {link}" * bool(link), rows)
        _keep("message", message)


def _message(alone: Any, count: int = 200) -> float:
    """Return what Python takes to send a message and to receive one."""
    from mpi4py import MPI

    sent, received = np.ones(1, np.uint8), [np.empty(1, np.uint8) for _ in range(count)]

    def action() -> None:
        requests = [alone.Irecv(array, 0, 1) for array in received]
        requests += [alone.Isend(sent, 0, 1) for _ in range(count)]
        while not MPI.Request.Testall(requests):
            pass

    return best(action) / count


def _sum(team: Team, length: int) -> Callable[[], object]:
    values = np.ones(length, np.float32)

    workspace = Workspace()

    def action() -> None:
        known = TreeSum(team.size)
        known.add((0, team.rank), values)
        with workspace.used():
            team.sum(known, team.size, length, np.float32)

    return action


def _allreduce(comm: Any, length: int) -> Callable[[], object]:
    values, total = np.ones(length, np.float32), np.empty(length, np.float32)
    return lambda: comm.Allreduce(values, total)


def _swap(comm: Any, length: int) -> Callable[[], object]:
    """Return what sends an array to the next process while one comes from the one before."""
    values, received = np.ones(length, np.float32), np.empty(length, np.float32)
    after, before = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    return lambda: comm.Sendrecv(values, after, 0, received, before, 0)


def compute() -> None:
    """Measure, in processor time of one thread, a shard's gradients and the optimiser's step."""
    from benchmarks.networks import NETWORKS

    found = {}
    for name, network in NETWORKS.items():
        model = network.build()
        sgd = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        row = {"parameters": sum(p.value.size for p in model.parameters())}
        for samples in SAMPLES:
            shard = _shard(model, network.input_shape, samples)
            for _ in range(6):  # compiled, and captured
                shard()
            row[f"shard of {samples}"] = best(shard, clock=process_time)
        row["step"] = best(sgd.step, 0.5, process_time)
        found[name] = row
        print(name, {key: round(1e3 * v, 3) if v < 100 else v for key, v in row.items()})
    _keep("compute", found)


def _shard(model: Any, input_shape: tuple[int, ...], samples: int) -> Callable[[], object]:
    drawn = np.random.default_rng(0)
    x = np.moveaxis(drawn.normal(size=(*input_shape, samples)).astype(np.float32), -1, 0)
    targets = drawn.integers(0, 10, samples)
    program, workspace = for_training(model), Workspace()

    def action() -> None:
        training = StepContext()
        with workspace.used():
            outputs, cache = program.forward(x, training)
            _, gradient = cross_entropy(outputs, targets)
            for parameter in model.parameters():
                parameter.zero_grad()
            program.backward(gradient, cache, input_gradient=False)
        training.commit()

    return action


def plan() -> None:
    """Print and draw how many images a second the model expects, for 1 to 1,024 processes."""
    results = json.loads(RESULTS.read_text())
    links, message = {ONE_MACHINE: _measured_link(results), **LINKS}, results["message"]
    print(f"{1e6 * message:.2f} µs for Python to send a message and receive one")
    for title, (latency, bandwidth) in links.items():
        print(f"\n{title}: {1e6 * latency:.1f} µs a round, {bandwidth / 1e9:.2f} GB/s\n")
        print("| network | " + " | ".join(f"{p:,}" for p in PROCESSES[1:]) + " | half at |")
        print("| --- |" + " ---: |" * len(PROCESSES))
        for name, row in results["compute"].items():
            counts = [p for p in PROCESSES if title != ONE_MACHINE or p <= _ON_ONE]
            shares = [efficiency(row, p, latency, bandwidth, message) for p in counts]
            half = next((f"{p:,}" for p, s in zip(counts, shares, strict=True) if s < 0.5), "–")
            said = " | ".join(f"{100 * share:.0f} %" for share in shares[1:])
            print(f"| {name} | {said} | {half} |")
    _draw(results, links)


def seconds(
    row: dict[str, float],
    processes: int,
    latency: float,
    bandwidth: float,
    message: float,
    hidden: float = 0.0,
) -> float:
    """Return the time of a step in which each process computes one shard of SHARD samples.

    Two rounds of small messages, then two of gradients, in each of which a process sends something
    to every other; see docs/scaling.md. The rounds of gradients could be hidden behind a share of
    the shard's computation, at most.
    """
    others = processes - 1
    small = 2 * _messages(others, latency, message)
    size = 4 * row["parameters"]
    large = 2 * (_messages(others, latency, message) + size * others / processes / bandwidth)
    large = max(0.0, large - hidden * row[f"shard of {SHARD}"])
    return row[f"shard of {SHARD}"] + row["step"] + (small + large if others else 0.0)


def efficiency(
    row: dict[str, float],
    processes: int,
    latency: float,
    bandwidth: float,
    message: float,
    hidden: float = 0.0,
) -> float:
    """Return the images a second of each process, against those of one process alone."""
    alone = seconds(row, 1, latency, bandwidth, message)
    return alone / seconds(row, processes, latency, bandwidth, message, hidden)


def overlap() -> None:
    """Print what exchanging gradients during the backward pass could gain at the very best.

    All of the exchange is taken to be hidden behind the backward pass, two thirds of the
    computation, as if messages cost the processors nothing.
    """
    results = json.loads(RESULTS.read_text())
    links, message = {ONE_MACHINE: _measured_link(results), **LINKS}, results["message"]
    counts = (2, 16, 128)
    for title, link in links.items():
        print(f"\n{title}\n\n| network | " + " | ".join(f"{p}" for p in counts) + " |")
        print("| --- |" + " ---: |" * len(counts))
        for name, row in results["compute"].items():
            gains = [
                efficiency(row, p, *link, message, hidden=2 / 3)
                / efficiency(row, p, *link, message)
                for p in counts
            ]
            print(f"| {name} | " + " | ".join(f"{100 * (g - 1):.1f} %" for g in gains) + " |")


def _messages(others: int, latency: float, message: float) -> float:
    return latency + message * others


def _measured_link(results: dict[str, Any]) -> tuple[float, float]:
    """Return what sums of 4 bytes and of 1 MB over two processes tell: latency, bandwidth."""
    rows = {row["bytes"]: row["sum"] for row in results["exchange, 2 processes"]}
    size, latency = 1 << 20, rows[4]
    return latency, size / (rows[size] - 2 * latency)


def _draw(results: dict[str, Any], links: dict[str, tuple[float, float]]) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {"font.size": 9, "svg.hashsalt": "pellucid", "axes.spines.top": False}
    with mpl.rc_context(style | {"axes.spines.right": False, "svg.fonttype": "path"}):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        panels = figure.subplots(1, len(links), sharey=True)
        for axes, (title, link) in zip(panels, links.items(), strict=True):
            for (name, row), (colour, marker) in zip(
                results["compute"].items(), _looks(), strict=False
            ):
                counts = [p for p in PROCESSES if title != ONE_MACHINE or p <= _ON_ONE]
                shares = [100 * efficiency(row, p, *link, results["message"]) for p in counts]
                axes.plot(counts, shares, color=colour, marker=marker, ms=4, lw=1.2, label=name)
            axes.set_xscale("log", base=2)
            axes.set_xticks([1, 4, 16, 64, 256, 1024], ["1", "4", "16", "64", "256", "1,024"])
            axes.set_title(title, fontsize=9, loc="left")
            axes.set_xlabel("processes")
            axes.set_ylim(0, 103)
            axes.grid(alpha=0.25)
        panels[0].set_ylabel("images a second of each process, % of one alone")
        panels[0].legend(frameon=False, fontsize=8)
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(PICTURE, metadata={"Date": None})


def _looks() -> Iterator[tuple[str, str]]:
    """Yield colours that nearly everybody can tell apart, and shapes for who cannot."""
    colours = ("#D55E00", "#0072B2", "#009E73", "#E69F00", "#CC79A7", "#000000")
    yield from zip(colours, "osD^vP", strict=True)


def _keep(name: str, found: Any) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(results | {name: found}, indent=1) + "\n")


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    {"exchange": exchange, "compute": compute, "plan": plan, "overlap": overlap}[name](*arguments)
