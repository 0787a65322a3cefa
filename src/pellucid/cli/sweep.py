"""``pellucid sweep``: train with several combinations of choices, and compare."""

import itertools
import json
import random
from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid.cli import common, folders, reading, runs
from pellucid.cli.config import Config
from pellucid.errors import FileError, PellucidError
from pellucid.files import atomic_write

PLAN = "sweep.json"
_LIST = "One value or several, separated by commas."
_CHOICES = {"model": str, "optimizer": str, "lr": float, "batch_size": int, "weight_decay": float}
_CHOICES |= {"label_smoothing": float, "schedule": str, "epochs": int, "seed": int}


def sweep(
    data: reading.Data,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the runs go.")] = Path(
        "runs/sweep"
    ),
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="One or several, separated by commas, or by semicolons if a name contains commas, "
            "as in 'inception:width=1,dropout=0;vgg'.",
        ),
    ] = None,
    optimizer: Annotated[str | None, typer.Option(metavar="NAME,…", help=_LIST)] = None,
    lr: Annotated[str | None, typer.Option("--lr", metavar="X,…", help=_LIST)] = None,
    batch_size: Annotated[str | None, typer.Option(metavar="N,…", help=_LIST)] = None,
    weight_decay: Annotated[str | None, typer.Option(metavar="X,…", help=_LIST)] = None,
    label_smoothing: Annotated[str | None, typer.Option(metavar="X,…", help=_LIST)] = None,
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME;…", help="One or several, separated by semicolons.")
    ] = None,
    epochs: Annotated[str | None, typer.Option(metavar="N,…", help=_LIST)] = None,
    seed: Annotated[str | None, typer.Option(metavar="N,…", help=_LIST)] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Only N combinations, drawn at random.", show_default="all"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> None:
    """Train once for each combination of choices, and show the runs, the best first.

    To continue an interrupted sweep, run the same command again: finished runs are kept.
    """
    given = {name: text for name, text in locals().items() if name in _CHOICES and text is not None}
    choices = {name: _values(name, text) for name, text in given.items()}
    plan = {"data": data, "choices": choices, "sample": sample}
    _keep(out, plan)
    combinations = planned(choices, sample)
    for number, combination in enumerate(combinations, 1):
        folder = out / name_of(combination, number)
        if (folder / folders.MODEL).exists():
            continue
        common.note(f"\n{number} of {len(combinations)}: {_said(combination)}")
        _run(data, folder, combination)
    found = sorted(runs.all_in(out), key=lambda run: -(run.best if run.best is not None else -1.0))
    if as_json:
        print(json.dumps([run.described() for run in found], indent=1))
        return
    print()
    common.print_table(*runs.table(found))


def planned(choices: dict[str, list[Any]], sample: int | None) -> list[dict[str, Any]]:
    """Return all combinations in order, or a fixed random sample of them.

    >>> planned({"lr": [0.1, 0.2], "seed": [0, 1]}, None)[1]
    {'lr': 0.1, 'seed': 1}
    """
    every = [
        dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
    ]
    if sample is None or sample >= len(every):
        return every
    return random.Random(0).sample(every, sample)


def name_of(combination: dict[str, Any], number: int) -> str:
    """Return the name of a run's folder.

    >>> name_of({"lr": 0.01, "model": "nets/my-net.toml"}, 3)
    '03-lr=0.01-model=my-net'
    """
    plain = {k: folders.short_name(v) if k == "model" else v for k, v in combination.items()}
    text = "-".join(f"{name}={value}" for name, value in plain.items())
    safe = "".join(letter if letter.isalnum() or letter in "=-._" else "_" for letter in text)
    return f"{number:02}-{safe}"[:120].rstrip("-")


def _values(name: str, text: str) -> list[Any]:
    parts = [part.strip() for part in text.split(";" if name == "schedule" or ";" in text else ",")]
    try:
        return [_CHOICES[name](part) for part in parts if part]
    except ValueError:
        raise PellucidError(
            f"--{name.replace('_', '-')} takes numbers separated by commas, not {text!r}"
        ) from None


def _keep(out: Path, plan: dict[str, Any]) -> None:
    """Save the plan of the sweep; raise an error if the folder holds another sweep."""
    path = out / PLAN
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise FileError(f"{path} is damaged: {error}") from error
        if before != json.loads(json.dumps(plan)):
            raise FileError(f"{out} contains another sweep; choose another --out")
        return
    atomic_write(path, json.dumps(plan, indent=1).encode())


def _said(combination: dict[str, Any]) -> str:
    text = ", ".join(f"{name} {value}" for name, value in combination.items())
    return text or "default settings"


def _run(data: str, folder: Path, combination: dict[str, Any]) -> None:
    from pellucid.cli.resume import resume
    from pellucid.cli.train import train

    if (folder / folders.CONFIG).exists():
        Config.load(folder)
        resume(folder, curves=False, report=False)
    else:
        train(data, out=folder, curves=False, report=False, **combination)
