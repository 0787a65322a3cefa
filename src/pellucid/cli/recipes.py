"""What is done where the user says nothing: choices that work."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """The choices for one data set."""

    model: str
    epochs: int
    batch_size: int = 64
    augment: str | None = None
    threads: int | None = None


RECIPES = {
    "digits": Recipe("vgg", epochs=20, batch_size=32, threads=1),  # too small to share out
    "mnist": Recipe("lenet5x2", epochs=3),
    "fashion-mnist": Recipe("lenet5x2", epochs=10, augment="flip"),
    "cifar-10": Recipe("resnet20", epochs=30, augment="crop,flip"),
    "cifar-100": Recipe("resnet20", epochs=30, augment="crop,flip"),
    "svhn": Recipe("resnet20", epochs=10, augment="crop"),
}
OTHER = Recipe("vgg", epochs=20)


@dataclass(frozen=True)
class Rate:
    """The choices for one optimiser; without a momentum it takes none."""

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
"""The images and the number of classes for which a network is known; otherwise CIFAR-10's."""

CIFAR: tuple[Images, int] = ((3, 32, 32), 10)
