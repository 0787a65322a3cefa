"""``pellucid warm-up``: compile in advance the kernels that networks need."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from pellucid.cli import common, concluding, new_run
from pellucid.cli.config import Parts
from pellucid.cli.recipes import OPTIMIZER, RATES, RECIPES, usual_images
from pellucid.errors import PellucidError, unknown

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.types import Shape


def warm_up(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Known networks or .toml files.",
            show_default="those of digits, mnist and cifar-10",
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(
            metavar="CxHxW", help="The size of an image.", show_default="as usual for MODEL"
        ),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=2, help="The number of classes.", show_default="as usual for MODEL"
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="The number of images in a step.", show_default="by data set"
        ),
    ] = None,
    optimizer: Annotated[
        str, typer.Option(metavar="NAME", help=f"One of {', '.join(RATES)}.")
    ] = OPTIMIZER,
    threads: common.Threads = None,
) -> None:
    """Compile what training and using networks needs, and keep it for later runs.

    For images of containers, and for machines that start often. A run with
    other sizes of images, batches or classes compiles what it needs besides.
    """
    from pellucid import engine

    if optimizer.lower() not in RATES:
        raise PellucidError(unknown("optimizer", optimizer, RATES))
    for model in models or []:
        new_run.check_names((model,), optimizer.lower(), "constant", None)
    if engine.name() != "compiled":
        raise PellucidError(
            "the engine is 'reference', which needs no compiling; "
            "the compiled one needs Numba and no PELLUCID_ENGINE=reference"
        )
    sizes = None if image_size is None else common.sizes(image_size, "--image-size", 3)
    with common.computing("compiled", threads):
        for wanted in _wanted(models, sizes, classes, batch_size):
            _compile(wanted, optimizer.lower())
    _tell_cache()


_USUAL_DATA = {
    "digits": ((1, 8, 8), 1438, 359),
    "mnist": ((1, 28, 28), 60_000, 10_000),
    "cifar-10": ((3, 32, 32), 50_000, 10_000),
}
"""Shape of an image, and numbers of images for training and validation, and for the test."""


class _Wanted(NamedTuple):
    """What is compiled for: a run with so many images."""

    model: str
    shape: "Shape"
    classes: int
    images: int
    test: int
    batch_size: int

    def __str__(self) -> str:
        return f"{self.model} on {'×'.join(map(str, self.shape))}, batch {self.batch_size}"


def _wanted(
    models: list[str] | None, sizes: "Shape | None", classes: int | None, batch_size: int | None
) -> list[_Wanted]:
    if not models:
        return [
            _Wanted(
                *(recipe.model, sizes or shape, classes or 10),
                *(images, test, batch_size or recipe.batch_size),
            )
            for recipe, (shape, images, test) in (
                (RECIPES[name], data) for name, data in _USUAL_DATA.items()
            )
        ]
    found = []
    for model in models:
        (shape, usual), images = usual_images(model), batch_size or 64
        found.append(
            _Wanted(model, sizes or shape, classes or usual, 20 * images, 10 * images, images)
        )
    return found


def _compile(wanted: _Wanted, optimizer: str) -> None:
    from pellucid import models, optim
    from pellucid.training import TrainingState, rehearsal

    model = models.build(wanted.model, wanted.shape, wanted.classes)
    kinds = {kind.lower(): kind for kind in optim.OPTIMIZERS}
    description = {"type": kinds[optimizer], "lr": RATES[optimizer].lr}
    learner = optim.build(description, model.parameters())
    batch_size = wanted.batch_size
    state = TrainingState(model, learner, batch_size=batch_size)
    validating = round(_VALIDATION * wanted.images)
    counts = wanted.images - validating, validating, wanted.test
    train, validation, test = (_images(count, wanted) for count in counts)
    calls = concluding.rehearsal(Parts(train, validation, test), batch_size)
    # only a first and a last batch, as preprocessing is fitted to all images
    first, second = (part[: batch_size + len(part) % batch_size] for part in (train, validation))
    done = rehearsal.warm_up(state, first, second, calls)
    if done.compiled:
        by = f" by {done.processes} processes" if done.processes > 1 else ""
        made = f"{done.compiled} of {done.needed} kernels compiled in {done.seconds:.1f} s{by}"
        print(f"{wanted}: {made}", flush=True)
    else:
        print(f"{wanted}: all {done.needed} kernels are there", flush=True)


_VALIDATION = 0.1


def _images(count: int, wanted: _Wanted) -> "DataSet":
    from pellucid.data import DataSet

    black = np.broadcast_to(np.uint8(0), (count, *wanted.shape))  # in the memory of one number
    names = tuple(map(str, range(wanted.classes)))
    return DataSet(black, np.arange(count) % wanted.classes, names, "black")


def _tell_cache() -> None:
    from pellucid.execution import kept_kernels

    if (kept := kept_kernels()) is not None:
        sizes, folder = kept
        print(f"\n{len(sizes)} kernels, {sum(sizes) / 1e6:.1f} MB, in {folder}")
