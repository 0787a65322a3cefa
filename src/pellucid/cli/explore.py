"""``pellucid explore``: an interactive page in the browser that shows a network in detail."""

import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import common, concluding, folders, trained
from pellucid.cli.config import Config, Parts

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.explorer.live import Choices
    from pellucid.layers import Layer
    from pellucid.optim import Optimizer
    from pellucid.training import TrainingState


def explore(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="A run's folder, a .safetensors file, or an .onnx file. Several stand beside each "
            "other on the page, on the first one's images.",
            show_default=False,
        ),
    ],
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Write one file that works without a server instead, with some images inside.",
        ),
    ] = None,
    images: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many images go into the file.")
    ] = 10,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="The address to listen on; other than 127.0.0.1, other computers can connect.",
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="The port; 0 picks a free one.")] = 0,
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
    from pellucid.explorer.runs import Runs
    from pellucid.explorer.session import Session

    parts = _parts(runs[0])
    data = _data(parts)
    sessions = []
    for run in runs:
        model, shape = trained.load(run, pixels, input_shape, layout, output)
        title = run.resolve().name if run.is_dir() else run.name
        keep = _keeping(runs[0], parts)
        sessions.append(Session(model, data, title, shape, keep, _optimizer(run)))
    if save is not None:
        path = saved.save(sessions[0], save, images)
        print(
            f"{path}, {path.stat().st_size / 1e6:.1f} MB: open it in a browser, it needs no server."
        )
        return
    if host != "127.0.0.1":
        common.note(f"anyone who can reach {host} and knows the link can see this network")

    def ready(link: str) -> None:
        print(f"{link}\nCtrl-C ends it.", flush=True)
        if open_:
            webbrowser.open(link)

    server.serve(Runs(sessions), host, port, ready)


def _parts(run: Path) -> Parts | None:
    """Return the run's own images, or None for a model without a run."""
    has_some = run.is_dir() and (run / folders.CONFIG).exists()
    return Parts.load(Config.load(run)) if has_some else None


def _data(parts: Parts | None) -> "dict[str, DataSet]":
    if parts is None:
        return {}
    named = {"test": parts.test, "validation": parts.validation, "training": parts.train}
    return {name: data for name, data in named.items() if data is not None}


def _optimizer(run: Path) -> "Callable[[Layer], Optimizer] | None":
    """Return a function that restores the run's final optimiser, or None without a run."""
    from pellucid import training
    from pellucid.training.checkpoint_file import checkpoint_path

    if not checkpoint_path(run).exists():
        return None
    return lambda model: training.saved_optimizer(run, model)


def _keeping(run: Path, parts: Parts | None) -> "Callable[[TrainingState, Choices], str] | None":
    """Return a function that saves a run trained on the page, as `pellucid train` does."""
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
                pass  # the existing history is written before the first record
            concluding.conclude(folder, config, parts, state, report=True)
        return str(folder)

    return keep
