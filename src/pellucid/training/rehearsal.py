"""Rehearse a training run, so that its kernels are compiled before the first step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any

from pellucid.execution import Frozen, Lockstep, compile_ahead, for_training, freeze
from pellucid.layers import Layer, StepContext
from pellucid.parallel import Team
from pellucid.runtime import usual_batch
from pellucid.runtime.compiling import clock
from pellucid.training.batches import ArraySource, Source
from pellucid.training.data import Batch, Data
from pellucid.training.prepare import prepare
from pellucid.training.state import TrainingState

TakeStep = Callable[..., Any]
"""`loop.take_step`."""


Afterwards = Callable[[Layer], Iterable[Callable[[], Any]]]
"""Given a model, returns calls to rehearse too: what is done with it after the training."""


def rehearse(
    state: TrainingState,
    source: Source,
    validating: Source | None,
    take_step: TakeStep,
    afterwards: Afterwards | None = None,
) -> Any:
    """Compile the kernels that the steps and the validation of a run will need.

    Data that yield batches are not accessed before the run begins; their kernels are compiled when
    they are needed.
    """
    return compile_ahead(calls(state, source, validating, take_step, afterwards))


def warm_up(
    state: TrainingState, data: Data, validation: Data, afterwards: Afterwards | None = None
) -> Any:
    """Compile the kernels that a run on such data will need, and return what was done."""
    from pellucid.training.loop import take_step

    return rehearse(state, *prepare(state, data, validation), take_step, afterwards)


def calls(
    state: TrainingState,
    source: Source,
    validating: Source | None,
    take_step: TakeStep,
    afterwards: Afterwards | None = None,
) -> Iterator[Callable[[], Any]]:
    """Yield the calls to rehearse: steps and inference of a copy of the run."""
    copy = deepcopy(state)
    if isinstance(source, ArraySource):
        model = for_training(copy.model, state.recompute)
        for step in {0, len(source) - 1}:  # the last batch may be smaller
            for batch in _batches(state, source, step):
                if state.sync_batch_norm:
                    yield partial(_in_lockstep, copy, batch)
                else:
                    yield partial(take_step, copy, model, batch, len(source), clock())
    if isinstance(validating, ArraySource):
        frozen = freeze(copy.model)
        for batch in validating.plain({0, len(validating) - 1}):
            yield partial(_judge, frozen, copy, batch, len(validating))
    if afterwards is not None:
        yield from afterwards(copy.model)


def _batches(state: TrainingState, source: ArraySource, step: int) -> list[Batch]:
    """Return the arrays that a step computes at once: its batch, or one shard of each size."""
    if state.shards is None:
        return [next(source.shuffled(state.epoch, state.seed, start=step))]
    team = Team(shards=state.shards)
    shards = next(source.sharded(state.epoch, state.seed, step, team)).mine.values()
    return list({len(shard[1]): shard for shard in shards}.values())


def _in_lockstep(state: TrainingState, batch: Batch) -> None:
    x, targets, *weights = batch
    lockstep = Lockstep(state.model)
    outputs, cache = lockstep.forward([x], [StepContext()])
    _, gradient = state.loss(outputs[0], targets, *weights)
    lockstep.backward([gradient], cache)
    state.optimizer.step()


def _judge(model: Frozen, state: TrainingState, batch: Batch, steps: int) -> None:
    x, targets, *weights = batch
    with usual_batch.of_steps(state.batch_size, steps):
        state.loss(model(x), targets, *weights)
