"""Read image files as inputs of a trained model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.errors import PellucidError

if TYPE_CHECKING:
    from pellucid.layers import Layer
    from pellucid.types import Array, Shape

DrawnDigit = Annotated[
    bool,
    typer.Option(
        "--drawn-digit",
        help="The images are photos of drawn digits: make them white on black and centre them, "
        "as MNIST's are.",
    ),
]


def read(path: Path, model: "Layer", shape: "Shape", drawn_digit: bool) -> "Array":
    """Read an image file as `model` takes it, an array of `shape` on its images' scale."""
    picture = _pixels(path, shape, drawn_digit)
    return picture if model.preprocessing is None else model.preprocessing.from_picture(picture)


def _pixels(path: Path, shape: "Shape", drawn_digit: bool) -> "Array":
    """Return the pixels of an image file, from 0 to 255."""
    from pellucid.data import drawn_digit as as_in_mnist
    from pellucid.data import images, read_image

    if not drawn_digit:
        return read_image(path, shape)
    with images.opened(path) as image:
        digit = as_in_mnist(images.pixels(image, 1, images.shape_of(image)[1]))
    if digit.shape != shape:
        raise PellucidError(
            "--drawn-digit makes images of 1×28×28, and this model was trained on "
            f"{'×'.join(map(str, shape))}; use one that was trained on mnist"
        )
    return digit
