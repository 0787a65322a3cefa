"""``pellucid report``: make the report of a finished run."""

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import common
from pellucid.cli.config import Config, Parts


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    engine: common.Engine = None,
    threads: common.Threads = None,
) -> None:
    """Make the report of a run anew: report.html, and its pictures in figures/."""
    from pellucid.cli import reporting
    from pellucid.evaluation import evaluate

    config = Config.load(run)
    model = common.load_model(run)
    parts = Parts.load(config)
    chosen = engine or config.engine, threads or config.threads, config.precise, config.tune
    with common.computing(*chosen):
        evaluation = None if parts.judge is None else evaluate(model, parts.judge[0])
        path = reporting.write(run, config, parts, model, evaluation)
    print(f"{path} shows how the run went; open it in a browser.")
