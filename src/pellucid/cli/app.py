"""The list of commands."""

from typing import Annotated

import typer

import pellucid
from pellucid.cli.algorithms import algorithms
from pellucid.cli.command import Command, Commands
from pellucid.cli.compare import compare
from pellucid.cli.completion import improve_zsh
from pellucid.cli.data import data
from pellucid.cli.draw import draw
from pellucid.cli.evaluate import evaluate
from pellucid.cli.explain import explain
from pellucid.cli.explore import explore
from pellucid.cli.export import export
from pellucid.cli.learn import learn_app
from pellucid.cli.predict import predict
from pellucid.cli.report import report
from pellucid.cli.resume import resume
from pellucid.cli.runs import runs
from pellucid.cli.summary import summary
from pellucid.cli.sweep import sweep
from pellucid.cli.train import train
from pellucid.cli.warm_up import warm_up

improve_zsh()
app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    train,
    resume,
    evaluate,
    predict,
    explain,
    explore,
    report,
    runs,
    sweep,
    summary,
    data,
    algorithms,
    draw,
    compare,
    export,
    warm_up,
):
    app.command(cls=Command)(command)
app.add_typer(learn_app, name="learn")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pellucid {pellucid.__version__}")
        raise typer.Exit


@app.callback()
def pellucid_command(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Convolutional neural networks, transparent from the formula to the fast kernel.

    Try: [bold]pellucid train digits[/bold]
    """
