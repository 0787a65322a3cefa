"""``pellucid explore``: a page in the browser on which one walks through a network."""

import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import common, folders, running, trained
from pellucid.cli.config import Config, Parts

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.explorer.live import Choices
    from pellucid.training import TrainingState


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
    parts = _parts(run)
    session = Session(model, _data(parts), run.name or str(run), shape, _keeping(run, parts))
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


def _parts(run: Path) -> Parts | None:
    """Return the run's own images; a model without a run has none."""
    has_some = run.is_dir() and (run / folders.CONFIG).exists()
    return Parts.load(Config.load(run)) if has_some else None


def _data(parts: Parts | None) -> "dict[str, DataSet]":
    if parts is None:
        return {}
    named = {"test": parts.test, "validation": parts.validation, "training": parts.train}
    return {name: data for name, data in named.items() if data is not None}


def _keeping(run: Path, parts: Parts | None) -> "Callable[[TrainingState, Choices], str] | None":
    """Return what saves a run that was trained on the page as `pellucid train` saves its own."""
    if parts is None:
        return None
    before = Config.load(run)

    def keep(state: "TrainingState", choices: "Choices") -> str:
        from pellucid import training

        config = replace(
            before,
            model=choices.model or "network.toml",
            epochs=choices.epochs,
            batch_size=choices.batch_size,
            optimizer=choices.optimizer,
            lr=choices.lr,
            schedule="constant",
            weight_decay=0.0,
            momentum=None,
            label_smoothing=0.0,
            clip_norm=None,
            ema=None,
            patience=None,
            augment=choices.augment or None,
            seed=choices.seed,
        )
        with folders.new(config.model, config.data, None, False, config.save) as folder:
            if choices.network:
                (folder / "network.toml").write_text(choices.network, encoding="utf-8")
                replace(config, model=str(folder / "network.toml")).save(folder)
            training.save_checkpoint(state, folder)
            for _ in training.log_csv((), state, folder / folders.HISTORY):
                pass  # it writes what there is before the first record
            running.conclude(folder, config, parts, state, report=True)
        return str(folder)

    return keep
