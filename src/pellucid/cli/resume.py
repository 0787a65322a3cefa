"""``pellucid resume``: continue an interrupted run."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import common, completion, concluding, lock, new_run, running
from pellucid.cli import processes as several
from pellucid.cli.config import Config, Parts
from pellucid.errors import PellucidError
from pellucid.parallel.mpi import TIMEOUT

if TYPE_CHECKING:
    from pellucid.training import TrainingState


def resume(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="The folder of a run.", autocompletion=completion.runs),
    ],
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Train on, to N epochs in all. The schedule is that of a run of N epochs from "
            "here on.",
            show_default="as the run was begun",
        ),
    ] = None,
    processes: several.Processes = None,
    timeout: several.Timeout = TIMEOUT,
    recompute: common.RecomputeOrNot = None,
    curves: common.Curves = True,
    report: common.Report = True,
) -> None:
    """Continue an interrupted run exactly: the result is as if it had never been interrupted.

    With --epochs a finished run trains on. A run that cuts its batches into shards is continued by
    any number of processes.
    """
    from pellucid import training

    team = several.team(processes, lambda: Config.load(run).shards, timeout)
    config = Config.load(run)
    team = several.synchronised(team, config.sync_batch_norm)
    if config.shards is None and team is not None:
        raise PellucidError(
            f"{run} was begun by one process, without --shards, and goes on so: "
            f"{common.program()} resume {run}"
        )
    with several.shared(team, _locked(run)):
        parts = several.each(team, lambda: Parts.load(config))
        with common.computing(config.engine, new_run.threads(config), config.precise, config.tune):
            augment = new_run.augmentation(config.augment)
            state = several.each(
                team, lambda: training.resume(run, parts.train, parts.validation, augment=augment)
            )
            state.recompute = config.recompute if recompute is None else recompute
            if epochs is not None:
                config = _longer(run, config, state, epochs, writes=team is None or team.leads)
            records = training.records(
                state,
                parts.train,
                parts.validation,
                team,
                concluding.rehearsal(parts, config.batch_size),
            )
            done = f"{state.epoch} of {state.epochs} epochs and {state.step} steps done"
            print(f"Run       {run}: {done}\n")
            running.carry_on(
                run, config, parts, state, records, curves=curves, report=report, team=team
            )


@contextmanager
def _locked(run: Path) -> Iterator[Path]:
    with lock.locked(run):
        yield run


def _longer(run: Path, config: Config, state: "TrainingState", epochs: int, writes: bool) -> Config:
    """Set the total number of epochs of a run, and save it."""
    if epochs < state.epoch + (state.step > 0):
        raise PellucidError(
            f"{run} has done {state.epoch} epochs already; --epochs is how many it has in the end"
        )
    state.epochs = epochs
    config = dataclasses.replace(config, epochs=epochs)
    if writes:
        config.save(run)
    return config
