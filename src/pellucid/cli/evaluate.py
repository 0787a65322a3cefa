"""``pellucid evaluate``: evaluate a trained model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import common, completion, reading, trained
from pellucid.cli.config import Config, Parts
from pellucid.errors import FileError

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.types import Shape


@reading.takes_reading("size", "channels")
def evaluate(
    run: common.Run,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Data to evaluate on instead of the run's own: its test part, or all of it.",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    confusion: Annotated[
        bool, typer.Option("--confusion", help="Show the confusion matrix.")
    ] = False,
    mistakes: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Show the N most confident mistakes."),
    ] = 0,
    tta: trained.Views = False,
    as_json: common.AsJson = False,
    as_csv: common.AsCsv = False,
    pixels: trained.Pixels = None,
    input_shape: trained.Input = None,
    layout: trained.Layout = None,
    output: trained.Output = None,
    engine: common.Engine = None,
    threads: common.Threads = None,
    given: dict[str, Any] | None = None,
) -> None:
    """Evaluate a trained model: accuracy, and precision, recall and F1 of each class."""
    from pellucid.evaluation import evaluate as evaluation_of

    model, shape = trained.load(run, pixels, input_shape, layout, output)
    if name is None:
        part, what = _own(run)
    else:
        options = reading.options(name, given or {})
        part, what = _other(name, options, shape)
        if model.preprocessing is not None:
            model.preprocessing = model.preprocessing.suited_to(part.images)
    if model.classes is not None:
        part = part.with_classes(model.classes)
    with common.computing(engine, threads):
        result = evaluation_of(model, part, **(trained.views(run, shape) if tta else {}))
    if as_json:
        common.print_json({"part": what} | result.describe())
        return
    if as_csv:
        common.print_csv(_HEADS, ([row[head] for head in _HEADS] for row in result.rows()))
        return
    print(f"{result.report()}\n")
    if confusion:
        print(f"{_CONFUSION}\n{result.confusion_table().to_string()}\n")
    if mistakes:
        print(f"{result.mistakes_table(mistakes).to_string(index=False)}\n")
    print(f"{what} {result.headline()}")


_HEADS = ["class", "precision", "recall", "f1", "support"]
_CONFUSION = "Number of images of each class (row) that were predicted as each class (column)"


def _own(run: Path) -> "tuple[DataSet, str]":
    if not run.is_dir():
        raise FileError(
            f"{run} is a model without a run, so it has no data of its own; name the DATA"
        )
    judge = Parts.load(Config.load(run)).judge
    if judge is None:
        raise FileError(f"{run} has neither a test nor a validation part; name the DATA")
    return judge


def _other(name: str, options: dict[str, Any], input_shape: "Shape") -> "tuple[DataSet, str]":
    """Load other data, with images of the shape that the model expects."""
    from pellucid.data.registry import takes

    channels, *size = input_shape
    if takes(name, "shape"):
        options["shape"] = input_shape
    elif takes(name, "size"):
        options |= {"size": tuple(size), "channels": channels}
    splits = reading.load_data(name, options)
    part = splits.train if splits.test is None else splits.test
    return part, part.name
