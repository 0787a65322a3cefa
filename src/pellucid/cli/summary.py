"""``pellucid summary``: show the layers and the cost of a network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import common, completion, reading
from pellucid.cli.recipes import usual_images

if TYPE_CHECKING:
    from pellucid.layers import Layer
    from pellucid.types import Shape


def summary(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A known network, with options as in resnet20:width=0.5; a .toml or .onnx file; "
            "or a run. Without it, all known networks are listed.",
            autocompletion=completion.models,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Build the network for this data set.",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="CxHxW",
            help="The size of the images.",
            show_default="as usual for MODEL",
        ),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="The number of classes.", show_default="as usual for MODEL"
        ),
    ] = None,
    batch_size: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="The batch size for which memory and algorithms are shown."
        ),
    ] = 64,
    toml: Annotated[
        bool,
        typer.Option(
            "--toml", help="Print the network as a TOML file that you can change and train."
        ),
    ] = False,
    fused: Annotated[
        bool,
        typer.Option("--fused", help="Show which layers the compiled engine computes together."),
    ] = False,
    as_json: common.AsJson = False,
    as_csv: common.AsCsv = False,
    engine: common.Engine = None,
    threads: common.Threads = None,
    precise: common.Precise = False,
    tune: common.Tune = False,
) -> None:
    """Show the layers of a network, with output shapes, parameters, cost and memory."""
    from pellucid import execution, models
    from pellucid.models.summary import HEADS, WORDS, cells

    if model is None:
        if as_json:
            common.print_json(list(models.names()))
        else:
            print("\n".join(models.names()))
        return
    network, shape = _network(model, data, images, classes)
    if toml:
        print(models.toml.dumps(network, short=True), end="")
        return
    if fused:
        print(execution.fuse(network))
        return
    with common.computing(engine, threads, precise, tune):
        found = models.summary(network, shape, batch_size)
    if as_json:
        common.print_json(found.describe())
        return
    if as_csv:
        rows = [row.describe() for row in found.rows]
        common.print_csv(list(rows[0]), ([_flat(v) for v in row.values()] for row in rows))
        return
    columns = [head if i < WORDS else f">{head}" for i, head in enumerate(HEADS)]
    common.print_table(columns, map(cells, found.rows))
    print("", *found.totals(), sep="\n")


def _flat(value: Any) -> Any:
    return "x".join(map(str, value)) if isinstance(value, tuple) else value


def _network(
    model: str, data: str | None, images: str | None, classes: int | None
) -> "tuple[Layer, Shape]":
    from pellucid import models

    if model not in models.names() and not model.endswith(".toml") and Path(model).exists():
        network = common.load_model(Path(model))
        return network, common.input_shape_of(network, Path(model))
    shape, usual_classes = usual_images(model) if data is None else _of_data(data)
    if images is not None:
        shape = common.sizes(images, "--input", 3)
    return models.build(model, shape, classes or usual_classes), shape


def _of_data(source: str) -> "tuple[Shape, int]":
    images = reading.load_data(source, reading.with_modest_size(source, {})).train
    return images.image_shape, len(images.classes)
