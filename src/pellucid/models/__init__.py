"""Well-known networks by name, and networks described in files.

Each is a function ``f(input_shape, classes, **options)`` that returns a layer, after checking that
the layer maps an image of that shape to one score per class.
"""

from __future__ import annotations

from pellucid.models import toml
from pellucid.models.airbench import (
    airbench,
    airbench_large,
    airbench_medium,
    airbench_narrow,
    airbench_small,
)
from pellucid.models.alexnet import alexnet
from pellucid.models.densenet import densenet
from pellucid.models.inception import inception
from pellucid.models.lenet import lenet5, lenet5x2
from pellucid.models.mlp import mlp
from pellucid.models.mobilenet import mobilenet, mobilenet_v2
from pellucid.models.registry import build, names, parse_name
from pellucid.models.resnet import resnet18, resnet20, resnet32, resnet50, resnet56
from pellucid.models.summary import Row, Summary, summary
from pellucid.models.vgg import vgg, vgg11_bn, vgg16_bn, vgg_tiny
from pellucid.models.whitening import whiten

__all__ = [
    "Row",
    "Summary",
    "airbench",
    "airbench_large",
    "airbench_medium",
    "airbench_narrow",
    "airbench_small",
    "alexnet",
    "build",
    "densenet",
    "inception",
    "lenet5",
    "lenet5x2",
    "mlp",
    "mobilenet",
    "mobilenet_v2",
    "names",
    "parse_name",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet50",
    "resnet56",
    "summary",
    "toml",
    "vgg",
    "vgg11_bn",
    "vgg16_bn",
    "vgg_tiny",
    "whiten",
]


def __dir__() -> list[str]:
    return __all__
