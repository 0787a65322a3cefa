"""``pellucid explore``: a page in the browser on which one walks through a network."""

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import common, folders, trained
from pellucid.cli.config import Config, Parts

if TYPE_CHECKING:
    from pellucid.data import DataSet


def explore(
    run: common.Run,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Write one file that works without a server instead, with some images inside.",
        ),
    ] = None,
    images: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many images go into the file.")
    ] = 6,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="Listen here. Others than 127.0.0.1 are seen by your network."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="0 takes a free one.")] = 0,
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    pixels: trained.Pixels = None,
    input_shape: trained.Input = None,
    layout: trained.Layout = None,
    output: trained.Output = None,
) -> None:
    """Walk through a trained network in the browser, number by number and gradient by gradient."""
    from pellucid.explorer import saved, server
    from pellucid.explorer.session import Session

    model, shape = trained.load(run, pixels, input_shape, layout, output)
    session = Session(model, _data(run), run.name or str(run), shape)
    if save is not None:
        path = saved.save(session, save, images)
        print(
            f"{path}, {path.stat().st_size / 1e6:.1f} MB: open it in a browser, it needs no server."
        )
        return
    if host != "127.0.0.1":
        common.note(f"everybody who reaches {host} and knows the link can see this network")

    def ready(link: str) -> None:
        print(f"{link}\nCtrl-C ends it.", flush=True)
        if open_:
            webbrowser.open(link)

    server.serve(session, host, port, ready)


def _data(run: Path) -> "dict[str, DataSet]":
    """Return the run's own images; a model without a run has none."""
    if not (run.is_dir() and (run / folders.CONFIG).exists()):
        return {}
    parts = Parts.load(Config.load(run))
    named = {"test": parts.test, "validation": parts.validation, "training": parts.train}
    return {name: data for name, data in named.items() if data is not None}
