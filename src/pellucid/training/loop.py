"""The training loop: for each epoch and each batch, forward, loss, backward, update."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace

import numpy as np

from pellucid.errors import LostProcessError
from pellucid.execution import Frozen, Program, ThreadTuner, for_training, freeze
from pellucid.layers import Layer, StepContext
from pellucid.losses import Loss
from pellucid.parallel import Team
from pellucid.runtime import compiling, usual_batch
from pellucid.runtime.choices import belonging_to
from pellucid.runtime.compiling import clock
from pellucid.runtime.threads import limited, used
from pellucid.runtime.workspace import Workspace
from pellucid.training.accuracy import count_correct
from pellucid.training.agreement import (
    check_same_run,
    check_same_weights,
    check_whole,
    recover,
    take_shards,
)
from pellucid.training.batches import Sharded, Source
from pellucid.training.data import Batch, Data
from pellucid.training.divergence import non_finite_gradient, non_finite_loss
from pellucid.training.metrics import Metric, measured
from pellucid.training.prepare import prepare
from pellucid.training.records import VALIDATION, Epoch, Record, Step, better
from pellucid.training.rehearsal import Afterwards, rehearse
from pellucid.training.selection import SelectiveBackprop
from pellucid.training.sharded import Outcome, ShardedGradients
from pellucid.training.state import Best, Sums, TrainingState


def records(
    state: TrainingState,
    data: Data,
    validation: Data | None = None,
    parallel: Team | None = None,
    afterwards: Afterwards | None = None,
) -> Iterator[Record]:
    """Continue a training run to its end, and yield a `Step` for every update and an `Epoch`.

    Whenever it yields, `state` is consistent and can be saved. After a `Step`, each parameter's
    `grad` holds the gradient that the optimiser used. Arguments are checked, and kernels compiled,
    before the first record is requested: also those that the calls need which `afterwards` returns
    for a model, as they will be made when it is trained.
    """
    state.compiled_before = compiling.spent()
    if parallel is None:
        check_whole(state)
        source, validating = prepare(state, data, validation)
        if not state.finished:
            rehearse(state, source, validating, take_step, afterwards)
        return _records(state, source, validating)
    take_shards(state, parallel)
    source, validating = parallel.together(lambda: prepare(state, data, validation))
    check_same_run(state, parallel)
    if not state.finished:
        parallel.in_turn(lambda: rehearse(state, source, validating, take_step, afterwards))
    return _records_of_team(state, source, validating, parallel)


def _records(state: TrainingState, source: Source, validating: Source | None) -> Iterator[Record]:
    program, workspace = for_training(state.model, state.recompute), Workspace()
    with closing(ThreadTuner()) as tuner:
        while not state.finished:
            batches = source.shuffled(state.epoch, state.seed, start=state.step)
            while True:
                started = clock()
                with workspace.used(), belonging_to(state.choices):
                    if (batch := next(batches, None)) is None:
                        break
                    with tuner.step():
                        step = take_step(state, program, batch, len(source), started)
                yield step
            with workspace.used(), belonging_to(state.choices):
                epoch = finish_epoch(state, len(source), validating)
            yield epoch


def _records_of_team(
    state: TrainingState, source: Source, validating: Source | None, team: Team
) -> Iterator[Record]:
    """Do the same as one of several processes, continuing without lost ones if possible."""
    workspace, steps = Workspace(), len(source)
    batches: Iterator[Sharded] | None = None
    # rounding in matrix libraries depends on the number of threads
    with limited(used()), closing(ThreadTuner()) as tuner:
        gradients = ShardedGradients(state, team, tuner)
        while True:
            record: Record | None
            try:
                if state.finished:
                    team.meet(failed=False)  # wait while another may need this process's state
                    return
                with workspace.used():
                    batches = batches or source.sharded(state.epoch, state.seed, state.step, team)
                    if state.step < steps:
                        started = clock()
                        record = update(state, gradients(batches), steps, started)
                    else:
                        record, batches = finish_epoch(state, steps, validating, team), None
            except LostProcessError as error:
                if state.finished and not team.communicator.can_shrink:
                    return
                record, batches = recover(state, team, error), None
            if record is not None:
                yield record


def take_step(
    state: TrainingState, program: Program, batch: Batch, steps: int, started: float
) -> Step:
    """Update the weights once, where `program` runs the state's model.

    If the loss or a gradient is not finite, an error is raised and nothing is changed, but for a
    selector, which may have learned.
    """
    training, usual = StepContext(state.seed, state.epoch, state.step), state.batch_size
    if state.selection is not None:
        batch, usual = _hardest(state, state.selection, batch, steps)
    x, targets, *weights = batch
    ignored = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # checked below
    with ignored, usual_batch.of_steps(usual, steps):
        state.optimizer.zero_grad()  # before the forward pass, which may need memory for a capture
        outputs, cache = program.forward(x, training)
        loss, gradient = state.loss(outputs, targets, *weights)
        if not math.isfinite(loss):
            raise non_finite_loss(state.model, x, training, loss)
        program.backward(gradient, cache, input_gradient=False)
        if (error := non_finite_gradient(state.optimizer.learned, training)) is not None:
            raise error
    correct = count_correct(state.loss, outputs, targets)
    values = measured(state.metrics, outputs, targets, state.loss)
    counted, weight = state.loss.counted(targets), state.loss.total_weight(targets, *weights)
    outcome = Outcome(training, loss, correct, len(targets), counted, weight, values)
    return update(state, outcome, steps, started)


def _hardest(
    state: TrainingState, selection: SelectiveBackprop, batch: Batch, steps: int
) -> tuple[Batch, int]:
    """Return the samples of a batch to train on, and their usual number."""
    training = StepContext(state.seed, state.epoch, state.step)
    number, factor = state.epoch * steps + state.step, state.factor(state.step, steps)
    ignored = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # checked by `hardest`
    with ignored, usual_batch.of_steps(state.batch_size, steps):
        batch = selection.hardest(batch, state.loss, training, number, factor)
    return batch, selection.kept(state.batch_size)


def update(state: TrainingState, outcome: Outcome, steps: int, started: float) -> Step:
    """Update the weights with the gradients of the parameters."""
    optimizer, correct, counted = state.optimizer, outcome.correct, outcome.counted
    weight, metrics = outcome.weight, outcome.metrics
    optimizer.lr = state.rate(state.step, steps)
    optimizer.step()
    outcome.training.commit()
    if state.averages is not None:
        state.averages.update()
    seconds = clock() - started
    state.sums.add(outcome.loss, correct, outcome.samples, counted, weight, seconds, metrics)
    state.step += 1
    return Step(
        epoch=state.epoch + 1,
        epochs=state.epochs,
        step=state.step,
        steps=steps,
        loss=outcome.loss,
        accuracy=None if correct is None or not counted else correct / counted,
        rate=optimizer.lr,
        seconds=seconds,
        metrics=metrics,
        samples=outcome.samples,
    )


def finish_epoch(
    state: TrainingState, steps: int, validating: Source | None, team: Team | None = None
) -> Epoch:
    """Validate, append to the history, keep the weights if they are the best, and move on."""
    started = clock()
    if team is not None:
        check_same_weights(state, team)
    trained, validated = state.sums, None
    if validating is not None:
        alike = usual_batch.of_steps(state.batch_size, len(validating))
        with state.averaged(), alike:
            validated = measure(freeze(state.model), state.loss, validating, state.metrics, team)
    if team is not None:
        team.end_epoch()
    metrics = dict(trained.mean_metrics)
    if validated is not None:
        metrics |= {f"{VALIDATION}{name}": v for name, v in validated.mean_metrics.items()}
    epoch = Epoch(
        epoch=state.epoch + 1,
        epochs=state.epochs,
        steps=steps,
        loss=trained.mean_loss,
        accuracy=trained.accuracy,
        validation_loss=None if validated is None else validated.mean_loss,
        validation_accuracy=None if validated is None else validated.accuracy,
        rate=state.rate(steps - 1, steps),
        seconds=trained.seconds + clock() - started,
        images_per_second=trained.seen / trained.seconds,
        best=False,
        metrics=metrics,
        compiling=compiling.spent() - state.compiled_before,
    )
    state.compiled_before = compiling.spent()
    if better(epoch, None if state.best is None else state.best.epoch):
        epoch = replace(epoch, best=True)
        with state.averaged():
            state.best = Best(epoch, state.model.state_dict())
    state.history += (epoch,)
    state.sums, state.step, state.epoch = Sums(), 0, state.epoch + 1
    return epoch


def measure(
    model: Layer | Frozen,
    loss: Loss,
    source: Source,
    metrics: Mapping[str, Metric] | None = None,
    team: Team | None = None,
) -> Sums:
    """Return the sums of loss and correct answers in inference; a loss may be NaN or infinite.

    The processes of a team share the batches.
    """
    team, found = team or Team(), []
    mine = range(len(source))[team.rank :: team.size]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for step, (x, targets, *weights) in zip(mine, source.plain(mine), strict=True):
            outputs = model(x)
            value, _ = loss(outputs, targets, *weights)
            correct = count_correct(loss, outputs, targets)
            values = measured(metrics or {}, outputs, targets, loss)
            counted, weight = loss.counted(targets), loss.total_weight(targets, *weights)
            found.append((step, value, correct, len(targets), counted, weight, 0.0, values))
    sums = Sums()
    for _, *result in sorted(one for gathered in team.gather(found) for one in gathered):
        sums.add(*result)
    return sums
