"""``pellucid predict``: what a trained model sees in image files."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from pellucid.cli import common, trained
from pellucid.cli import images as files
from pellucid.errors import DataError

if TYPE_CHECKING:
    from pellucid.layers import Layer
    from pellucid.types import Array, Shape

_AT_ONCE = 256
"""How many images are read and computed together."""


def predict(
    run: common.Run,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE…|FOLDER…", help="Image files, and folders of them."),
    ],
    drawn_digit: files.DrawnDigit = False,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="How many classes to show.")] = 3,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the probabilities of all classes as JSON.")
    ] = False,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help="Print image, class and probability as CSV, for a submission."),
    ] = False,
    pixels: trained.Pixels = None,
    input_shape: trained.Input = None,
    layout: trained.Layout = None,
    output: trained.Output = None,
    engine: common.Engine = None,
    threads: common.Threads = None,
) -> None:
    """Show the most probable classes of images."""
    model, shape = trained.load(run, pixels, input_shape, layout, output)
    paths = list(_files(images))
    with common.computing(engine, threads):
        probabilities = _probabilities(model, paths, shape, drawn_digit)
    classes = model.classes or tuple(map(str, range(probabilities.shape[1])))
    rows = list(zip(paths, probabilities, strict=True))
    if as_json:
        print(json.dumps([_described(path, row, classes) for path, row in rows], indent=1))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(["image", "class", "probability"])
        for path, row in rows:
            writer.writerow([path, classes[int(row.argmax())], f"{row.max():.6f}"])
    else:
        common.print_table(
            ["image", *_heads(min(top, len(classes)))],
            ((str(path), *_most_probable(row, classes, top)) for path, row in rows),
        )


def _files(given: Sequence[Path]) -> Iterator[Path]:
    """Yield the image files, those of a folder and its subfolders in the order of their names."""
    from pellucid.data.images import is_image

    for path in given:
        if not path.is_dir():
            yield path
            continue
        found = sorted(file for file in path.rglob("*") if file.is_file() and is_image(file.name))
        if not found:
            raise DataError(f"{path} holds no image files")
        yield from found


def _probabilities(
    model: "Layer", paths: Sequence[Path], shape: "Shape", drawn_digit: bool
) -> "Array":
    from pellucid.evaluation import predict as probabilities_of

    parts = []
    for start in range(0, len(paths), _AT_ONCE):
        several = paths[start : start + _AT_ONCE]
        stored = np.stack([files.read(path, shape, drawn_digit) for path in several])
        parts.append(probabilities_of(model, stored))
    return np.concatenate(parts)


def _described(path: Path, row: "Array", classes: tuple[str, ...]) -> dict[str, object]:
    named = {name: float(p) for name, p in zip(classes, row, strict=True)}
    return {"image": str(path), "class": classes[int(row.argmax())], "probabilities": named}


def _heads(count: int) -> list[str]:
    """Return the heads of the columns: the most probable class, then the next ones."""
    names = ["class", *(f"choice {i}" for i in range(2, count + 1))]
    return [head for name in names for head in (name, ">probability")]


def _most_probable(row: "Array", classes: tuple[str, ...], top: int) -> list[str]:
    order = np.argsort(-row, kind="stable")[:top]
    return [text for i in order for text in (classes[i], f"{row[i]:.1%}")]
