"""Carry out a training run; used by ``train`` and ``resume``."""

import dataclasses
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from pellucid.cli import common, concluding, folders, lock, processes, speaking
from pellucid.cli.config import Config, Parts
from pellucid.errors import FileError, LostProcessError, PellucidError, unknown

if TYPE_CHECKING:
    from pellucid.parallel import Team
    from pellucid.training import Record, TrainingState


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
    share = "" if learned == cost.parameters else f", {learned:,} of them trained"
    print(f"Model     {config.model}, {cost.parameters:,} parameters{share}")
    if state.selection is not None:
        small, keep = summary(state.selection.selector, images.image_shape), state.selection.keep
        print(
            f"Selector  {config.selector}, {small.parameters:,} parameters, keeps {keep:.0%} of "
            "each batch"
        )
    print(f"Training  {recipe}; rate {config.lr:g}, batch {config.batch_size}, seed {config.seed}")
    if team is not None:
        hosts = len(set(team.gather(socket.gethostname())))
        where = f" on {hosts} machines" if hosts > 1 else ""
        each = config.batch_size / team.shards
        shards = f"{team.shards} shards of {each:g} images"
        shared = ", with statistics of the whole batch" if team.sync_batch_norm else ""
        print(f"Processes {team.size}{where}; each batch in {shards}{shared}")
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
                    processes.take_over(holding, folder)
                _write(folder, config, state, records, team, curves)
        except LostProcessError as error:
            _save_and_give_up(folder, state, team, error)
        if stopped:
            _ignore_signals()
            common.note(f"Stopped and saved. Resume with: {common.program()} resume {folder}")
            raise typer.Exit(128 + stopped[0])
    processes.write_once(
        team,
        state,
        folder,
        lambda: concluding.conclude(folder, config, parts, state, report, team),
    )


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
