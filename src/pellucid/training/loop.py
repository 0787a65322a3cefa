"""Training, defined: for each epoch, for each batch, forward, loss, backward, update."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from time import perf_counter

import numpy as np

from pellucid import losses, optim
from pellucid.arguments import Probability, checked, shown
from pellucid.errors import LostProcessError, PellucidError
from pellucid.execution import Frozen, Program, ThreadTuner, for_training, freeze
from pellucid.layers import Layer, StepContext
from pellucid.losses import Loss, cross_entropy
from pellucid.optim import ExponentialMovingAverage, Optimizer, schedules
from pellucid.optim.schedules import Schedule
from pellucid.parallel import Team
from pellucid.runtime import usual_batch
from pellucid.runtime.choices import belonging_to
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
from pellucid.training.batches import (
    Augmentation,
    Batch,
    Data,
    Divided,
    Sharded,
    Source,
    augmentation,
    part_of,
)
from pellucid.training.callbacks import Callback, called
from pellucid.training.divergence import non_finite_gradient, non_finite_loss
from pellucid.training.metrics import Metric, chosen, measured
from pellucid.training.prepare import prepare
from pellucid.training.progress import show_progress
from pellucid.training.records import VALIDATION, Epoch, History, Record, Step, better
from pellucid.training.rehearsal import rehearse
from pellucid.training.sharded import Outcome, ShardedGradients
from pellucid.training.state import Best, Sums, TrainingState


def train(
    model: Layer,
    data: Data | Divided,
    *,
    optimizer: Optimizer | str = "adam",
    loss: Loss | str = cross_entropy,
    metrics: Iterable[str | Metric] = (),
    batch_size: int = 64,
    epochs: int = 1,
    validation: Data | None = None,
    schedule: Schedule | str | None = None,
    augment: Augmentation | str | None = None,
    averages: ExponentialMovingAverage | float | None = None,
    seed: int = 0,
    parallel: Team | None = None,
) -> Iterator[Epoch]:
    """Train `model` and yield a record at the end of each epoch.

    One step, for a batch (x, t), model f with weights w, loss L and optimiser::

        w ← update(w, ∂L(f(x; w), t) / ∂w)

    Stopping early is ``break``, and a history is ``list(train(…))``. The model always is as the
    last step left it: to keep the best weights, save the model where ``epoch.best``, or use `fit`.

    Parameters
    ----------
    model
        What learns.
    data
        What it learns from: a data set, arrays (inputs, targets), or an object with
        ``batches(epoch, seed)`` and a length. The images of a data set are preprocessed, and the
        model remembers how; arrays are taken as they are. A third array holds the weight of each
        sample, above 0: with weights s the loss of a batch is ``Σ sₙ·lossₙ / Σ sₙ``. Of a data
        set in parts the model learns from ``train``, and is validated on ``validation``.
    optimizer
        An object of `pellucid.optim`, or the name of one with its defaults: ``"sgd"``, ``"adam"``,
        ``"adamw"``, ``"rmsprop"``, ``"adagrad"``.
    loss
        An object of `pellucid.losses`, or a name: ``"cross_entropy"``, ``"mean_squared_error"``,
        ``"binary_cross_entropy"``.
    metrics
        What is measured beside the loss: names, such as ``"top_5"``, and functions of
        (outputs, targets); see `training.metrics`.
    batch_size
        How many samples make a step. A last batch that is not full is used; if it would be a
        single sample, it joins the batch before it.
    epochs
        How often all samples are seen.
    validation
        Data of the same kind, on which the model is measured and the best epoch chosen.
    schedule
        How the learning rate changes: an object of `optim.schedules`, or text, such as
        ``"cosine"`` or ``"warmup:0.1,cosine"``; see `optim.schedules.parse`.
    augment
        What happens to training images before preprocessing: an object of `data.augment`, or text,
        such as ``"crop,flip"``; see `data.augment.parse`.
    averages
        A moving average of the weights, or its decay, such as 0.999. Validation measures the
        averages.
    seed
        The seed of all randomness: order, augmentation, dropout.
    parallel
        The processes that train the model together, such as `pellucid.parallel.mpi` returns them.
        Each of them runs this, and each ends with the same weights.

    Raises
    ------
    ShapeError, DataError
        Before the first step, if model, loss and data do not fit together.
    TrainingError
        The loss or a gradient is no longer finite. The model is left as it was before that step.
    LostProcessError
        One of several processes has ended or does not answer, and the others cannot go on.

    Examples
    --------
    >>> from pellucid import models, optim
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> model = models.mlp((2,), 2, hidden=(8,))
    >>> adam = optim.Adam(model.parameters(), lr=0.1)
    >>> *_, last = train(model, (x, np.array([0, 1, 1, 0])), optimizer=adam, epochs=100)
    >>> last.accuracy
    1.0
    """
    state = _state(
        model, optimizer, loss, metrics, batch_size, epochs, schedule, augment, averages, seed
    )
    drawn = records(state, *_parts(data, validation), parallel)
    return (record for record in drawn if isinstance(record, Epoch))


def fit(
    model: Layer,
    data: Data | Divided,
    *,
    optimizer: Optimizer | str = "adam",
    loss: Loss | str = cross_entropy,
    metrics: Iterable[str | Metric] = (),
    batch_size: int = 64,
    epochs: int = 1,
    validation: Data | None = None,
    callbacks: Iterable[Callback] = (),
    schedule: Schedule | str | None = None,
    augment: Augmentation | str | None = None,
    averages: ExponentialMovingAverage | float | None = None,
    seed: int = 0,
    parallel: Team | None = None,
) -> History:
    """Train `model` with a progress bar and return the history.

    With validation data the model ends with the weights of its best epoch; else with `averages`, it
    ends with those.

    Parameters
    ----------
    model
        What learns.
    data
        What it learns from: a data set, arrays (inputs, targets) or (inputs, targets, weights), or
        an object with ``batches(epoch, seed)``; see `train`.
    optimizer
        An object of `pellucid.optim`, or the name of one with its defaults: ``"sgd"``, ``"adam"``,
        ``"adamw"``, ``"rmsprop"``, ``"adagrad"``.
    loss
        An object of `pellucid.losses`, or a name: ``"cross_entropy"``, ``"mean_squared_error"``,
        ``"binary_cross_entropy"``.
    metrics
        What is measured beside the loss: names, such as ``"top_5"``, and functions of
        (outputs, targets); see `training.metrics`.
    batch_size
        How many samples make a step.
    epochs
        How often all samples are seen.
    validation
        Data of the same kind, on which the model is measured and the best epoch chosen.
    callbacks
        Functions that are called with each `Epoch`; where one returns True, training ends. Or
        objects of `training.callbacks`, such as ``EarlyStopping(patience=3)``.
    schedule
        How the learning rate changes: an object of `optim.schedules`, or text, such as
        ``"cosine"`` or ``"warmup:0.1,cosine"``.
    augment
        What happens to training images before preprocessing: an object of `data.augment`, or text,
        such as ``"crop,flip"``.
    averages
        A moving average of the weights, or its decay, such as 0.999.
    seed
        The seed of all randomness: order, augmentation, dropout.
    parallel
        The processes that train the model together; see `train`.

    Examples
    --------
    >>> from pellucid import models
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> model = models.mlp((2,), 2, hidden=(8,))
    >>> data = x, np.array([0, 1, 1, 0])
    >>> history = fit(model, data, optimizer="adam", epochs=100, callbacks=[lambda e: e.loss < 0.5])
    ... # doctest: +ELLIPSIS
      epoch     loss  ...
    """
    state = _state(
        model, optimizer, loss, metrics, batch_size, epochs, schedule, augment, averages, seed
    )
    drawn = called(records(state, *_parts(data, validation), parallel), state, callbacks)
    for _ in drawn if parallel is not None and not parallel.leads else show_progress(drawn):
        pass
    state.use_best()
    return History(state.history)


def _state(
    model: Layer,
    optimizer: Optimizer | str,
    loss: Loss | str,
    metrics: Iterable[str | Metric],
    batch_size: int,
    epochs: int,
    schedule: Schedule | str | None,
    augment: Augmentation | str | None,
    averages: ExponentialMovingAverage | float | None,
    seed: int,
) -> TrainingState:
    """Return a new run; what is given by name is looked up."""
    if not isinstance(model, Layer):
        raise PellucidError(
            f"what is trained is a layer, such as a Sequential, not {shown(model)}; "
            "pellucid.models.build makes a known network"
        )
    if averages is not None and not isinstance(averages, ExponentialMovingAverage):
        decay = checked("averages", averages, Probability)
        averages = ExponentialMovingAverage(dict(model.named_state()), decay)
    return TrainingState(
        model,
        optim.chosen(optimizer, model.parameters()),
        losses.chosen(loss),
        batch_size,
        epochs,
        schedules.chosen(schedule),
        augmentation(augment),
        seed,
        averages,
        metrics=chosen(metrics),
    )


def _parts(data: Data | Divided, validation: Data | None) -> tuple[Data, Data | None]:
    """Return what to train on and what to validate on; data in parts may bring both."""
    if validation is None and isinstance(data, Divided):
        validation = data.validation
    return part_of(data, "train", "training data"), validation


def records(
    state: TrainingState,
    data: Data,
    validation: Data | None = None,
    parallel: Team | None = None,
) -> Iterator[Record]:
    """Carry a training run on to its end: yield a `Step` for every update, an `Epoch` at its end.

    Whenever it yields, `state` is whole: what is saved then continues exactly from there. After a
    `Step`, each parameter's `grad` is what the optimiser used in it. Errors in what was given are
    raised before the first record is asked for, and what the engine has to compile is compiled.
    """
    if parallel is None:
        check_whole(state)
        source, validating = prepare(state, data, validation)
        if not state.finished:
            rehearse(state, source, validating, take_step)
        return _records(state, source, validating)
    take_shards(state, parallel)
    source, validating = parallel.together(lambda: prepare(state, data, validation))
    check_same_run(state, parallel)
    if not state.finished:
        parallel.in_turn(lambda: rehearse(state, source, validating, take_step))
    return _records_of_team(state, source, validating, parallel)


def _records(state: TrainingState, source: Source, validating: Source | None) -> Iterator[Record]:
    program, workspace = for_training(state.model), Workspace()
    with closing(ThreadTuner()) as tuner:
        while not state.finished:
            batches = source.shuffled(state.epoch, state.seed, start=state.step)
            while True:
                started = perf_counter()
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
    """Do the same as one of several processes; where one is lost, go on without it if possible."""
    workspace, steps = Workspace(), len(source)
    batches: Iterator[Sharded] | None = None
    # a matrix library with more threads than one would round otherwise
    with limited(used()), closing(ThreadTuner()) as tuner:
        gradients = ShardedGradients(state, for_training(state.model), team, tuner)
        while True:
            record: Record | None
            try:
                if state.finished:
                    team.meet(failed=False)  # as long as one may need what this process has
                    return
                with workspace.used():
                    batches = batches or source.sharded(state.epoch, state.seed, state.step, team)
                    if state.step < steps:
                        started = perf_counter()
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
    """Update the weights once; the program runs the state's model.

    Nothing is changed if the loss or a gradient is not finite; then it is an error.
    """
    x, targets, *weights = batch
    training = StepContext(state.seed, state.epoch, state.step)
    ignored = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # looked for below
    with ignored, usual_batch.of(state.batch_size):
        outputs, cache = program.forward(x, training)
        loss, gradient = state.loss(outputs, targets, *weights)
        if not math.isfinite(loss):
            raise non_finite_loss(state.model, x, training, loss)
        state.optimizer.zero_grad()
        program.backward(gradient, cache, input_gradient=False)
        if (error := non_finite_gradient(state.optimizer.learned, training)) is not None:
            raise error
    correct = count_correct(state.loss, outputs, targets)
    values = measured(state.metrics, outputs, targets)
    counted = state.loss.counted(targets)
    outcome = Outcome(training, loss, correct, len(targets), counted, values)
    return update(state, outcome, steps, started)


def update(state: TrainingState, outcome: Outcome, steps: int, started: float) -> Step:
    """Update the weights, with the gradients that the parameters have."""
    optimizer, correct, counted = state.optimizer, outcome.correct, outcome.counted
    optimizer.lr = state.rate(state.step, steps)
    optimizer.step()
    outcome.training.commit()
    if state.averages is not None:
        state.averages.update()
    seconds = perf_counter() - started
    state.sums.add(outcome.loss, correct, outcome.samples, counted, seconds, outcome.metrics)
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
        metrics=outcome.metrics,
    )


def finish_epoch(
    state: TrainingState, steps: int, validating: Source | None, team: Team | None = None
) -> Epoch:
    """Validate, note the epoch in the history, keep its weights if it is the best, and move on."""
    started = perf_counter()
    if team is not None:
        check_same_weights(state, team)
    trained, validated = state.sums, None
    if validating is not None:
        with state.averaged():
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
        seconds=trained.seconds + perf_counter() - started,
        images_per_second=trained.seen / trained.seconds,
        best=False,
        metrics=metrics,
    )
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

    The processes of a team divide the batches among themselves.
    """
    team, found = team or Team(), []
    mine = range(len(source))[team.rank :: team.size]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for step, (x, targets, *weights) in zip(mine, source.plain(mine), strict=True):
            outputs = model(x)
            value, _ = loss(outputs, targets, *weights)
            correct = count_correct(loss, outputs, targets)
            values = measured(metrics or {}, outputs, targets)
            counted = loss.counted(targets)
            found.append((step, value, correct, len(targets), counted, 0.0, values))
    sums = Sums()
    for _, *told in sorted(one for theirs in team.gather(found) for one in theirs):
        sums.add(*told)
    return sums
