"""``pellucid predict``: classify image files with a trained model."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from pellucid.cli import common, reading, trained, unlike
from pellucid.cli import images as files
from pellucid.errors import DataError, PellucidError

if TYPE_CHECKING:
    from pellucid.layers import Layer
    from pellucid.types import Array, Shape

_AT_ONCE = 256
"""Number of images that are read and computed together."""
_NOT_OF_TABLES = ("size", "channels", "folders", "labels", "variant", "image", "memory", "cache")


@reading.takes_reading(*_NOT_OF_TABLES, "skip_bad")
def predict(
    run: common.Run,
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE…|FOLDER…|FILE.csv",
            help="Image files, folders of them, or a table of pixels without classes.",
        ),
    ],
    drawn_digit: files.DrawnDigit = False,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="How many classes to show.")] = 3,
    tta: trained.Views = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the probabilities of all classes as JSON.")
    ] = False,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help="Print image, class and probability as CSV, for a submission."),
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="ID,CLASS",
            help="With --csv: the names of the columns, such as ImageId,Label. With two names the "
            "probability is left out.",
            show_default="image,class,probability",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check/--no-check",
            help="Warn of images that are unlike those the network was trained on.",
        ),
    ] = True,
    pixels: trained.Pixels = None,
    input_shape: trained.Input = None,
    layout: trained.Layout = None,
    output: trained.Output = None,
    engine: common.Engine = None,
    threads: common.Threads = None,
    given: dict[str, Any] | None = None,
) -> None:
    """Show the most probable classes of images.

    With --csv it writes what a competition asks for:
    [bold]pellucid predict RUN test.csv --csv --columns ImageId,Label[/bold]
    """
    heads = _csv_heads(columns, as_csv)
    model, shape = trained.load(run, pixels, input_shape, layout, output)
    views = trained.views(run, shape) if tta else {}
    doubt = unlike.Doubt.of(run, model, drawn_digit) if check else None
    names: list[str] = []
    parts: list[Array] = []
    with common.computing(engine, threads):
        for several, stored in _batches(images, model, shape, drawn_digit, run, given or {}):
            if not parts:
                _compile(model, stored, doubt is not None)
            parts.append(probabilities_of(model, stored, views))
            names += several
            if doubt is not None:
                doubt.look(several, stored)
    if doubt is not None:
        doubt.tell()
    probabilities = np.concatenate(parts)
    classes = model.classes or tuple(map(str, range(probabilities.shape[1])))
    rows = list(zip(names, probabilities, strict=True))
    if as_json:
        common.print_json([_described(name, row, classes) for name, row in rows])
    elif as_csv:
        common.print_csv(heads, (_csv_row(name, row, classes)[: len(heads)] for name, row in rows))
    else:
        common.print_table(
            ["image", *_heads(min(top, len(classes)))],
            ((name, *_most_probable(row, classes, top)) for name, row in rows),
        )


def _compile(model: "Layer", stored: "Array", check: bool) -> None:
    """Compile what predicting, and checking, the first images needs: several kernels at a time."""
    from pellucid.evaluation import predictions, typical
    from pellucid.execution import compile_ahead

    checking = typical.rehearsal(model, stored) if check else ()
    compile_ahead([*predictions.rehearsal(model, stored), *checking])


def _csv_heads(columns: str | None, as_csv: bool) -> list[str]:
    if columns is None:
        return ["image", "class", "probability"]
    heads = [head.strip() for head in columns.split(",")]
    if not as_csv:
        raise PellucidError("--columns names the columns of --csv; give both")
    if len(heads) not in (2, 3) or not all(heads):
        raise PellucidError(f"--columns takes two or three names joined by commas, not '{columns}'")
    return heads


def _csv_row(name: str, row: "Array", classes: tuple[str, ...]) -> list[str]:
    return [name, classes[int(row.argmax())], f"{row.max():.6f}"]


def probabilities_of(model: "Layer", stored: "Array", views: dict[str, Any]) -> "Array":
    """Return the probabilities of all classes for stored (not preprocessed) images."""
    from pellucid.evaluation import predict as predicted

    return predicted(model, stored, **views)


def _batches(
    files_and_tables: Sequence[Path],
    model: "Layer",
    shape: "Shape",
    drawn_digit: bool,
    run: Path,
    given: dict[str, Any],
) -> "Iterator[tuple[list[str], Array]]":
    """Yield names and images: a table as a whole, image files in batches."""
    from pellucid.data.recognise import TABLES
    from pellucid.data.unlabelled import read_unlabelled

    tables = [path for path in files_and_tables if path.name.lower().endswith(TABLES)]
    for option in (name for name, value in given.items() if value not in (None, [])):
        if not tables:
            raise PellucidError(f"--{option.replace('_', '-')} is for tables; there is none here")
    for path in tables:
        if drawn_digit:
            raise PellucidError("--drawn-digit is for image files; a table holds prepared images")
        how = trained.reading_of(run) | reading.options(str(path), given)
        read = partial(read_unlabelled, path, shape, **how)
        images, names = common.noting(UserWarning, read)
        yield names, images
    paths = list(_files([path for path in files_and_tables if path not in tables]))
    for start in range(0, len(paths), _AT_ONCE):
        several = paths[start : start + _AT_ONCE]
        stored = np.stack([files.read(path, model, shape, drawn_digit) for path in several])
        yield list(map(str, several)), stored


def _files(given: Sequence[Path]) -> Iterator[Path]:
    """Yield image files; those of a folder and its subfolders are sorted by path."""
    from pellucid.data.images import is_image

    for path in given:
        if not path.is_dir():
            yield path
            continue
        found = sorted(file for file in path.rglob("*") if file.is_file() and is_image(file.name))
        if not found:
            raise DataError(f"{path} holds no image files")
        yield from found


def _described(name: str, row: "Array", classes: tuple[str, ...]) -> dict[str, object]:
    named = {label: float(p) for label, p in zip(classes, row, strict=True)}
    return {"image": name, "class": classes[int(row.argmax())], "probabilities": named}


def _heads(count: int) -> list[str]:
    """Return the column headings: the most probable class, then the next ones."""
    names = ["prediction", *(_ORDINALS.get(i, f"{i}th guess") for i in range(2, count + 1))]
    return [head for name in names for head in (name, ">probability")]


_ORDINALS = {2: "2nd guess", 3: "3rd guess"}


def _most_probable(row: "Array", classes: tuple[str, ...], top: int) -> list[str]:
    order = np.argsort(-row, kind="stable")[:top]
    return [text for i in order for text in (classes[i], f"{row[i]:.1%}")]
