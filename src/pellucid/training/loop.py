"""Train models: for each epoch and each batch, forward, loss, backward, update."""

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
    """Train a model, and yield a record at the end of each epoch.

    One step, for a batch (x, t), model f with weights w, loss L and optimiser::

        w ← update(w, ∂L(f(x; w), t) / ∂w)

    To stop early, ``break`` out of the loop; for the history, use ``list(train(…))``. The model
    always has the weights of the last step: to keep the best ones, save the model when
    ``epoch.best``, or use `fit`.

    Parameters
    ----------
    model
        Model to train.
    data
        Training data: a data set, arrays (inputs, targets), or an object with
        ``batches(epoch, seed)`` and a length. Images of a data set are preprocessed, and the model
        stores how; arrays are used unchanged. A third array may hold positive weights of the
        samples: with weights s, the loss of a batch is ``Σ sₙ·lossₙ / Σ sₙ``. If the data set has
        parts, its ``train`` part is used, and its ``validation`` part for validation.
    optimizer
        Object of `pellucid.optim`, or the name of an optimiser with default settings: ``"sgd"``,
        ``"adam"`` (default), ``"adamw"``, ``"rmsprop"`` or ``"adagrad"``.
    loss
        Object of `pellucid.losses`, or a name: ``"cross_entropy"`` (default),
        ``"mean_squared_error"`` or ``"binary_cross_entropy"``.
    metrics
        Further quantities to measure: names, such as ``"top_5"``, or functions of
        (outputs, targets); see `training.metrics`.
    batch_size
        Number of samples per step. A last batch that is not full is used; if it would be a single
        sample, it joins the previous batch. Default: 64.
    epochs
        Number of passes over the training data. Default: 1.
    validation
        Data of the same kind, to evaluate the model after each epoch and choose the best one.
    schedule
        Learning-rate schedule: object of `optim.schedules`, or text such as ``"cosine"`` or
        ``"warmup:0.1,cosine"``; see `optim.schedules.parse`. Default: a constant rate.
    augment
        Augmentation of training images before preprocessing: object of `data.augment`, or text
        such as ``"crop,flip"``; see `data.augment.parse`.
    averages
        Moving average of the weights, or its decay, such as 0.999. If given, validation evaluates
        the averages.
    seed
        Seed of all random numbers: order of samples, augmentation, dropout. Default: 0.
    parallel
        Processes that train the model together, such as `pellucid.parallel.mpi` returns. Each of
        them calls this function, and each ends with the same weights.

    Yields
    ------
    Epoch
        Losses, accuracies and other numbers of an epoch.

    Raises
    ------
    ShapeError, DataError
        Model, loss and data do not fit together; raised before the first step.
    TrainingError
        The loss or a gradient is not finite. The model is as before that step.
    LostProcessError
        One of several processes has ended or does not answer, and the others cannot continue.

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
    """Train a model with a progress bar, and return the history.

    With validation data, the model ends with the weights of its best epoch; otherwise, if
    `averages` are given, with those.

    Parameters
    ----------
    model
        Model to train.
    data
        Training data: a data set, arrays (inputs, targets) or (inputs, targets, weights), or an
        object with ``batches(epoch, seed)``; see `train`.
    optimizer
        Object of `pellucid.optim`, or the name of an optimiser with default settings: ``"sgd"``,
        ``"adam"`` (default), ``"adamw"``, ``"rmsprop"`` or ``"adagrad"``.
    loss
        Object of `pellucid.losses`, or a name: ``"cross_entropy"`` (default),
        ``"mean_squared_error"`` or ``"binary_cross_entropy"``.
    metrics
        Further quantities to measure: names, such as ``"top_5"``, or functions of
        (outputs, targets); see `training.metrics`.
    batch_size
        Number of samples per step. Default: 64.
    epochs
        Number of passes over the training data. Default: 1.
    validation
        Data of the same kind, to evaluate the model after each epoch and choose the best one.
    callbacks
        Functions called with each `Epoch`, which end the training by returning True, or objects of
        `training.callbacks`, such as ``EarlyStopping(patience=3)``.
    schedule
        Learning-rate schedule: object of `optim.schedules`, or text such as ``"cosine"`` or
        ``"warmup:0.1,cosine"``. Default: a constant rate.
    augment
        Augmentation of training images before preprocessing: object of `data.augment`, or text
        such as ``"crop,flip"``.
    averages
        Moving average of the weights, or its decay, such as 0.999.
    seed
        Seed of all random numbers: order of samples, augmentation, dropout. Default: 0.
    parallel
        Processes that train the model together; see `train`.

    Returns
    -------
    History
        The records of all epochs.

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
    """Return a new run, with everything that is given by name looked up."""
    if not isinstance(model, Layer):
        raise PellucidError(
            f"model must be a layer, such as a Sequential, not {shown(model)}; "
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
    """Return the training and validation data; data with parts may contain both."""
    if validation is None and isinstance(data, Divided):
        validation = data.validation
    return part_of(data, "train", "training data"), validation


def records(
    state: TrainingState,
    data: Data,
    validation: Data | None = None,
    parallel: Team | None = None,
) -> Iterator[Record]:
    """Continue a training run to its end, and yield a `Step` for every update and an `Epoch`.

    Whenever it yields, `state` is consistent and can be saved. After a `Step`, each parameter's
    `grad` holds the gradient that the optimiser used. Arguments are checked, and kernels compiled,
    before the first record is requested.
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
    """Do the same as one of several processes, continuing without lost ones if possible."""
    workspace, steps = Workspace(), len(source)
    batches: Iterator[Sharded] | None = None
    # rounding in matrix libraries depends on the number of threads
    with limited(used()), closing(ThreadTuner()) as tuner:
        gradients = ShardedGradients(state, for_training(state.model), team, tuner)
        while True:
            record: Record | None
            try:
                if state.finished:
                    team.meet(failed=False)  # wait while another may need this process's state
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
    """Update the weights once, where `program` runs the state's model.

    If the loss or a gradient is not finite, an error is raised and nothing is changed.
    """
    x, targets, *weights = batch
    training = StepContext(state.seed, state.epoch, state.step)
    ignored = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # checked below
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
    """Update the weights with the gradients of the parameters."""
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
    """Validate, append to the history, keep the weights if they are the best, and move on."""
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

    The processes of a team share the batches.
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
