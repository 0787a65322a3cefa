"""``pellucid resume``: continue an interrupted run."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import common, completion, lock, running
from pellucid.cli.config import Config, Parts
from pellucid.errors import PellucidError

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
    curves: common.Curves = True,
    report: common.Report = True,
) -> None:
    """Continue an interrupted run exactly: it ends as if it had never been interrupted.

    With --epochs a finished run trains on.
    """
    from pellucid import training

    config = Config.load(run)
    with lock.locked(run):
        parts = Parts.load(config)
        threads = _threads(config)
        with common.computing(config.engine, threads, config.precise, config.tune):
            state = training.resume(
                run, parts.train, parts.validation, augment=running.augmentation(config.augment)
            )
            if epochs is not None:
                config = _longer(run, config, state, epochs)
            records = training.records(state, parts.train, parts.validation)
            done = f"{state.epoch} of {state.epochs} epochs and {state.step} steps done"
            print(f"Run       {run}: {done}\n")
            running.carry_on(run, config, parts, state, records, curves=curves, report=report)


def _longer(run: Path, config: Config, state: "TrainingState", epochs: int) -> Config:
    """Let a run have so many epochs in all, and write that down."""
    if epochs < state.epoch + (state.step > 0):
        raise PellucidError(
            f"{run} has done {state.epoch} epochs already; --epochs is how many it has in the end"
        )
    state.epochs = epochs
    config = dataclasses.replace(config, epochs=epochs)
    config.save(run)
    return config


def _threads(config: Config) -> int | None:
    """Return how many threads to use: for NumPy as many as the run began with.

    A matrix library divides its sums among them, so another number would round otherwise. Compiled
    kernels give the same bits with any number.
    """
    began = config.environment.get("threads", "")
    if config.threads is None and config.engine == "reference" and began.isdecimal():
        return int(began)
    return config.threads
