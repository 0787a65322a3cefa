"""Default choices for data sets, optimisers and networks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pellucid.errors import PellucidError, unknown

OPTIMIZER = "adamw"
SCHEDULE = "onecycle"


@dataclass(frozen=True)
class Recipe:
    """The default choices for one data set; fields are named like the options of the command."""

    model: str
    epochs: int
    batch_size: int = 64
    augment: str | None = None
    threads: int | None = None
    optimizer: str = OPTIMIZER
    optimizer_options: str | None = None
    lr: float | None = None
    momentum: float | None = None
    schedule: str = SCHEDULE
    weight_decay: float | None = None
    label_smoothing: float = 0.0
    ema: float | None = None
    validation: float = 0.1
    freeze: str | None = None
    whiten: bool = False
    tta: bool = False
    selector: str | None = None
    keep: float | None = None


RECIPES = {
    "digits": Recipe("vgg", epochs=20, batch_size=32, threads=1),  # too small for several threads
    "mnist": Recipe("lenet5x2", epochs=3),
    "fashion-mnist": Recipe("lenet5x2", epochs=10, augment="flip"),
    "cifar-10": Recipe("resnet20", epochs=30, augment="crop,flip"),
    "cifar-100": Recipe("resnet20", epochs=30, augment="crop,flip"),
    "svhn": Recipe("resnet20", epochs=10, augment="crop"),
}
OTHER = Recipe("vgg", epochs=20)

AIRBENCH = Recipe(
    "airbench",
    epochs=12,
    batch_size=500,
    augment="crop-reflect:2,flip-alternating",
    optimizer="muon",
    optimizer_options="unit_filters=True, adam_lr=0.02, adam_for=('head.*',), "
    "lr_factors={'head.*': 0.1}",
    lr=0.12,
    momentum=0.6,
    schedule="linear",
    label_smoothing=0.2,
    validation=0.0,
    freeze="*.norm?.weight",
    whiten=True,
    tta=True,
)
"""After Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, see docs/records.md."""

_DIGITS = replace(AIRBENCH, batch_size=200, augment=None, label_smoothing=0.0, tta=False)

NAMED: Mapping[str, Mapping[str, Recipe]] = {
    "fast": {
        "cifar-10": AIRBENCH,
        "mnist": replace(_DIGITS, model="airbench_small", epochs=1),
    },
    "accurate": {
        "cifar-10": replace(
            AIRBENCH,
            model="airbench_large",
            epochs=27,
            batch_size=1000,
            augment="crop-reflect:4,cutout-mean:8,flip-alternating",
            optimizer_options=f"iterations=3, {AIRBENCH.optimizer_options}",
            selector="airbench_narrow",
        ),
        "fashion-mnist": replace(
            AIRBENCH,
            model="resnet20:width=1.5",
            epochs=75,
            batch_size=400,
            augment="crop-reflect:2,erase-mean,flip-alternating",
            optimizer_options="unit_filters=True, adam_lr=0.02, adam_for=('fc.*',), "
            "lr_factors={'fc.*': 0.2}",
            lr=0.06,
            momentum=0.8,
            label_smoothing=0.1,
            freeze=None,
            whiten=False,
            selector="resnet20:width=0.5",
        ),
    },
    "small": {
        "mnist": Recipe(
            "vgg_tiny",
            epochs=36,
            batch_size=200,
            augment="affine:12:0.12:10:0.06",
            optimizer="muon",
            optimizer_options="unit_filters=True, adam_lr=0.02, adam_for=('head.*',), "
            "lr_factors={'head.*': 0.2}",
            lr=0.06,
            momentum=0.8,
            schedule="linear",
            ema=0.995,
            validation=0.0,
            tta=True,
        ),
    },
}
"""Recipes that `--recipe` names, by data set."""


def recipe_for(name: str | None, data: str) -> Recipe:
    """Return the recipe that `name` names, or the usual one, for a data set."""
    if name is None:
        return RECIPES.get(data, OTHER)
    if data not in NAMED[name]:
        raise PellucidError(
            f"the recipe '{name}' is for {' and '.join(NAMED[name])}, not for {data}"
        )
    return NAMED[name][data]


def check_recipe(name: str | None) -> None:
    """Raise an error if there is no recipe of this name for any data set."""
    if name is not None and name not in NAMED:
        raise PellucidError(unknown("recipe", name, NAMED))


@dataclass(frozen=True)
class Rate:
    """The default choices for one optimiser; `momentum` is None if it takes none."""

    lr: float
    weight_decay: float = 0.0
    momentum: float | None = None


RATES = {
    "sgd": Rate(lr=0.05, weight_decay=5e-4, momentum=0.9),
    "adam": Rate(lr=0.002),
    "adamw": Rate(lr=0.002, weight_decay=0.05),
    "rmsprop": Rate(lr=0.001, momentum=0.0),
    "adagrad": Rate(lr=0.01),
    "muon": Rate(lr=0.02, momentum=0.95),
}

Images = tuple[int, int, int]
_IMAGENET: tuple[Images, int] = ((3, 224, 224), 1000)

_USUAL: dict[str, tuple[Images, int]] = {
    "lenet5": ((1, 28, 28), 10),
    "lenet5x2": ((1, 28, 28), 10),
    "airbench_small": ((1, 28, 28), 10),
    "vgg_tiny": ((1, 28, 28), 10),
    "mlp": ((1, 28, 28), 10),
    **dict.fromkeys(("alexnet", "vgg11_bn", "vgg16_bn"), _IMAGENET),
    **dict.fromkeys(("resnet18", "resnet50", "mobilenet_v2"), _IMAGENET),
}
_CIFAR: tuple[Images, int] = ((3, 32, 32), 10)


def usual_images(model: str) -> tuple[Images, int]:
    """Return the usual shape of images and number of classes of a network, CIFAR-10's for most."""
    return _USUAL.get(model.partition(":")[0], _CIFAR)
