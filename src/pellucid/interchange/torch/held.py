"""Tensors that a module holds: what is computed of them alone, and where they do not fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, fx
from torch.nn import Parameter

from pellucid.errors import PellucidError
from pellucid.interchange.torch.values import BATCH, Batch, Use, Wire


def computed(target: Any, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """Return the result of a function or method on numbers and the module's own tensors.

    A learned tensor in another shape, such as ``self.scale.view(1, -1, 1, 1)``, remains learned.
    Along the batch, ``expand`` leaves an axis of size 1, which arithmetic repeats.
    """
    if target == "expand":
        arguments = fx.node.map_aggregate(arguments, lambda size: 1 if size is BATCH else size)
    function = target if callable(target) else getattr(type(arguments[0]), target)
    result = function(*arguments, **options)
    learned = [value for value in arguments if isinstance(value, Parameter)]
    if learned and isinstance(result, Tensor) and _is_reshaped(result, learned[0]):
        return Parameter(result.detach())
    return result


def _is_reshaped(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are the same values in one memory, none of them detached."""
    same = one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
    same = same and one.requires_grad == other.requires_grad
    return bool(same and one.numel() == other.numel())


def check_values(
    convert: Callable[..., Any], arguments: tuple[Any, ...], options: Mapping[str, Any]
) -> None:
    """Raise an error if a tensor of the module is where `convert` takes a value of the network.

    Nor may a learned tensor be where it takes a number, which would not be learned any more.
    """
    given = inspect.signature(convert).bind(*arguments, **options).arguments
    kinds = inspect.get_annotations(convert)
    for name, value in given.items():
        kind = kinds.get(name, "Any")
        if kind == "Wire" and not isinstance(value, Use | Wire):
            raise PellucidError(f"its argument {name} does not depend on the network's input")
        if kind == "Sequence[Wire]" and not all(isinstance(one, Use | Wire) for one in value):
            raise PellucidError("it joins the network's values with others")
        learned = isinstance(value, Tensor) and value.requires_grad
        if learned and "Tensor" not in kind and kind != "Any":
            raise PellucidError(f"its argument {name} is learned")
        if isinstance(value, Batch):
            raise PellucidError("it computes with the number of images")
