"""Training, defined: for each epoch, for each batch, forward, loss, backward, update."""

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from time import perf_counter

import numpy as np

from pellucid.execution import Frozen, Program, ThreadTuner, for_training, freeze
from pellucid.layers import Layer, StepContext
from pellucid.losses import Loss, cross_entropy
from pellucid.optim import ExponentialMovingAverage, Optimizer
from pellucid.optim.schedules import Constant, Schedule
from pellucid.runtime.choices import belonging_to
from pellucid.runtime.workspace import Workspace
from pellucid.training.accuracy import count_correct
from pellucid.training.batches import Augmentation, Batch, Data, Source
from pellucid.training.divergence import non_finite_gradient, non_finite_loss
from pellucid.training.prepare import prepare
from pellucid.training.progress import show_progress
from pellucid.training.records import Epoch, History, Record, Step, better
from pellucid.training.rehearsal import rehearse
from pellucid.training.state import Best, Sums, TrainingState


def train(
    model: Layer,
    data: Data,
    *,
    optimizer: Optimizer,
    loss: Loss = cross_entropy,
    batch_size: int = 64,
    epochs: int = 1,
    validation: Data | None = None,
    schedule: Schedule | None = None,
    augment: Augmentation | None = None,
    averages: ExponentialMovingAverage | None = None,
    seed: int = 0,
) -> Iterator[Epoch]:
    """Train `model` and yield a record at the end of each epoch.

    One step, for a batch (x, t), model f with weights w, loss L and optimiser::

        w ← update(w, ∂L(f(x; w), t) / ∂w)

    Stopping early is ``break``, and a history is ``list(train(…))``. The model always is as the
    last step left it: to keep the best weights, save the model where ``epoch.best``, or use `fit`.

    Parameters
    ----------
    model, data
        What learns, and from what: a data set, arrays (inputs, targets), or an object with
        ``batches(epoch, seed)`` and a length. The images of a data set are preprocessed, and the
        model remembers how; arrays are taken as they are. A third array holds the weight of each
        sample, above 0: with weights s the loss of a batch is ``Σ sₙ·lossₙ / Σ sₙ``.
    optimizer, loss, batch_size, epochs
        How it learns. A last batch that is not full is used; if it would be a single sample, it
        joins the batch before it.
    validation
        Data of the same kind, on which it is measured and the best epoch chosen.
    schedule, augment, averages, seed
        See `TrainingState`.

    Raises
    ------
    ShapeError, DataError
        Before the first step, if model, loss and data do not fit together.
    TrainingError
        The loss or a gradient is no longer finite. The model is left as it was before that step.

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
    state = TrainingState(
        model, optimizer, loss, batch_size, epochs, schedule or Constant(), augment, seed, averages
    )
    return (record for record in records(state, data, validation) if isinstance(record, Epoch))


def fit(
    model: Layer,
    data: Data,
    *,
    optimizer: Optimizer,
    loss: Loss = cross_entropy,
    batch_size: int = 64,
    epochs: int = 1,
    validation: Data | None = None,
    schedule: Schedule | None = None,
    augment: Augmentation | None = None,
    averages: ExponentialMovingAverage | None = None,
    seed: int = 0,
) -> History:
    """Train `model` with a progress bar and return the history; the arguments are those of `train`.

    With validation data the model ends with the weights of its best epoch; else with `averages`, it
    ends with those.
    """
    state = TrainingState(
        model, optimizer, loss, batch_size, epochs, schedule or Constant(), augment, seed, averages
    )
    for _ in show_progress(records(state, data, validation)):
        pass
    state.use_best()
    return History(state.history)


def records(state: TrainingState, data: Data, validation: Data | None = None) -> Iterator[Record]:
    """Carry a training run on to its end: yield a `Step` for every update, an `Epoch` at its end.

    Whenever it yields, `state` is whole: what is saved then continues exactly from there. After a
    `Step`, each parameter's `grad` is what the optimiser used in it. Errors in what was given are
    raised before the first record is asked for, and what the engine has to compile is compiled.
    """
    source, validating = prepare(state, data, validation)
    if not state.finished:
        rehearse(state, source, validating, take_step)
    return _records(state, source, validating)


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


def take_step(
    state: TrainingState, program: Program, batch: Batch, steps: int, started: float
) -> Step:
    """Update the weights once; the program runs the state's model.

    Nothing is changed if the loss or a gradient is not finite; then it is an error.
    """
    x, targets, *weights = batch
    optimizer = state.optimizer
    training = StepContext(state.seed, state.epoch, state.step)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # looked for below
        outputs, cache = program.forward(x, training)
        loss, gradient = state.loss(outputs, targets, *weights)
        if not math.isfinite(loss):
            raise non_finite_loss(state.model, x, training, loss)
        optimizer.zero_grad()
        program.backward(gradient, cache, input_gradient=False)
        if (error := non_finite_gradient(optimizer.learned, training)) is not None:
            raise error
    optimizer.lr = state.rate(state.step, steps)
    optimizer.step()
    training.commit()
    if state.averages is not None:
        state.averages.update()
    correct = count_correct(state.loss, outputs, targets)
    seconds = perf_counter() - started
    counted = state.loss.counted(targets)
    state.sums.add(loss, correct, len(targets), counted, seconds)
    state.step += 1
    return Step(
        epoch=state.epoch + 1,
        epochs=state.epochs,
        step=state.step,
        steps=steps,
        loss=loss,
        accuracy=None if correct is None or not counted else correct / counted,
        rate=optimizer.lr,
        seconds=seconds,
    )


def finish_epoch(state: TrainingState, steps: int, validating: Source | None) -> Epoch:
    """Validate, note the epoch in the history, keep its weights if it is the best, and move on."""
    started = perf_counter()
    trained, validated = state.sums, None
    if validating is not None:
        with state.averaged():
            validated = measure(freeze(state.model), state.loss, validating)
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
    )
    if better(epoch, None if state.best is None else state.best.epoch):
        epoch = replace(epoch, best=True)
        with state.averaged():
            state.best = Best(epoch, state.model.state_dict())
    state.history += (epoch,)
    state.sums, state.step, state.epoch = Sums(), 0, state.epoch + 1
    return epoch


def measure(model: Layer | Frozen, loss: Loss, source: Source) -> Sums:
    """Return the sums of loss and correct answers in inference; a loss may be NaN or infinite."""
    sums = Sums()
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for x, targets, *weights in source.in_order():
            outputs = model(x)
            value, _ = loss(outputs, targets, *weights)
            correct = count_correct(loss, outputs, targets)
            sums.add(value, correct, len(targets), loss.counted(targets))
    return sums
