"""Training runs, from the choices to the report; used by ``train`` and ``resume``."""

import dataclasses
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from pellucid.cli import common, folders, lock, processes, speaking, starting
from pellucid.cli.config import Config, Parts
from pellucid.cli.recipes import RATES
from pellucid.errors import FileError, LostProcessError, PellucidError, unknown
from pellucid.files import atomic_write

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.data.augment import Augmentation
    from pellucid.evaluation import Evaluation
    from pellucid.layers import Layer
    from pellucid.parallel import Team
    from pellucid.training import Record, TrainingState


def check_names(model: str | None, optimizer: str, schedule: str, augment: str | None) -> None:
    """Raise an error for an unknown name, before any data is loaded."""
    from pellucid import models
    from pellucid.optim import schedules

    known = model is None or model.endswith(".toml") or model in models.names()
    if model is not None and not known and not starting.is_trained(model):
        raise PellucidError(
            unknown("model", model, models.names()) + ", or the path of a .toml file or a run"
        )
    if optimizer not in RATES:
        raise PellucidError(unknown("optimizer", optimizer, RATES))
    schedules.parse(schedule)
    augmentation(augment)


def check_classes(source: str, images: "DataSet") -> None:
    """Raise an error if there are fewer than two classes, before training begins."""
    from pellucid.data.registry import takes

    classes = [name for name, count in zip(images.classes, images.counts, strict=True) if count]
    if len(classes) > 1:
        return
    hint = "; --label names the column of the class" if takes(source, "label") else ""
    raise PellucidError(
        f"all training images of {source} have one class, '{classes[0]}'; a network needs at least "
        f"two to tell apart{hint}"
    )


def augmentation(text: str | None) -> "Augmentation | None":
    """Return the augmentation that --augment describes."""
    from pellucid.data import augment

    return None if text in (None, "none") else augment.parse(text)


def new_state(config: Config, parts: Parts) -> "TrainingState":
    """Return the initial state of the run that `config` describes; only weights decay."""
    from pellucid import layers, losses, models, optim
    from pellucid.training import TrainingState

    if starting.is_trained(config.model):
        model = starting.network(config.model, parts.train, config.seed)
    else:
        model = models.build(config.model, parts.train.image_shape, len(parts.train.classes))
        layers.initialize(model, config.seed)
    kinds = {name.lower(): name for name in optim.OPTIMIZERS}
    options: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay}
    options |= {"clip_norm": config.clip_norm, "decay_kinds": ("weight",)}
    if config.momentum is not None:
        options["momentum"] = config.momentum
    averages = None
    if config.ema is not None:
        averages = optim.ExponentialMovingAverage(dict(model.named_state()), config.ema)
    return TrainingState(
        model,
        optim.build(
            {"type": kinds[config.optimizer], **options},
            list(starting.learning(model, config.freeze).values()),
        ),
        losses.CrossEntropy(
            class_weights=class_weights(config, parts.train), label_smoothing=config.label_smoothing
        ),
        config.batch_size,
        config.epochs,
        optim.schedules.parse(config.schedule),
        augmentation(config.augment),
        config.seed,
        averages,
    )


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


def announce(
    folder: Path, config: Config, parts: Parts, state: "TrainingState", team: "Team | None" = None
) -> None:
    """Print the data, the model, the settings and the folder of the run."""
    from pellucid.models import summary

    cost, images = summary(state.model, parts.train.image_shape), parts.train
    shape = "×".join(map(str, images.image_shape))
    sizes = {"training": images, "validation": parts.validation, "test": parts.test}
    counts = ", ".join(f"{len(part):,} {name}" for name, part in sizes.items() if part is not None)
    recipe = ", ".join(
        text for text in (config.optimizer, config.schedule, config.augment) if text is not None
    )
    print(f"Data      {images.name}, {shape}: {counts}")
    learned = sum(parameter.value.size for parameter in state.optimizer.learned)
    share = "" if learned == cost.parameters else f", of which {learned:,} learn"
    print(f"Model     {config.model}, {cost.parameters:,} parameters{share}")
    print(f"Training  {recipe}; rate {config.lr:g}, batch {config.batch_size}, seed {config.seed}")
    if team is not None:
        hosts = len(set(team.gather(socket.gethostname())))
        where = f" on {hosts} machines" if hosts > 1 else ""
        each = config.batch_size / team.shards
        shards = f"{team.shards} shards of {each:g} images"
        print(f"Processes {team.size}{where}; each batch in {shards}")
    print(f"Run       {folder}\n")
    if team is not None and config.engine == "compiled" and config.batch_size < _FEW * team.shards:
        common.note(
            f"In shards of fewer than {_FEW} images, each image takes about twice as long: "
            "a larger --batch-size, or fewer --shards, make better use of the processors."
        )


_FEW = 32
"""Number of images per shard from which kernels, which compute several at once, are efficient."""


def carry_on(
    folder: Path,
    config: Config,
    parts: Parts,
    state: "TrainingState",
    records: "Iterator[Record]",
    *,
    curves: bool,
    report: bool,
    team: "Team | None" = None,
) -> None:
    """Train to the end and conclude; after a signal such as Ctrl-C, print how to resume and exit.

    Of several processes, the first one writes files and shows progress. If it is lost, the next one
    takes its place and locks the folder.
    """
    from pellucid import training

    stopped: list[signal.Signals] = []
    led = team is None or team.leads
    if config.patience is not None:
        records = training.stop_early(records, config.patience, history=state.history)
    records = training.stop_on_signal(records, stopped.append, team)
    with ExitStack() as holding, training.signals_noted(team):  # until everything is saved
        try:
            if processes.wait_to_lead(team, records):
                if not led:
                    holding.enter_context(lock.locked(folder))
                    common.note("The first process was lost; another one writes the run now.")
                _write(folder, config, state, records, team, curves)
        except LostProcessError as error:
            _save_and_give_up(folder, state, team, error)
        if stopped:
            _ignore_signals()
            common.note(f"Stopped and saved. Resume with: {common.program()} resume {folder}")
            raise typer.Exit(128 + stopped[0])
    conclude(folder, config, parts, state, report, team)


def _write(
    folder: Path,
    config: Config,
    state: "TrainingState",
    records: "Iterator[Record]",
    team: "Team | None",
    curves: bool,
) -> None:
    """Train to the end while writing files and showing progress."""
    from pellucid import training

    records = training.save_checkpoints(records, state, folder)
    records = training.log_csv(records, state, folder / folders.HISTORY)
    records = logged(records, folder, config)
    records = training.record_gradients(records, state, folder / folders.GRADIENTS)
    if team is not None:
        records = training.log_scaling(records, team, folder / folders.SCALING)
    for _ in training.show_progress(records, curves=curves):
        pass


def _save_and_give_up(
    folder: Path, state: "TrainingState", team: "Team | None", error: LostProcessError
) -> NoReturn:
    """Save the run after its last complete step, print how to resume it, and exit."""
    from pellucid import training

    assert team is not None
    with ExitStack() as holding:
        if not team.leads:
            try:  # the first process, if it is alive, holds the lock and saves
                holding.enter_context(lock.locked(folder))
            except FileError:
                if team.rank == 1:
                    speaking.speak()
                    common.note(f"{error}. If the run is not saved, its last checkpoint stands.")
                raise typer.Exit(processes.LOST) from error
            speaking.speak()
        training.save_checkpoint(state, folder)
        common.note(
            f"{error}. The run is saved. Resume it, with any number of processes: "
            f"{common.program()} resume {folder}"
        )
        raise typer.Exit(processes.LOST) from error


def _ignore_signals() -> None:
    """Ignore further signals: everything is saved, and the process is about to end."""
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)


def logged(records: "Iterator[Record]", folder: Path, config: Config) -> "Iterator[Record]":
    """Return the records, also written to the boards named in --log."""
    from pellucid import training

    choices = {
        name: value
        for name, value in dataclasses.asdict(config).items()
        if value is not None and name not in ("environment", "reading")
    }
    for name in boards(config.log):
        if name == "tensorboard":
            records = training.log_tensorboard(records, folder / "tensorboard", choices)
        elif name == "mlflow":
            records = training.log_mlflow(records, folder.name, choices)
        else:
            records = training.log_wandb(records, folder.name, choices)
    return records


def boards(text: str | None) -> list[str]:
    """Return the boards named in --log; raise an error for an unknown one."""
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    for name in names:
        if name not in BOARDS:
            raise PellucidError(unknown("board", name, BOARDS))
    return names


BOARDS = ("tensorboard", "mlflow", "wandb")


def conclude(
    folder: Path,
    config: Config,
    parts: Parts,
    state: "TrainingState",
    report: bool,
    team: "Team | None" = None,
) -> None:
    """Save and evaluate the model, make the report, and print where the files are."""
    from pellucid.interchange.safetensors import save

    state.use_best()
    if team is not None and not team.leads:
        if parts.judge is not None:
            with suppress(LostProcessError):
                _judged(state.model, parts.judge[0], team)
        return
    save(state.model, folder / folders.MODEL)
    if state.best is not None:
        print(f"\nThe weights of epoch {state.best.epoch.epoch} are kept, the best in validation.")
    evaluation, name = None, ""
    if parts.judge is not None:
        part, name = parts.judge
        evaluation = _judged(state.model, part, team)
        print(f"\n{evaluation.report()}")
        told = {"part": name} | evaluation.describe()
        atomic_write(folder / folders.EVALUATION, json.dumps(told, indent=1).encode())
    keep_typical(folder, parts, state.model)
    if report:
        try_to_report(folder, config, parts, state.model, evaluation)
    print(f"\nIn {folder}:")
    for file, what in _CONTENTS.items():
        if (folder / file).exists():
            print(f"  {file:20}{what}")
    print(f"\nNext: {common.program()} evaluate {folder} --confusion")
    print(f"      {common.program()} predict {folder} IMAGE")
    if evaluation is not None:
        print(f"\n{name} {evaluation.headline()}")


def keep_typical(folder: Path, parts: Parts, model: "Layer") -> None:
    """Save statistics of the training images, by which `predict` recognises unlike images."""
    from pellucid.evaluation.typical import Typical

    atomic_write(folder / folders.TYPICAL, Typical.of(model, parts.train).to_bytes())


def _judged(model: "Layer", part: "DataSet", team: "Team | None") -> "Evaluation":
    """Evaluate the model; if a process is lost, the first one does so alone."""
    from pellucid.evaluation import evaluate

    try:
        return evaluate(model, part, parallel=team)
    except LostProcessError:
        if team is None or not team.leads:
            raise
        return evaluate(model, part)


def try_to_report(
    folder: Path, config: Config, parts: Parts, model: "Layer", evaluation: "Evaluation | None"
) -> None:
    """Make the report; if that fails, print the reason, and leave the run as it is."""
    from pellucid.cli import reporting

    try:
        reporting.write(folder, config, parts, model, evaluation)
    except Exception as error:  # any error: the run is saved, and the results must still be printed
        if os.environ.get("PELLUCID_DEBUG"):
            raise
        common.note(
            f"The report could not be made: {error}\n"
            f"All else is saved. To try again: {common.program()} report {folder}"
        )


_CONTENTS = {
    folders.REPORT: "the report: open it in a browser",
    folders.FIGURES: "its pictures, as SVG and PNG",
    folders.MODEL: "the trained network",
    folders.EVALUATION: "accuracy and the scores of each class, as JSON",
    folders.TYPICAL: "statistics of the training images, to notice other kinds",
    folders.HISTORY: "loss and accuracy of each epoch",
    folders.SCALING: "where the time of each process went",
    folders.GRADIENTS: "the size of each layer's gradient",
    folders.CONFIG: "the settings of this run",
    folders.CHECKPOINT: "what resuming needs",
}
