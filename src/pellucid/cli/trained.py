"""Load trained models for commands that apply them to images: runs, model files, ONNX files.

An ONNX file from another program does not say how pixels become its inputs, may have several
outputs, and may take images with the channels last. All commands load such files here, so that they
treat them in the same way.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import common
from pellucid.errors import FileError, PellucidError, unknown

if TYPE_CHECKING:
    from pellucid.layers import Graph, Layer
    from pellucid.types import Shape

_PANEL = "How an .onnx file is read"

Pixels = Annotated[
    str | None,
    typer.Option(
        "--pixels",
        metavar="HOW",
        help="How pixels are scaled, if the file does not say: 0-255, 0-1, -1-1, or imagenet (0-1, "
        "minus ImageNet's means, divided by its standard deviations).",
        show_default="0-1",
        rich_help_panel=_PANEL,
    ),
]
Input = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="CxHxW",
        help="The channels, height and width of the images, if the file leaves them open.",
        show_default="from the file",
        rich_help_panel=_PANEL,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The output with the class scores, if there are several.",
        show_default="detected",
        rich_help_panel=_PANEL,
    ),
]
Layout = Annotated[
    str | None,
    typer.Option(
        metavar="NCHW|NHWC",
        help="Whether the network's input has the channels first or last.",
        show_default="detected",
        rich_help_panel=_PANEL,
    ),
]

Views = Annotated[
    bool,
    typer.Option(
        "--tta",
        help="Test-time augmentation: the mean over views of each image: shifts by one pixel "
        "where images are large or --augment shifted them, turned images after --augment rotate or "
        "affine, half as far as in training, and mirror images after --augment flip.",
    ),
]


def views(run: Path, shape: "Shape") -> dict[str, Any]:
    """Return the views of --tta, changes that the network can be expected to ignore.

    They are arguments of `predict` and `evaluate`.
    """
    from pellucid.cli.config import Config
    from pellucid.cli.folders import CONFIG
    from pellucid.cli.new_run import augmentation
    from pellucid.data.augment.affine import Affine, turned
    from pellucid.evaluation.views import SHIFTS

    text = Config.load(run).augment if (run / CONFIG).is_file() else None
    names = {part.strip().partition(":")[0] for part in (text or "").split(",")}
    shifts = SHIFTS if names & _SHIFTING or min(shape[1:]) >= _LARGE else ()
    parts = getattr(augmentation(text), "parts", (augmentation(text),))
    angles = [part.degrees / 2 for part in parts if isinstance(part, Affine) and part.degrees]
    turns = [turned(sign * angle) for angle in angles for sign in (-1, 1)]
    flip = bool(names & {"flip", "flip-alternating"})
    if not (shifts or turns or flip):
        common.note(
            f"--tta changes nothing here: in images of {shape[1]}×{shape[2]}, a shift by one pixel "
            "changes much, and the network was trained with images neither shifted, turned nor "
            "mirrored (--augment crop, rotate, flip)"
        )
    return {"views": [*shifts, *turns], "flip": flip}


def reading_of(run: Path) -> dict[str, Any]:
    """Return how the columns of the run's tables were to be read, for tables that follow."""
    from pellucid.cli.config import Config
    from pellucid.cli.folders import CONFIG

    given = Config.load(run).reading if (run / CONFIG).is_file() else {}
    options = ("label", "header", "separator", "ignore", "channels_last")
    return {name: given[name] for name in options if name in given}


_SHIFTING = {"crop", "crop-reflect", "affine", "translate"}
"""Augmentations that shift images."""
_LARGE = 24
"""Smallest side from which a shift by one pixel, about 4 %, is small."""


_PIXELS = {
    "0-255": ((0.0,) * 3, (1.0,) * 3),
    "0-1": ((0.0,) * 3, (255.0,) * 3),
    "-1-1": ((127.5,) * 3, (127.5,) * 3),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
"""(mean, scale) of red, green and blue with which `Preprocessing` scales pixels as named."""


def load(
    run: Path, pixels: str | None, images: str | None, layout: str | None, output: str | None
) -> "tuple[Layer, Shape]":
    """Load a trained classifier, with its preprocessing set, and return the shape of its images."""
    if run.suffix != ".onnx" or not run.exists():
        given = {"pixels": pixels, "input": images, "layout": layout, "output": output}
        for option in (name for name, value in given.items() if value is not None):
            raise PellucidError(f"--{option} is for .onnx files; a run knows it already")
        model = common.load_model(run)
        return model, common.input_shape_of(model, run)
    options: dict[str, Any] = {"layout": layout}
    if images is not None:
        options["input_shape"] = common.sizes(images, "--input", 3)
    graph = _classifier(run, options, output)
    shape = common.input_shape_of(graph, run)
    _take_pixels(graph, run, pixels, shape[0])
    return graph, shape


def _classifier(path: Path, options: dict[str, Any], output: str | None) -> "Graph":
    """Load the network from a file, up to the output that holds the class scores."""
    from pellucid.interchange import onnx

    def read(output: str | None) -> "Graph":
        return common.noting(onnx.LayoutWarning, lambda: onnx.load(path, output=output, **options))

    graph = read(output)
    if graph.single_output:
        return graph
    shapes = graph.output_shape((1, *common.input_shape_of(graph, path)))
    outputs = dict(zip(onnx.output_names(path), shapes, strict=True))
    listed = ", ".join(f"'{name}' ({_size(shape)})" for name, shape in outputs.items())
    count = None if graph.classes is None else len(graph.classes)
    scores = [name for name, shape in outputs.items() if _is_scores(shape, count)]
    if len(scores) != 1:
        raise FileError(
            f"{path} has several outputs: {listed}; name the one with the class scores, as in "
            f"--output {scores[0] if scores else next(iter(outputs))}"
        )
    common.note(f"{path} has several outputs: {listed}; '{scores[0]}' holds the class scores")
    return read(scores[0])


def _is_scores(shape: "Shape", count: int | None) -> bool:
    """Return whether an output of this shape can hold one score per class."""
    several = len(shape) in (2, 4) and set(shape[2:]) <= {1} and shape[1] > 1
    return several and count in (None, shape[1])


def _size(shape: "Shape") -> str:
    return "×".join(map(str, shape[1:])) or "one number for each image"


def _take_pixels(model: "Layer", path: Path, pixels: str | None, channels: int) -> None:
    """Set the preprocessing of another program's model, unless its file defines it."""
    from pellucid.preprocessing import Preprocessing

    if pixels is not None and pixels not in _PIXELS:
        raise PellucidError(unknown("way to take pixels", pixels, _PIXELS))
    if pixels is None:
        if model.preprocessing is not None:
            return
        common.note(
            f"{path} does not say how pixels become its inputs; as 0-1 here, --pixels changes it"
        )
    means, scales = _PIXELS[pixels or "0-1"]
    if pixels == "imagenet" and channels != len(means):
        raise PellucidError(
            f"--pixels imagenet is for colour images; this network takes {channels}"
            f" channel{'s' * (channels > 1)}"
        )
    mean, scale = (values if channels == 3 else values[:1] * channels for values in (means, scales))
    model.preprocessing = Preprocessing(mean, scale)
