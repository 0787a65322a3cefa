"""``pellucid evaluate``: how good a trained model is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import common, trained
from pellucid.cli.config import Config, Parts
from pellucid.errors import FileError

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.types import Shape


def evaluate(
    run: common.Run,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help="Other data than the run's own; its test part, or all."
        ),
    ] = None,
    confusion: Annotated[
        bool, typer.Option("--confusion", help="Show which classes are taken for which.")
    ] = False,
    mistakes: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Show so many of the mistakes made most confidently."
        ),
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all figures as JSON, and nothing else.")
    ] = False,
    pixels: trained.Pixels = None,
    input_shape: trained.Input = None,
    layout: trained.Layout = None,
    output: trained.Output = None,
    engine: common.Engine = None,
    threads: common.Threads = None,
    class_folders: common.Folders = None,
    label: common.Label = None,
    header: common.Header = None,
    separator: common.Separator = None,
    ignore: common.Ignore = None,
    channels_last: common.ChannelsLast = None,
    labels: common.Labels = None,
    variant: common.Variant = None,
    image_column: common.ImageColumn = None,
    skip_bad: common.SkipBad = False,
    memory: common.Memory = None,
    cache: common.Cache = False,
) -> None:
    """Show how good a trained model is: accuracy, and precision, recall and F1 of each class."""
    from pellucid.evaluation import evaluate as evaluation_of

    model, shape = trained.load(run, pixels, input_shape, layout, output)
    if name is None:
        part, what = _own(run)
    else:
        options = common.reading(
            name,
            folders=class_folders,
            label=label,
            header=header,
            separator=separator,
            ignore=ignore,
            channels_last=channels_last,
            labels=labels,
            variant=variant,
            image=image_column,
            skip_bad=skip_bad,
            memory=memory,
            cache=cache,
        )
        part, what = _other(name, options, shape)
    if model.classes is not None:
        part = part.with_classes(model.classes)
    with common.computing(engine, threads):
        result = evaluation_of(model, part)
    if as_json:
        print(json.dumps({"part": what} | result.describe(), indent=1))
        return
    print(f"{what} {result}")
    if confusion:
        print(f"\n{result.confusion_table().to_string()}")
    if mistakes:
        print(f"\n{result.mistakes_table(mistakes).to_string(index=False)}")


def _own(run: Path) -> "tuple[DataSet, str]":
    if not run.is_dir():
        raise FileError(
            f"{run} is a model and no run, so it has no data of its own; say which DATA"
        )
    judge = Parts.load(Config.load(run)).judge
    if judge is None:
        raise FileError(f"{run} has neither a test nor a validation part; say which DATA")
    return judge


def _other(name: str, options: dict[str, Any], input_shape: "Shape") -> "tuple[DataSet, str]":
    """Load other data, with images as the model wants them."""
    from pellucid.data.registry import takes

    channels, *size = input_shape
    if takes(name, "shape"):
        options["shape"] = input_shape
    elif takes(name, "size"):
        options |= {"size": tuple(size), "channels": channels}
    splits = common.load_data(name, options)
    part = splits.train if splits.test is None else splits.test
    return part, part.name
