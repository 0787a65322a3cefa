"""Compile what the usual networks need into the cache folder.

    python packaging/kernels/wanted.py

These are the networks that `pellucid train` chooses for the data sets that it knows by name, those
that `--model` knows by name, and those of the benchmarks: training, validation, evaluation and
prediction. It is compiled for the processor that ``NUMBA_CPU_NAME`` names.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.networks import NETWORKS  # noqa: E402
from pellucid import layers, models, optim  # noqa: E402
from pellucid.cli.recipes import RECIPES, usual_images  # noqa: E402
from pellucid.data import DataSet  # noqa: E402
from pellucid.evaluation import predictions, typical  # noqa: E402
from pellucid.execution import freeze  # noqa: E402
from pellucid.training import TrainingState, rehearsal  # noqa: E402

IMAGES = {
    "digits": ((1, 8, 8), (1294, 144, 359)),
    "mnist": ((1, 28, 28), (54_000, 6000, 10_000)),
    "fashion-mnist": ((1, 28, 28), (54_000, 6000, 10_000)),
    "cifar-10": ((3, 32, 32), (45_000, 5000, 10_000)),
    "cifar-100": ((3, 32, 32), (45_000, 5000, 10_000)),
    "svhn": ((3, 32, 32), (65_931, 7326, 26_032)),
}
"""Shape of an image, and numbers of images for training, validation and test."""


class Run(NamedTuple):
    """A network that is trained on so many images, and then used."""

    name: str
    model: layers.Layer
    shape: tuple[int, ...]
    counts: tuple[int, int, int]
    batch_size: int
    optimizer: Mapping[str, Any] = {"type": "AdamW", "lr": 0.01}
    pixel: Any = np.uint8(0)


def runs() -> Iterator[Run]:
    """Yield all runs whose kernels the package holds."""
    for name, recipe in RECIPES.items():
        shape, counts = IMAGES[name]
        model = models.build(recipe.model, shape, 100 if name == "cifar-100" else 10)
        yield Run(f"{name}, {recipe.model}", model, shape, counts, recipe.batch_size)
    for name, kind in optim.OPTIMIZERS.items():
        shape, counts = IMAGES["mnist"]
        chosen: dict[str, Any] = {"type": name, "lr": 0.01}
        if "momentum" in signature(kind).parameters:
            chosen["momentum"] = 0.9
        yield Run(name, models.build("lenet5", shape, 10), shape, counts, 64, chosen)
    shape, counts = IMAGES["mnist"]
    lenet = models.build("lenet5", shape, 10)
    yield Run("an array of floats", lenet, shape, counts, 64, pixel=np.float32(0))
    for name, network in NETWORKS.items():
        for batch_size in (16, 32, 48, 64, 128):
            yield Run(
                f"{name}, batch {batch_size}", network.build(), network.input_shape,
                (45_000, 5000, 10_000), batch_size,
            )  # fmt: skip
    for name in models.names():
        shape, classes = usual_images(name)
        for batch_size in (32, 64) if shape[1] < 100 else (8, 32):
            yield Run(
                f"{name}, batch {batch_size}", models.build(name, shape, classes), shape,
                (20 * batch_size, 2 * batch_size, 256), batch_size,
            )  # fmt: skip


def compiled(run: Run) -> Any:
    """Compile what a run needs, and return what was done."""
    training, validation, test = (_images(count, run) for count in run.counts)
    parameters = run.model.parameters()
    learner = optim.build(dict(run.optimizer), parameters)
    state = TrainingState(run.model, learner, batch_size=run.batch_size)

    def afterwards(model: layers.Layer) -> Iterator[Callable[[], Any]]:
        yield from predictions.rehearsal(model, test.images)
        yield from typical.rehearsal(model, training.images)
        yield from predictions.rehearsal(model, test.images[:1])
        yield from typical.rehearsal(model, test.images[:1])
        for count in (1, run.batch_size):
            yield partial(freeze(model), np.zeros((count, *run.shape), np.float32))

    few = (part[: run.batch_size + len(part) % run.batch_size] for part in (training, validation))
    return rehearsal.warm_up(state, *few, afterwards)


def _images(count: int, run: Run) -> DataSet:
    black = np.broadcast_to(run.pixel, (count, *run.shape))  # in the memory of one number
    classes = run.model.output_shape((1, *run.shape))[1]
    return DataSet(black, np.arange(count) % classes, tuple(map(str, range(classes))), "black")


if __name__ == "__main__":
    for run in runs():
        done = compiled(run)
        print(f"{run.name}: {done.compiled} of {done.needed} kernels", flush=True)
