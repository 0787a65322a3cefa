"""``pellucid resume``: continue an interrupted run."""

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import common, lock, running
from pellucid.cli.config import Config, Parts


def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    curves: common.Curves = True,
    report: common.Report = True,
) -> None:
    """Continue an interrupted run exactly: it ends as if it had never been interrupted."""
    from pellucid import training

    config = Config.load(run)
    with lock.locked(run):
        parts = Parts.load(config)
        threads = _threads(config)
        with common.computing(config.engine, threads, config.precise, config.tune):
            state = training.resume(
                run, parts.train, parts.validation, augment=running.augmentation(config.augment)
            )
            records = training.records(state, parts.train, parts.validation)
            done = f"{state.epoch} of {state.epochs} epochs and {state.step} steps done"
            print(f"Run       {run}: {done}\n")
            running.carry_on(run, config, parts, state, records, curves=curves, report=report)


def _threads(config: Config) -> int | None:
    """Return how many threads to use: for NumPy as many as the run began with.

    A matrix library divides its sums among them, so another number would round otherwise. Compiled
    kernels give the same bits with any number.
    """
    began = config.environment.get("threads", "")
    if config.threads is None and config.engine == "reference" and began.isdecimal():
        return int(began)
    return config.threads
