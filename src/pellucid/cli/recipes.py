"""Default choices for data sets, optimisers and networks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """The default choices for one data set."""

    model: str
    epochs: int
    batch_size: int = 64
    augment: str | None = None
    threads: int | None = None


RECIPES = {
    "digits": Recipe("vgg", epochs=20, batch_size=32, threads=1),  # too small for several threads
    "mnist": Recipe("lenet5x2", epochs=3),
    "fashion-mnist": Recipe("lenet5x2", epochs=10, augment="flip"),
    "cifar-10": Recipe("resnet20", epochs=30, augment="crop,flip"),
    "cifar-100": Recipe("resnet20", epochs=30, augment="crop,flip"),
    "svhn": Recipe("resnet20", epochs=10, augment="crop"),
}
OTHER = Recipe("vgg", epochs=20)


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
}
OPTIMIZER = "adamw"
SCHEDULE = "onecycle"

Images = tuple[int, int, int]
_IMAGENET: tuple[Images, int] = ((3, 224, 224), 1000)

USUAL: dict[str, tuple[Images, int]] = {
    "lenet5": ((1, 28, 28), 10),
    "lenet5x2": ((1, 28, 28), 10),
    "mlp": ((1, 28, 28), 10),
    **dict.fromkeys(("alexnet", "vgg11_bn", "vgg16_bn"), _IMAGENET),
    **dict.fromkeys(("resnet18", "resnet50", "mobilenet_v2"), _IMAGENET),
}
"""The usual shape of images and number of classes of a network; CIFAR-10's for all others."""

CIFAR: tuple[Images, int] = ((3, 32, 32), 10)
