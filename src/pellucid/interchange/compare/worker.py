"""Run one framework in a process of its own.

    python -m pellucid.interchange.compare.worker JOB

The process trains on all batches, examines the network and reports that it is ready. After that,
each line on its standard input is a number of seconds for which it takes steps; it answers each
with one line of JSON. All other output goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from itertools import cycle
from time import perf_counter, process_time
from typing import Any, TextIO

from safetensors.numpy import load_file

from pellucid import engine
from pellucid.interchange.compare import frameworks, memory
from pellucid.interchange.compare.agreement import TYPES
from pellucid.interchange.compare.inspection import Contestant
from pellucid.interchange.compare.job import Job
from pellucid.interchange.safetensors import load
from pellucid.runtime.threads import limited


def main(job: Job) -> None:
    """Run a job; Pellucid's threads are limited here, the other frameworks limit their own."""
    if job.framework == frameworks.PELLUCID.name:
        engine.current()
        with limited(job.threads):
            _run(job)
    else:
        _run(job)


def _run(job: Job) -> None:
    answers = _standard_output_for_answers_alone()
    make = frameworks.named(job.framework).contestant()
    arrays = load_file(job.batches)
    images, targets = arrays["images"], arrays["targets"]

    def contestant(dtype: str) -> Contestant:
        model = load(job.model).astype(dtype)
        return make(model, images.shape[2:], job.threads, job.rate, job.momentum)

    # loads all that the framework needs, before memory is measured
    inspected = contestant("float32")
    before = memory.resident()
    memory.forget_peak()
    learner = contestant("float32")
    batches = [learner.batch(x, t) for x, t in zip(images, targets, strict=True)]
    losses = [learner.step(batch) for batch in batches]
    grown = memory.peak() - before
    for dtype in TYPES:
        inspected = inspected if dtype == "float32" else contestant(dtype)
        inspected.inspect(images[0].astype(dtype), targets[0]).save(job.inspection(dtype))
    ready = {"version": learner.version, "losses": losses, "memory": grown}
    _send(answers, ready | {"calls": learner.calls(), "sources": learner.sources()})
    turn = cycle(batches)
    for line in sys.stdin:
        learner.step(next(turn))  # warm up the processor's caches after the others' turns
        began = process_time()
        seconds = list(_times(learner, turn, float(line)))
        _send(answers, {"seconds": seconds, "processor_seconds": process_time() - began})


def _times(learner: Contestant, turn: Iterator[Any], seconds: float) -> Iterator[float]:
    """Yield the seconds of each step, for at least `seconds` seconds and three steps."""
    end, least = perf_counter() + seconds, 3
    while least > 0 or perf_counter() < end:
        began = perf_counter()
        learner.step(next(turn))
        yield perf_counter() - began
        least -= 1


def _standard_output_for_answers_alone() -> TextIO:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _send(answers: TextIO, answer: Any) -> None:
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(Job.from_json(sys.argv[1]))
