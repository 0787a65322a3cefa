"""``pellucid compare``: compare a network with the same network in PyTorch and TensorFlow."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from pellucid.cli import common, compare_page, comparing_runs, folders, reading
from pellucid.cli.recipes import usual_images
from pellucid.errors import DataError, PellucidError

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.interchange.compare import Comparison, Difference
    from pellucid.layers import Layer
    from pellucid.types import Array, Shape

NOISE = "noise"
"""The name of synthetic images."""


def compare(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A known network, a .toml file or a run.")
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA|RUN",
            help="A data set, or noise; or a second run, to compare runs.",
            show_default="mnist or cifar-10, as usual for MODEL",
        ),
    ] = None,
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="RUN…", help="More runs.", show_default=False)
    ] = None,
    steps: Annotated[
        int, typer.Option(metavar="N", min=1, help="The number of training steps.")
    ] = 20,
    batch_size: Annotated[
        int, typer.Option(metavar="N", min=2, help="The number of images in a step.")
    ] = 64,
    lr: Annotated[
        float, typer.Option(metavar="RATE", min=0, help="The learning rate of SGD.")
    ] = 0.002,
    momentum: Annotated[
        float, typer.Option(metavar="M", min=0, max=1, help="The momentum of SGD.")
    ] = 0.9,
    threads: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many threads each framework uses.")
    ] = 2,
    turns: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many times each is timed.")
    ] = 5,
    seed: Annotated[int, typer.Option(metavar="N", help="The seed of the weights.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the page and the picture are written.",
            show_default="compare-MODEL-DATA, or compare-RUN-RUN",
        ),
    ] = None,
    code: Annotated[
        bool, typer.Option("--code", help="Show the code that computes each layer.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all numbers as JSON, and nothing else.")
    ] = False,
) -> None:
    """Compare a network here with the same network in PyTorch and in TensorFlow.

    All get the same weights and the same batches. Outputs, every layer's
    activations, every parameter's gradient and the losses of a training run are
    compared; each step is timed. The page that is written shows the code that
    computes each layer beside the call in the other frameworks.

    With two or more runs: their choices, curves, accuracies with 95 %
    intervals, speed and size, and which classes and images one of them gets
    right and the other wrong.
    """
    if data is not None and all((Path(run) / folders.CONFIG).is_file() for run in (model, data)):
        comparing_runs.compare([Path(model), Path(data), *(more or ())], as_json, out)
        return
    if more:
        raise PellucidError("several runs are compared with each other; one of these is no run")
    from pellucid import view
    from pellucid.interchange import compare as comparing

    network, images, labels, data_name = _inputs(model, data, steps * batch_size, seed)
    settings = comparing.Settings(batch_size, steps, threads, lr, momentum, turns)
    name = folders.short_name(model)
    found = comparing.compare(
        network,
        images,
        labels,
        model_name=name,
        data_name=data_name,
        settings=settings,
        progress=(lambda text: None) if as_json else common.note,
    )
    if as_json:
        print(json.dumps(found.describe(), indent=1))
        return
    folder = out or Path(folders.as_file_name(f"compare-{name}-{data_name}"))
    folder.mkdir(parents=True, exist_ok=True)
    drawn = view.comparison(**_drawn(found))
    (folder / "compare.md").write_text(
        comparing.markdown(found, "figures/compare.svg"), encoding="utf-8"
    )
    compare_page.page(found, drawn).save(folder, "compare.html")
    _show(found, code)
    print(f"\nIn {folder}: compare.html, compare.md, figures/")


def _inputs(
    model: str, data: str | None, count: int, seed: int
) -> "tuple[Layer, Array, Array, str]":
    """Return the network, `count` preprocessed images, their classes, and the name of the data."""
    from pellucid import layers, models
    from pellucid.preprocessing import Preprocessing

    trained: Layer | None = None
    shape: Shape
    if model not in models.names() and not model.endswith(".toml") and Path(model).exists():
        trained = common.load_model(Path(model))
    shape, classes = usual_images(model)
    usual = "mnist" if shape == (1, 28, 28) else "cifar-10"
    source = data or usual
    if source == NOISE:
        if trained is not None:
            shape = common.input_shape_of(trained, Path(model))
            classes = trained.output_shape((1, *shape))[1]
        random = np.random.default_rng(seed)
        images = random.normal(size=(count, *shape)).astype(np.float32)
        labels = random.integers(0, classes, count)
    else:
        part = _part(source, data is None)
        given = part.take(min(count, len(part)))
        own = None if trained is None else trained.preprocessing
        own = Preprocessing.fit(part.images) if own is None else own.suited_to(part.images)
        own.check(given.images)
        images = own(given.images)
        labels, shape, classes = given.labels, part.image_shape, len(part.classes)
    if trained is not None:
        return trained, images, labels, Path(source).stem
    network = layers.initialize(models.build(model, shape, classes), seed)
    return network, images, labels, Path(source).stem


def _part(source: str, usual: bool) -> "DataSet":
    """Return the training images; if they cannot be loaded, the error suggests synthetic ones."""
    try:
        return reading.load_data(source, reading.with_modest_size(source, {})).train
    except DataError as error:
        hint = "; `noise` as DATA needs no images" if usual else ""
        raise DataError(f"{error}{hint}") from error


def _drawn(found: "Comparison") -> dict[str, Any]:
    """Return the arguments of `view.comparison`."""
    from pellucid.interchange.compare import BOUND
    from pellucid.interchange.compare.agreement import TYPES

    titles = {name: entry.title for name, entry in found.entries.items()}
    compared = {
        dtype: {
            titles[name]: [
                row.differences[name][dtype] for row in found.rows if name in row.differences
            ]
            for name in found.others
        }
        for dtype in TYPES
    }

    def every(of: "Callable[[Difference], Any]") -> dict[str, Any]:
        return {
            dtype: {title: list(map(of, several)) for title, several in by_framework.items()}
            for dtype, by_framework in compared.items()
        }

    return {
        "differences": every(lambda difference: difference.relative),
        "unjudged": every(lambda difference: math.isinf(difference.bound)),
        "bounds": {dtype: BOUND * float(np.finfo(dtype).eps) for dtype in TYPES},
        "losses": {entry.title: entry.losses for entry in found.entries.values()},
        "seconds": {entry.title: entry.seconds for entry in found.entries.values()},
    }


def _show(found: "Comparison", code: bool) -> None:
    from pellucid.interchange.compare import page

    for name in found.others:
        print(f"\nPellucid and {found.entries[name].title}: the largest differences\n")
        table = page.difference_table(found, name)
        for kind in dict.fromkeys(row[0] for row in table.rows):
            rows = [row[1:] for row in table.rows if row[0] == kind]
            _print(page.Table([kind, *table.head[2:]], rows))
            print()
    print("The loss of each training step\n")
    _print(page.loss_table(found))
    print("\nTime and memory\n")
    _print(page.cost_table(found))
    if code:
        for part in page.code(found):
            if isinstance(part, page.Table):
                _print(part)
            else:
                print(f"\n{part.text}\n" if part.kind == "code" else f"\n{part.text}")
    print(f"\n{page.verdict(found)}")
    for remark in page.remarks(found):
        common.note(remark)


def _print(table: Any) -> None:
    common.print_table(table.head, table.rows)
