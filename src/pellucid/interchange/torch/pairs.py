"""The table of equivalent layers of Pellucid and ``torch.nn``, used in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch.nn

from pellucid import layers as nn
from pellucid.geometry import resolve_padding
from pellucid.layers import Layer
from pellucid.parameter import Parameter


class NotPaired(LookupError):  # noqa: N818  # caught in this module
    """An argument has no equivalent, such as padding that differs by side."""


@dataclass(frozen=True)
class Pair:
    """A layer of Pellucid and one of ``torch.nn`` that compute the same.

    Attributes
    ----------
    layer_type, module_name
        The class of the Pellucid layer, and the name of the other in ``torch.nn``.
    arguments
        Names of Pellucid's arguments, each with PyTorch's name if it differs: ``"dim"`` or
        ``"alpha=threshold"``.
    layer_if, module_if
        Values that arguments of the Pellucid layer, or of PyTorch's, must have for the pair to
        apply. Those of `module_if` are passed when the module is built.
    convert
        For some arguments, functions that convert the value to PyTorch and back.
    """

    layer_type: type[Layer]
    module_name: str
    arguments: str = ""
    layer_if: Mapping[str, Any] = field(default_factory=dict)
    module_if: Mapping[str, Any] = field(default_factory=dict)
    convert: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = field(
        default_factory=dict
    )

    def module(self, layer: Layer) -> torch.nn.Module | None:
        """Return the module equivalent to `layer`, without its values, if there is one."""
        if any(getattr(layer, name) != value for name, value in self.layer_if.items()):
            return None
        make: Callable[..., torch.nn.Module] = getattr(torch.nn, self.module_name)
        try:
            given = {other: self._to(name, getattr(layer, name)) for name, other in self._names()}
            with torch.device("meta"):  # no memory or random numbers for values that are replaced
                return make(**given, **self.module_if)
        except (NotPaired, ValueError):  # ValueError: PyTorch refuses an argument
            return None

    def layer(self, module: torch.nn.Module) -> Layer | None:
        """Return the layer equivalent to `module`, without its values, if there is one."""
        for name, value in self.module_if.items():
            if getattr(module, name) != value:
                return None
        given = {name: self._back(name, getattr(module, other)) for name, other in self._names()}
        if (
            getattr(self.layer_type, "stride", 1) is None
            and given["stride"] == given["kernel_size"]
        ):
            given.pop("stride")  # the default of pooling
        return self.layer_type(**given, **self.layer_if)

    def _names(self) -> Iterator[tuple[str, str]]:
        for argument in self.arguments.split():
            name, _, other = argument.partition("=")
            yield name, other or name

    def _to(self, name: str, value: Any) -> Any:
        if name in self.convert:
            return self.convert[name][0](value)
        if name == "bias":
            return isinstance(value, Parameter)
        return _even(value) if name == "padding" else value

    def _back(self, name: str, value: Any) -> Any:
        if name in self.convert:
            return self.convert[name][1](value)
        if name == "bias":
            return value is not None
        return _one_if_equal(value) if name in _PER_DIRECTION else value


_PER_DIRECTION = [
    "kernel_size",
    "stride",
    "padding",
    "dilation",
    "output_padding",
    "output_size",
    "scale_factor",
]


def _even(padding: Any) -> Any:
    """Return (vertical, horizontal) padding; PyTorch's layers pad both sides equally."""
    if isinstance(padding, str):
        return padding
    (top, bottom), (left, right) = resolve_padding(padding, (1, 1), (1, 1), (1, 1), (1, 1))
    if (top, left) != (bottom, right):
        raise NotPaired
    return top, left


def _without_same(padding: Any) -> Any:
    """Return padding as numbers, for layers that do not accept "same"."""
    if padding == "same":
        raise NotPaired
    return _even(0 if padding == "valid" else padding)


def _one_if_equal(value: Any) -> Any:
    """Return two equal numbers as one."""
    both = isinstance(value, tuple) and len(set(value)) == 1 and value[0] is not None
    return value[0] if both else value


def _around(padding: Any) -> tuple[int, int, int, int]:
    (top, bottom), (left, right) = resolve_padding(padding, (1, 1), (1, 1), (1, 1), (1, 1))
    return left, right, top, bottom


def _sides(padding: tuple[int, int, int, int]) -> Any:
    left, right, top, bottom = padding
    return (top, bottom), (left, right)


_IN_NUMBERS = {"padding": (_without_same, _one_if_equal)}
_AROUND = {"padding": (_around, _sides)}
_SIZES = "in_channels out_channels kernel_size stride padding dilation groups bias"
_STATISTICS = "num_features eps momentum affine track_running_stats"


def _if_aligned(aligned: bool) -> bool | None:
    return aligned or None


PAIRS = (
    Pair(nn.Conv2d, "Conv2d", f"{_SIZES} padding_mode", layer_if={"flip_kernel": False}),
    Pair(
        nn.ConvTranspose2d,
        "ConvTranspose2d",
        f"{_SIZES} output_padding",
        layer_if={"flip_kernel": False},
        module_if={"padding_mode": "zeros"},
        convert=_IN_NUMBERS,
    ),
    Pair(nn.Linear, "Linear", "in_features out_features bias"),
    Pair(
        nn.MaxPool2d,
        "MaxPool2d",
        "kernel_size stride padding dilation ceil_mode",
        module_if={"return_indices": False},
        convert=_IN_NUMBERS,
    ),
    Pair(
        nn.AvgPool2d,
        "AvgPool2d",
        "kernel_size stride padding ceil_mode count_include_pad",
        layer_if={"dilation": 1},
        module_if={"divisor_override": None},
        convert=_IN_NUMBERS,
    ),
    Pair(nn.AdaptiveAvgPool2d, "AdaptiveAvgPool2d", "output_size"),
    Pair(
        nn.AdaptiveMaxPool2d,
        "AdaptiveMaxPool2d",
        "output_size",
        module_if={"return_indices": False},
    ),
    Pair(nn.GlobalAvgPool2d, "AdaptiveAvgPool2d", module_if={"output_size": 1}),
    Pair(nn.BatchNorm1d, "BatchNorm1d", _STATISTICS),
    Pair(nn.BatchNorm2d, "BatchNorm2d", _STATISTICS),
    Pair(nn.InstanceNorm2d, "InstanceNorm2d", _STATISTICS),
    Pair(nn.LayerNorm, "LayerNorm", "normalized_shape eps elementwise_affine bias"),
    Pair(nn.GroupNorm, "GroupNorm", "num_groups num_channels eps affine"),
    Pair(nn.LocalResponseNorm, "LocalResponseNorm", "size alpha beta k"),
    Pair(nn.ReLU, "ReLU"),
    Pair(nn.ReLU6, "ReLU6"),
    Pair(nn.LeakyReLU, "LeakyReLU", "negative_slope"),
    Pair(nn.PReLU, "PReLU", "num_parameters init"),
    Pair(nn.ELU, "ELU", "alpha"),
    Pair(nn.SELU, "SELU"),
    Pair(nn.GELU, "GELU", "approximate"),
    Pair(nn.SiLU, "SiLU"),
    Pair(nn.Hardswish, "Hardswish"),
    Pair(nn.Softplus, "Softplus", "beta threshold"),
    Pair(nn.Sigmoid, "Sigmoid"),
    Pair(nn.Tanh, "Tanh"),
    Pair(nn.Softmax, "Softmax", "dim"),
    Pair(nn.Softmax, "Softmax2d", layer_if={"dim": 1}),
    Pair(nn.LogSoftmax, "LogSoftmax", "dim"),
    Pair(nn.HardSigmoid, "Hardsigmoid", layer_if={"alpha": 1 / 6, "beta": 0.5}),
    Pair(nn.Softsign, "Softsign"),
    Pair(nn.ThresholdedReLU, "Threshold", "alpha=threshold", module_if={"value": 0}),
    Pair(nn.Clip, "Hardtanh", "low=min_val high=max_val"),
    Pair(nn.Dropout, "Dropout", "p"),
    Pair(nn.Dropout2d, "Dropout2d", "p"),
    Pair(nn.Flatten, "Flatten", "start_dim end_dim"),
    Pair(nn.Identity, "Identity"),
    Pair(
        nn.Upsample,
        "Upsample",
        "size scale_factor mode align_corners",
        module_if={"recompute_scale_factor": None},
        convert={"align_corners": (_if_aligned, bool)},
    ),
    Pair(nn.PixelShuffle, "PixelShuffle", "upscale_factor"),
    Pair(nn.PixelUnshuffle, "PixelUnshuffle", "downscale_factor"),
    Pair(nn.Pad2d, "ZeroPad2d", "padding", layer_if={"mode": "zeros"}, convert=_AROUND),
    Pair(
        nn.Pad2d, "ConstantPad2d", "padding value", layer_if={"mode": "constant"}, convert=_AROUND
    ),
    Pair(nn.Pad2d, "ReflectionPad2d", "padding", layer_if={"mode": "reflect"}, convert=_AROUND),
    Pair(nn.Pad2d, "ReplicationPad2d", "padding", layer_if={"mode": "replicate"}, convert=_AROUND),
    Pair(nn.Pad2d, "CircularPad2d", "padding", layer_if={"mode": "circular"}, convert=_AROUND),
)
"""All pairs; where several have the same layer, the first that applies is used."""


def module_of(layer: Layer) -> torch.nn.Module | None:
    """Return the module of ``torch.nn`` equivalent to `layer`, if there is one."""
    modules = (pair.module(layer) for pair in PAIRS if pair.layer_type is type(layer))
    return next((module for module in modules if module is not None), None)


def layer_of(module: torch.nn.Module) -> Layer | None:
    """Return the Pellucid layer equivalent to `module`, if there is one."""
    kind = kind_of(module)
    layers = (pair.layer(module) for pair in PAIRS if pair.module_name == kind)
    return next((layer for layer in layers if layer is not None), None)


def kind_of(module: torch.nn.Module) -> str | None:
    """Return the name in `PAIRS` of the module's class, or of the base that has its `forward`."""
    for kind in type(module).__mro__:
        if kind.__name__ in _NAMES and kind is getattr(torch.nn, kind.__name__):
            return kind.__name__ if type(module).forward is kind.forward else None
    return None


_NAMES = frozenset(pair.module_name for pair in PAIRS)
