"""``pellucid predict``: what a trained model sees in image files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from pellucid.cli import common, trained
from pellucid.cli import images as files

if TYPE_CHECKING:
    from pellucid.types import Array


def predict(
    run: common.Run,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="Image files.")],
    drawn_digit: files.DrawnDigit = False,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="How many classes to show.")] = 3,
    pixels: trained.Pixels = None,
    input_shape: trained.Input = None,
    layout: trained.Layout = None,
    output: trained.Output = None,
    engine: common.Engine = None,
    threads: common.Threads = None,
) -> None:
    """Show the most probable classes of images."""
    from pellucid.evaluation import predict as probabilities_of

    model, shape = trained.load(run, pixels, input_shape, layout, output)
    stored = np.stack([files.read(path, shape, drawn_digit) for path in images])
    with common.computing(engine, threads):
        probabilities = probabilities_of(model, stored)
    classes = model.classes or tuple(map(str, range(probabilities.shape[1])))
    common.print_table(
        ["image", *("class", ">"), *("or", ">") * (min(top, len(classes)) - 1)],
        (
            (str(path), *_most_probable(row, classes, top))
            for path, row in zip(images, probabilities, strict=True)
        ),
    )


def _most_probable(probabilities: "Array", classes: tuple[str, ...], top: int) -> list[str]:
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [text for i in order for text in (classes[i], f"{probabilities[i]:.1%}")]
