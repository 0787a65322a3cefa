"""The start of a training run: from checked choices to its initial state."""

from typing import TYPE_CHECKING, Any

from pellucid import keywords
from pellucid.arguments import shown
from pellucid.cli import starting
from pellucid.cli.config import Config, Parts
from pellucid.cli.recipes import RATES
from pellucid.errors import PellucidError, unknown

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.data.augment import Augmentation
    from pellucid.layers import Layer
    from pellucid.optim import Optimizer
    from pellucid.training import TrainingState


def check_names(
    networks: tuple[str | None, ...], optimizer: str, schedule: str, augment: str | None
) -> None:
    """Raise an error for an unknown name, before any data is loaded."""
    from pellucid import models
    from pellucid.optim import schedules

    for model in networks:
        if model is None or model.endswith(".toml") or starting.is_trained(model):
            continue
        name, _ = models.parse_name(model)
        if name not in models.names():
            raise PellucidError(
                unknown("model", name, models.names()) + ", or the path of a .toml file or a run"
            )
    if optimizer not in RATES:
        raise PellucidError(unknown("optimizer", optimizer, RATES))
    schedules.parse(schedule)
    augmentation(augment)


def check(config: Config) -> None:
    """Raise an error for choices that do not go together."""
    if config.momentum is not None and RATES[config.optimizer].momentum is None:
        takers = ", ".join(name for name, rate in RATES.items() if rate.momentum is not None)
        raise PellucidError(f"{config.optimizer} takes no momentum; these do: {takers}")
    if config.patience is not None and not config.validation:
        raise PellucidError("--patience needs a validation part; give --validation, such as 0.1")
    if config.whiten and starting.is_trained(config.model):
        raise PellucidError("--whiten is for a new network; a trained one keeps its weights")
    if config.class_weights not in (None, "balanced"):
        raise PellucidError(unknown("kind of class weights", config.class_weights, ["balanced"]))
    if config.keep is not None and config.selector is None:
        raise PellucidError("--keep needs --selector, the network that chooses the images to keep")
    if config.selector is not None and config.shards is not None:
        raise PellucidError("--selector needs a single process: leave out --processes and --shards")
    if config.keep == 0:
        raise PellucidError("--keep is a share above 0, such as 0.5")
    if not config.fraction:
        raise PellucidError("--fraction is a share above 0, such as 0.1")


def check_classes(source: str, images: "DataSet") -> None:
    """Raise an error if there are fewer than two classes, before training begins."""
    from pellucid.data.registry import takes

    classes = [name for name, count in zip(images.classes, images.counts, strict=True) if count]
    if len(classes) > 1:
        return
    hint = "; --label names the column of the class" if takes(source, "label") else ""
    raise PellucidError(
        f"all training images of {source} have one class, '{classes[0]}'; a network needs at least "
        f"two{hint}"
    )


def augmentation(text: str | None) -> "Augmentation | None":
    """Return the augmentation that --augment describes."""
    from pellucid.data import augment

    return None if text in (None, "none") else augment.parse(text)


def new_state(config: Config, parts: Parts) -> "TrainingState":
    """Return the initial state of the run that `config` describes."""
    from pellucid import losses, optim
    from pellucid.training import SelectiveBackprop, TrainingState

    model, optimizer = _learner(config, config.model, parts)
    averages = selection = None
    if config.ema is not None:
        averages = optim.ExponentialMovingAverage(dict(model.named_state()), config.ema)
    if config.selector is not None:
        selector = _learner(config, config.selector, parts)
        selection = SelectiveBackprop(*selector, keep=config.keep or 0.5)  # `check` refuses 0
    return TrainingState(
        model,
        optimizer,
        losses.CrossEntropy(
            class_weights=class_weights(config, parts.train), label_smoothing=config.label_smoothing
        ),
        config.batch_size,
        config.epochs,
        optim.schedules.parse(config.schedule),
        augmentation(config.augment),
        config.seed,
        averages,
        recompute=config.recompute,
        selection=selection,
    )


def _learner(config: Config, name: str, parts: Parts) -> "tuple[Layer, Optimizer]":
    """Return a network with this name, and its optimiser; only weights decay."""
    from pellucid import layers, models, optim

    if starting.is_trained(name):
        model = starting.network(name, parts.train, config.seed)
    else:
        model = models.build(name, parts.train.image_shape, len(parts.train.classes))
        layers.initialize(model, config.seed)
    learning = list(starting.learning(model, config.freeze).values())
    if config.whiten:
        whitened = models.whiten(model, parts.train.images).weight
        learning = [parameter for parameter in learning if parameter is not whitened]
    kinds = {kind.lower(): kind for kind in optim.OPTIMIZERS}
    options: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay}
    options |= {"clip_norm": config.clip_norm, "decay_kinds": ("weight",)}
    if config.momentum is not None:
        options["momentum"] = config.momentum
    options |= optimizer_options(config.optimizer_options)
    return model, optim.build({"type": kinds[config.optimizer], **options}, learning)


def optimizer_options(text: str | None) -> dict[str, Any]:
    """Return the arguments that --optimizer-options writes as in Python.

    >>> optimizer_options("nesterov=True, lr_factors={'bias': 2}")
    {'nesterov': True, 'lr_factors': (('bias', 2),)}
    """
    try:
        values = keywords.parse(text or "")
    except ValueError:
        raise PellucidError(
            "--optimizer-options are arguments as in Python, such as 'nesterov=True, eps=1e-6', "
            f"not {shown(text)}"
        ) from None
    return {
        name: tuple(value.items()) if isinstance(value, dict) else value
        for name, value in values.items()
    }


def class_weights(config: Config, images: "DataSet") -> tuple[float, ...] | None:
    """Return ``N / (K·n_k)`` for each of K classes with n_k of N images, as scikit-learn does."""
    if config.class_weights is None:
        return None
    present = max(1, int((images.counts > 0).sum()))
    return tuple(len(images) / (present * int(n)) if n else 0.0 for n in images.counts)


def threads(config: Config) -> int | None:
    """Return the number of threads to use; None means all.

    With the reference engine, it is the number with which the run began: matrix libraries split
    sums among threads, so another number would change rounding. If several processes may take part,
    it is 1. Compiled kernels give identical bits with any number of threads.
    """
    if config.threads is None and config.engine == "reference":
        if config.shards is not None:
            return 1
        began = config.environment.get("threads", "")
        return int(began) if began.isdecimal() else None
    return config.threads
