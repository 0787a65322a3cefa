"""Which nodes of a traced module change a value in place, and which values share memory."""

from __future__ import annotations

import inspect
import operator
from typing import Any

import torch
from torch import fx


def _assigning(function: Any) -> Any:
    def method(self: fx.Proxy, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", function, (self, other), {})

    return method


_ASSIGNING = {
    name: getattr(operator, f"i{name}")
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
}

Value = type(
    "Proxy",
    (fx.Proxy,),
    {f"__i{name}__": _assigning(function) for name, function in _ASSIGNING.items()},
)
"""A traced value of which ``a += b``, which changes a in place, is told from ``a = a + b``."""


def is_in_place(module: torch.nn.Module, node: fx.Node) -> bool:
    """Return whether a node changes its input as well as returning a result."""
    if node.op == "call_module":
        return bool(getattr(first_of(module.get_submodule(str(node.target))), "inplace", False))
    if node.op == "call_method":
        return _ends_in_place(str(node.target))
    if node.op != "call_function":
        return False
    named = _ends_in_place(_name(node))
    return named or node.target in _ASSIGNING.values() or _given_in_place(node)


def _ends_in_place(name: str) -> bool:
    return name.endswith("_") and not name.endswith("__")


def _given_in_place(node: fx.Node) -> bool:
    """Return whether a function is called with ``inplace=True``, by name or by position."""
    try:
        given = inspect.signature(node.target).bind(*node.args, **node.kwargs)
    except (TypeError, ValueError):  # built-in functions have no such argument
        return False
    return bool(given.arguments.get("inplace", False))


_VIEWS = (
    {"view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "expand", "contiguous"}
    | {"transpose", "permute", "movedim", "swapaxes", "t", "detach", "dropout", "dropout2d"}
    | {"chunk", "split", "getitem", "narrow", "select"}
)
_VIEWING = torch.nn.Flatten | torch.nn.Unflatten | torch.nn.Identity | torch.nn.Dropout
"""What may return its input's memory."""


def first_of(module: Any) -> Any:
    """Return the module that gets the input: of a `Sequential` the first inside."""
    while isinstance(module, torch.nn.Sequential) and len(module):
        module = module[0]
    return module


def memory_of(module: torch.nn.Module, node: fx.Node) -> fx.Node:
    """Return the node that made the memory in which this one's value is."""
    while (is_in_place(module, node) or _is_view(module, node)) and node.all_input_nodes:
        node = node.all_input_nodes[0]
    return node


def _is_view(module: torch.nn.Module, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(module.get_submodule(str(node.target)), _VIEWING)
    return node.op.startswith("call") and _name(node) in _VIEWS


def are_apart(one: Any, other: fx.Node) -> bool:
    """Return whether two values are different pieces that ``chunk`` or ``split`` made of one."""
    if not isinstance(one, fx.Node) or _name(one) != "getitem" or _name(other) != "getitem":
        return False
    (whole, number), (also, another) = one.args, other.args
    cut = isinstance(whole, fx.Node) and _name(whole) in ("chunk", "split")
    return cut and whole is also and number != another


def _name(node: fx.Node) -> str:
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
