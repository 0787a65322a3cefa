"""What exchanging gradients during the backward pass gains, measured on this machine.

Run ``mpiexec -n 2 python -m benchmarks.overlap``. Each process computes one shard of 64 images a
step. Steps with and without overlap take turns; what is printed are medians, which
``python -m benchmarks.scaling overlap`` models. With ``ethernet`` behind it, messages arrive no
sooner than the assumed network of that model, of 10 Gbit/s, would deliver them.
"""

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter, sleep
from typing import Any

import numpy as np

from benchmarks.networks import NETWORKS, Network
from benchmarks.scaling import LINKS, SHARD
from pellucid import optim
from pellucid.execution import ThreadTuner
from pellucid.parallel import Exchange, Team, mpi
from pellucid.runtime.threads import limited
from pellucid.runtime.workspace import Workspace
from pellucid.training import TrainingState
from pellucid.training.batches import Sharded
from pellucid.training.sharded import ShardedGradients

SECONDS = 8.0
"""Time for the steps of a network."""

Step = Callable[[], tuple[float, float]]


class Link:
    """A communicator whose messages need the time of a network with this latency and bandwidth."""

    def __init__(self, communicator: Any, latency: float, bandwidth: float) -> None:
        self._communicator, self._latency, self._bandwidth = communicator, latency, bandwidth
        self._busy = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._communicator, name)

    def start(self, send: Any, receive: Any, channel: int = 0) -> "OverLink":
        nbytes = sum(array.nbytes for rank, array in enumerate(send) if rank != self.rank)
        now = perf_counter()
        self._busy = max(now, self._busy) + nbytes / self._bandwidth
        exchange = self._communicator.start(send, receive, channel)
        return OverLink(exchange, self._busy + self._latency)


class OverLink:
    """An exchange that is not complete before a certain time."""

    def __init__(self, exchange: Exchange, until: float) -> None:
        self._exchange, self._until = exchange, until

    def is_complete(self) -> bool:
        return self._exchange.is_complete() and perf_counter() >= self._until

    def wait(self, patience: float | None = None) -> None:
        self._exchange.wait(patience)
        sleep(max(0.0, self._until - perf_counter()))


def main(link: str = "") -> None:
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    team = mpi(shards=comm.size)
    if link:
        team.communicator = Link(team.communicator, *LINKS["10 Gbit/s Ethernet"])
    if team.leads:
        print("| network | exchange after, ms | meanwhile, ms | step after, ms | gain |")
        print("| --- | ---: | ---: | ---: | ---: |")
    for name, network in NETWORKS.items():
        after, meanwhile = _step(team, network, 1 << 40), _step(team, network, team.bucket_bytes)
        once = after()[0] + meanwhile()[0]
        turns = comm.bcast(max(10, min(500, round(SECONDS / once))))
        times = []
        for turn in range(turns):
            comm.Barrier()
            times.append((after(), meanwhile()) if turn % 2 else (meanwhile(), after())[::-1])
        if team.leads:
            exchanges = [1e3 * median(pair[i][1] for pair in times) for i in (0, 1)]
            step = 1e3 * median(pair[0][0] for pair in times)
            gain = 100 * (median(a / b for (a, _), (b, _) in times) - 1)
            print(
                f"| {name} | {exchanges[0]:.3f} | {exchanges[1]:.3f} | {step:.2f} | {gain:.1f} % |",
                flush=True,
            )


def _step(team: Team, network: Network, bucket_bytes: int) -> Step:
    """Return a function that makes a step, and returns its seconds and those of the exchange."""
    model, drawn = network.build(), np.random.default_rng(0)
    sgd = optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    state, workspace = TrainingState(model, sgd), Workspace()
    batch = (
        drawn.normal(size=(SHARD, *network.input_shape)).astype(np.float32),
        drawn.integers(0, 10, SHARD),
    )
    shards = Sharded(SHARD * team.size, team.size, {team.rank: batch})
    before, team.bucket_bytes = team.bucket_bytes, bucket_bytes
    gradients = ShardedGradients(state, team, ThreadTuner(most=1))
    team.bucket_bytes = before

    def step() -> tuple[float, float]:
        exchanged, started = team._spent.exchange, perf_counter()
        with limited(1), workspace.used():
            gradients(iter([shards])).training.commit()
        sgd.step()
        return perf_counter() - started, team._spent.exchange - exchanged

    for _ in range(6):  # compiled, and captured
        step()
    return step


if __name__ == "__main__":
    main(*sys.argv[1:])
