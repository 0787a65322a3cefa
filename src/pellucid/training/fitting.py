"""Train a model: `train` yields the epochs, `fit` shows progress and returns the history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pellucid import losses, optim
from pellucid.arguments import Probability, checked, shown
from pellucid.errors import PellucidError
from pellucid.layers import Layer
from pellucid.losses import Loss
from pellucid.optim import ExponentialMovingAverage, Optimizer, schedules
from pellucid.optim.schedules import Schedule
from pellucid.parallel import Team
from pellucid.training.callbacks import Callback, called
from pellucid.training.data import (
    Augmentation,
    Data,
    Divided,
    Targets,
    augmentation,
    part_of,
    with_targets,
)
from pellucid.training.loop import records
from pellucid.training.metrics import Metric, chosen
from pellucid.training.progress import show_progress
from pellucid.training.records import Epoch, History
from pellucid.training.selection import SelectiveBackprop
from pellucid.training.state import TrainingState
from pellucid.types import Array


def train(
    model: Layer,
    data: Data | Divided | Array,
    targets: Targets | None = None,
    *,
    optimizer: Optimizer | str = "adam",
    loss: Loss | str = "cross_entropy",
    metrics: Iterable[str | Metric] = (),
    batch_size: int = 64,
    epochs: int = 1,
    validation: Data | None = None,
    schedule: Schedule | str | None = None,
    augment: Augmentation | str | None = None,
    averages: ExponentialMovingAverage | float | None = None,
    seed: int = 0,
    parallel: Team | None = None,
    recompute: bool = False,
    selection: SelectiveBackprop | None = None,
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
        Training data: a data set, arrays (inputs, targets), an object with
        ``batches(epoch, seed)`` and a length, or the inputs alone if `targets` follow. Images of a
        data set are preprocessed, and the model stores how; arrays are used unchanged. A third
        array may hold positive weights of the samples: with weights s, the loss of a batch is ``Σ
        sₙ·lossₙ / Σ sₙ``. If the data set has parts, its ``train`` part is used, and its
        ``validation`` part for validation.
    targets
        Class numbers (N,), or values for every output, if `data` is an array of inputs.
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
    recompute
        Whether to keep only some activations in the forward pass and compute the others again in
        the backward pass. It takes less memory and more time, and gives the same weights bit for
        bit; see `pellucid.execution.recompute`. Default: False.
    selection
        What chooses the samples of each batch to train on, a `SelectiveBackprop`. Default: all.

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
    >>> import numpy as np
    >>> from pellucid import models, optim
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> model = models.mlp((2,), 2, hidden=(8,))
    >>> adam = optim.Adam(model.parameters(), lr=0.1)
    >>> *_, last = train(model, (x, np.array([0, 1, 1, 0])), optimizer=adam, epochs=100)
    >>> last.accuracy
    1.0
    """
    state = _state(
        model, optimizer, loss, metrics, batch_size, epochs, schedule, augment, averages, seed,
        recompute, selection,
    )  # fmt: skip
    drawn = records(state, *_parts(with_targets(data, targets), validation), parallel)
    return (record for record in drawn if isinstance(record, Epoch))


def fit(
    model: Layer,
    data: Data | Divided | Array,
    targets: Targets | None = None,
    *,
    optimizer: Optimizer | str = "adam",
    loss: Loss | str = "cross_entropy",
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
    recompute: bool = False,
    selection: SelectiveBackprop | None = None,
) -> History:
    """Train a model with a progress bar, and return the history.

    With validation data, the model ends with the weights of its best epoch; otherwise, if
    `averages` are given, with those.

    Parameters
    ----------
    model
        Model to train.
    data
        Training data: a data set, arrays (inputs, targets) or (inputs, targets, weights), an
        object with ``batches(epoch, seed)``, or the inputs alone if `targets` follow; see `train`.
    targets
        Class numbers (N,), or values for every output, if `data` is an array of inputs.
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
    recompute
        Whether to compute activations again in the backward pass, to save memory; see `train`.
        Default: False.
    selection
        What chooses the samples of each batch to train on, a `SelectiveBackprop`. Default: all.

    Returns
    -------
    History
        The records of all epochs.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid import models
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> y = np.array([0, 1, 1, 0])
    >>> model = models.mlp((2,), 2, hidden=(8,))
    >>> history = fit(model, x, y, optimizer="adam", epochs=100, callbacks=[lambda e: e.loss < 0.5])
    ... # doctest: +ELLIPSIS
      epoch     loss  ...
    """
    state = _state(
        model, optimizer, loss, metrics, batch_size, epochs, schedule, augment, averages, seed,
        recompute, selection,
    )  # fmt: skip
    drawn = called(
        records(state, *_parts(with_targets(data, targets), validation), parallel), state, callbacks
    )
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
    recompute: bool,
    selection: SelectiveBackprop | None,
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
        recompute=recompute,
        selection=selection,
    )


def _parts(data: Data | Divided, validation: Data | None) -> tuple[Data, Data | None]:
    """Return the training and validation data; data with parts may contain both."""
    if validation is None and isinstance(data, Divided):
        validation = data.validation
    return part_of(data, "train", "training data"), validation
