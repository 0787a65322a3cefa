"""The whole of MNIST, by two processes of one thread each and by one process of two threads.

    python -m benchmarks.mnist_processes [EPOCHS]

Batches of 128 in two shards, with batch normalisation and Adam; the same without shards for
comparison. Runs take turns. Time is that of the epochs, without the program's start; runs with
shards end with the same weights.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory

import pellucid as pl
from benchmarks.networks import NETWORKS
from pellucid.parallel import Team, launched

MPIEXEC = Path(sys.executable).with_name("mpiexec")
TURNS, BATCH = 2, 128
WAYS = {
    "one process, two threads, no shards": (1, 2, 0),
    "one process, two threads": (1, 2, 2),
    "two processes, one thread each": (2, 1, 2),
}
THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(epochs: int = 3) -> None:
    print("| | seconds | CPU seconds | test accuracy | weights |")
    print("| --- | ---: | ---: | ---: | --- |")
    for turn in range(TURNS):
        for way in WAYS if turn % 2 == 0 else reversed(WAYS):
            processes, threads, shards = WAYS[way]
            with TemporaryDirectory() as folder:
                out = Path(folder) / "told.json"
                before = _cpu()
                start = [str(MPIEXEC), "-n", f"{processes}", "--bind-to", "none"] * (processes > 1)
                command = [*start, sys.executable, "-m", "benchmarks.mnist_processes", "work"]
                command += [f"{epochs}", f"{shards}", str(out)]
                subprocess.run(
                    command, check=True, env=_environment(threads), stdout=subprocess.DEVNULL
                )
                told = json.loads(out.read_text())
            seconds, accuracy, digest = told
            cpu = _cpu() - before
            print(
                f"| {way} | {seconds:.1f} | {cpu:.1f} | {accuracy:.2%} | {digest[:8]} |", flush=True
            )


def _cpu() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _environment(threads: int) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name not in THREADS}
    return given | {"PELLUCID_NUM_THREADS": f"{threads}", "OPENBLAS_NUM_THREADS": f"{threads}"}


def work(epochs: int, shards: int, out: Path) -> None:
    """Train, and write the seconds of the epochs, the accuracy and a hash of the weights."""
    team = None
    if shards:
        team = pl.parallel.mpi(shards) if launched.size() else Team(shards=shards)
    mnist, model = pl.data.load("mnist"), NETWORKS["mnist-bn"].build()
    pl.layers.initialize(model, 0)
    adam = pl.optim.Adam(model.parameters(), lr=0.001)
    history = pl.fit(
        model, mnist.train, optimizer=adam, batch_size=BATCH, epochs=epochs, parallel=team
    )
    if team is None or team.leads:
        assert mnist.test is not None
        accuracy = pl.evaluate(model, mnist.test).accuracy
        weights = b"".join(value.tobytes() for value in model.state_dict().values())
        seconds = sum(epoch.seconds for epoch in history)
        out.write_text(json.dumps([seconds, accuracy, hashlib.sha256(weights).hexdigest()]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    else:
        main(*map(int, sys.argv[1:]))
