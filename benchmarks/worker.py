"""One contestant in a process of its own: it says when it is ready, then is timed on demand.

    python -m benchmarks.worker JOB

Each line on standard input is a number of seconds to work for; the answer to each is one line of
JSON on standard output. Whatever else is printed goes to standard error.
"""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import cycle
from typing import Any, TextIO

import numpy as np

from benchmarks import memory
from benchmarks.job import Array, Contestant, Job

CLASSES = 10
BATCHES = 8
CHECKED_STEPS = 5
"""So many losses are compared between contestants."""
CHECKED_IMAGES = 16
"""For so many images the outputs are compared."""


def main(job: Job) -> None:
    answers = _standard_output_for_answers_alone()
    _stay_on(job.threads)
    framework = import_module(f"benchmarks.frameworks.{job.framework}")
    if hasattr(framework, "load"):  # what the import of the framework itself leaves for later
        framework.load(job)
    imported = memory.resident()
    contestant: Contestant = framework.Contestant(job, _read(job.state))
    work, ready = (_training if job.training else _inference)(job, contestant)
    _repeat(work, 0.5, least=3)  # warm: compiled, memory taken, threads started
    memory.forget_peak()
    _say(answers, ready)
    for line in sys.stdin:
        _repeat(work, 0.0, least=1)  # caches have gone cold while others worked
        began = time.process_time()
        seconds = _repeat(work, float(line), least=2)
        _say(
            answers,
            {
                "seconds": seconds,
                "processor_seconds": time.process_time() - began,
                "memory": {"imported": imported, "peak": memory.peak()},
            },
        )


def _training(job: Job, contestant: Contestant) -> tuple[Callable[[], Any], dict[str, Any]]:
    """Return what is timed, and what is to be compared: losses, and outputs after those steps."""
    images, targets = samples(job)
    batches = [contestant.batch(x, t) for x, t in zip(images, targets, strict=True)]
    losses = [contestant.train(batches[0])]
    first = time.time()
    losses += [contestant.train(batch) for batch in batches[1:CHECKED_STEPS]]
    outputs = contestant.infer(images[0])[:CHECKED_IMAGES]
    turn = cycle(batches)

    def step() -> None:
        if not math.isfinite(contestant.train(next(turn))):
            raise ArithmeticError("the loss is no longer finite")

    return step, {"first": first, "losses": losses, "outputs": outputs.tolist()}


def _inference(job: Job, contestant: Contestant) -> tuple[Callable[[], Any], dict[str, Any]]:
    images, _ = samples(job)
    outputs = contestant.infer(images[0])[:CHECKED_IMAGES]
    ready = {"first": time.time(), "losses": [], "outputs": outputs.tolist()}
    turn = cycle(images)
    return lambda: contestant.infer(next(turn)), ready


def samples(job: Job) -> tuple[Array, Array]:
    """Return the same noise and class numbers for each contestant, a number of batches of each."""
    random = np.random.default_rng(0)
    images = random.normal(size=(BATCHES, job.batch, *job.input_shape)).astype(np.float32)
    return images, random.integers(0, CLASSES, (BATCHES, job.batch))


def _repeat(work: Callable[[], Any], seconds: float, least: int) -> list[float]:
    """Do the work again and again for some seconds, and `least` times; return the time of each."""
    return list(_times(work, seconds, least))


def _times(work: Callable[[], Any], seconds: float, least: int) -> Iterator[float]:
    end = time.perf_counter() + seconds
    while least > 0 or time.perf_counter() < end:
        began = time.perf_counter()
        work()
        yield time.perf_counter() - began
        least -= 1


def _read(path: str) -> dict[str, Array]:
    from safetensors.numpy import load_file

    return load_file(path)


def _stay_on(threads: int) -> None:
    """Keep this process and its threads on so many processors, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _standard_output_for_answers_alone() -> TextIO:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _say(answers: TextIO, answer: Any) -> None:
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(Job.from_json(sys.argv[1]))
