"""Convert a module's `forward`, as traced by ``torch.fx``, to a `Graph` of layers.

Each module is traced by itself: a module that it calls on values is one node, which is converted in
turn. So layers keep the module's names, and blocks remain blocks.
"""

from __future__ import annotations

import inspect
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.torch.functions import name_of, reader_of
from pellucid.interchange.torch.held import check_values, computed
from pellucid.interchange.torch.in_place import (
    Value,
    are_apart,
    first_of,
    is_in_place,
    memory_of,
)
from pellucid.interchange.torch.values import Use, Wire
from pellucid.layers import Layer
from pellucid.layers.base import join


class Reading(ABC):
    """Convert the modules inside a traced module, and collect problems."""

    problems: list[str]
    changing: set[torch.nn.Module]
    """Modules found to change their input in place."""

    @abstractmethod
    def layer(
        self, path: str, module: torch.nn.Module, shape: Any, inputs: int = 1
    ) -> Layer | None:
        """Return the layer for the module at `path`, or None if it cannot be converted."""

    @abstractmethod
    def say(self, path: str, module: torch.nn.Module, problem: str) -> None:
        """Record a problem and the module in which it occurs."""


class Inline(Exception):  # noqa: N818  # a request, not an error
    """A module takes or returns more than values of the network: trace it as part of its parent."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module


def traced(
    reader: Reading, path: str, module: torch.nn.Module, shape: Any, inputs: int
) -> Layer | None:
    """Return the layer equivalent to the module's `forward` with `inputs` inputs."""
    inlined: set[torch.nn.Module] = set()
    while True:
        heard = len(reader.problems)
        try:
            nodes = _written_down(module, inputs, inlined)
            return _Network(reader, path, module, nodes).read(shape)
        except Inline as found:
            if found.module is module:
                if path:
                    raise
                raise PellucidError("it returns something other than tensors") from None
            inlined.add(found.module)
            del reader.problems[heard:]


class _Tracer(fx.Tracer):
    """Trace every module that is called only on values as one node."""

    def __init__(self, inlined: set[torch.nn.Module]) -> None:
        super().__init__()
        self._inlined = inlined
        self._takes_values = False

    def call_module(
        self, m: torch.nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        values = all(isinstance(argument, fx.Proxy) for argument in args) and not kwargs
        self._takes_values = values and self._inlined.isdisjoint(m.modules())
        return super().call_module(m, forward, args, kwargs)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return Value(node, self)

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return self._takes_values


def _written_down(
    module: torch.nn.Module, inputs: int, inlined: set[torch.nn.Module]
) -> list[fx.Node]:
    """Return the nodes that the output depends on, or that change a value in place."""
    parameters = list(inspect.signature(module.forward).parameters.values())[inputs:]
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    required = len(parameters) - len(defaults)
    try:
        with _in_inference(module):  # where forward depends on the mode, it is read as it predicts
            graph = _Tracer(inlined).trace(module, concrete_args=defaults)
    except Exception as error:  # whatever the module's own code raises
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise PellucidError(f"torch.fx cannot trace it: {said[0]}") from error
    given = [node for node in graph.nodes if node.op == "placeholder"][: inputs + required]
    needed = set(given)
    for node in reversed(graph.nodes):
        if node in needed or node.op == "output" or is_in_place(module, node):
            needed |= {node, *node.all_input_nodes}
    return [node for node in graph.nodes if node in needed]


@contextmanager
def _in_inference(module: torch.nn.Module) -> Iterator[None]:
    """Put a module and those inside into inference mode for a ``with`` block."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


Nodes = dict[str, tuple[Layer, tuple[str, ...]]]
"""Layers by name, each with the names of its inputs."""


class _Network:
    """The layers of one module while it is converted."""

    def __init__(
        self, reader: Reading, path: str, module: torch.nn.Module, nodes: list[fx.Node]
    ) -> None:
        self.reader, self.path, self.module, self.traced = reader, path, module, nodes
        self.values: dict[fx.Node, Any] = {}
        self.layers: Nodes = {}
        self.inputs: list[str] = []
        self.children = {name for name, _ in module.named_children()}

    def read(self, shape: Any) -> Layer | None:
        heard = len(self.reader.problems)
        self.inputs = self._inputs(shape)
        for node in self.traced:
            if node.op == "output":
                outputs = self._resolved(node.args[0])
            elif node not in self.values:
                self.values[node] = self._value(node)
                if is_in_place(self.module, node):
                    self._change(node)
        if len(self.reader.problems) > heard:
            return None
        return self._joined(self.inputs, outputs)

    def _inputs(self, shape: Any) -> list[str]:
        nodes = [node for node in self.traced if node.op == "placeholder"]
        single = len(nodes) == 1
        shapes = [shape] if single else shape or [None] * len(nodes)
        if len(shapes) != len(nodes):
            raise PellucidError(f"it takes {len(nodes)} inputs")
        names = [self._unique("x" if single else str(node.target)) for node in nodes]
        for node, name, size in zip(nodes, names, shapes, strict=True):
            self.values[node] = Wire(name, size)
        return names

    def _value(self, node: fx.Node) -> Any:
        """Return the result of a node: a `Wire`, several of them, numbers, or `_UNKNOWN`."""
        sources = [self.values[source] for source in node.all_input_nodes]
        if _UNKNOWN in sources:
            return _UNKNOWN
        arguments, options = self._resolved(node.args), self._resolved(node.kwargs)
        try:
            if node.op == "get_attr":
                return operator.attrgetter(str(node.target))(self.module)
            if node.op == "call_module":
                return self._call(node, arguments)
            if not any(map(_holds_value, sources)):
                if is_in_place(self.module, node):
                    raise PellucidError("it changes a tensor of the module")
                return computed(node.target, arguments, options)
            found = reader_of(node.target)
            if found is None:
                raise PellucidError("Pellucid has no equivalent layer")
            check_values(found, arguments, options)
            return self._placed(found(*arguments, **options), self._unique(node.name))
        except Inline:
            raise
        except Exception as error:  # PyTorch's arguments may be anything
            self.reader.say(self.path, self.module, f"{name_of(node.target)}: {error}")
            return _UNKNOWN

    def _call(self, node: fx.Node, values: tuple[Any, ...]) -> Any:
        """Convert the call of a module."""
        target = str(node.target)
        module = self.module.get_submodule(target)
        if not all(isinstance(value, Wire) for value in values):
            raise Inline(module)
        shapes = tuple(value.shape for value in values)
        shape = None if None in shapes else shapes[0] if len(shapes) == 1 else shapes
        layer = self.reader.layer(join(self.path, target), module, shape, len(values))
        if layer is None:
            return _UNKNOWN
        if self._changes_input(module) and self._is_read_after(node, values[0]):
            raise Inline(module)
        name = target.replace(".", "_")
        first = target in self.children and not self._is_taken(name)
        return self._placed(Use(layer, *values), name if first else self._unique(name))

    def _placed(self, found: Any, name: str) -> Any:
        """Add a node for every use of a layer, and return the resulting values."""
        if isinstance(found, tuple):
            return tuple(self._placed(one, self._unique(name)) for one in found)
        if not isinstance(found, Use):
            return found
        inputs = [self._placed(source, self._unique(name)) for source in found.inputs]
        shapes = tuple(source.shape for source in inputs)
        shape = None
        if None not in shapes:
            shape = found.layer.output_shape(shapes[0] if found.layer.inputs == 1 else shapes)
        own = self._unique(name) if self._is_taken(name) else name
        self.layers[own] = found.layer, tuple(source.name for source in inputs)
        return Wire(own, shape)

    def _joined(self, inputs: list[str], outputs: Any) -> Layer:
        """Return the layers as a `Sequential` where possible, else as a `Graph`."""
        single = isinstance(outputs, Wire)
        wires = [outputs] if single else outputs
        if not isinstance(wires, list | tuple) or not all(isinstance(w, Wire) for w in wires):
            raise Inline(self.module)
        if not single and self.path:
            raise Inline(self.module)  # only the outermost graph may have several outputs
        layers = _needed(self.layers, [wire.name for wire in wires])
        if single and inputs == ["x"] and _one_by_one(layers, "x", wires[0].name):
            return nn.Sequential({name: layer for name, (layer, _) in layers.items()})
        if not layers:
            layers = {"identity": (nn.Identity(), (wires[0].name,))}
            wires = [Wire("identity", None)]
        names = [wire.name for wire in wires]
        return nn.Graph(layers, names[0] if single else names, inputs)

    def _change(self, node: fx.Node) -> None:
        """Let all names of a value that this node changed in place refer to its new value."""
        old, new = self._resolved(node.args[0]), self.values[node]
        if not isinstance(old, Wire):
            return
        if old.name in self.inputs:
            self.reader.changing.add(self.module)
        if self._is_seen_otherwise(node, old):
            said = "it changes in place what is read under another shape; change a copy"
            self.reader.say(self.path, self.module, f"{name_of(node.target)}: {said}")
        for name, value in self.values.items():
            if value is old:
                self.values[name] = new

    def _changes_input(self, module: torch.nn.Module) -> bool:
        """Return whether a module made of others changes its input in place."""
        first = first_of(module)
        inside = first is not module and getattr(first, "inplace", False)
        return bool(inside) or first in self.reader.changing

    def _is_read_after(self, node: fx.Node, value: Any) -> bool:
        return any(self.values.get(name) is value for name in self._read_after(node))

    def _is_seen_otherwise(self, node: fx.Node, changed: Wire) -> bool:
        """Return whether another value in the changed memory is read later."""
        memory = memory_of(self.module, node)
        return any(
            self.values[name] is not changed and memory_of(self.module, name) is memory
            for name in self._read_after(node)
            if name in self.values and name is not node and not are_apart(node.args[0], name)
        )

    def _read_after(self, node: fx.Node) -> list[fx.Node]:
        later = self.traced[self.traced.index(node) + 1 :]
        return [name for one in later for name in one.all_input_nodes]

    def _resolved(self, arguments: Any) -> Any:
        return fx.node.map_arg(arguments, lambda node: self.values[node])

    def _unique(self, name: str) -> str:
        """Return a name that no layer, input or inner module has."""
        found, turn = name, 1
        while self._is_taken(found) or found in self.children:
            turn += 1
            found = f"{name}_{turn}"
        return found

    def _is_taken(self, name: str) -> bool:
        return name in self.layers or name in self.inputs


_UNKNOWN = object()


def _holds_value(found: Any) -> bool:
    """Return whether this is a value of the network, or several."""
    return isinstance(found, Wire) or (isinstance(found, tuple) and any(map(_holds_value, found)))


def _needed(layers: Nodes, outputs: list[str]) -> Nodes:
    """Return the nodes that the outputs depend on."""
    needed = set(outputs)
    for name, (_, read) in reversed(layers.items()):
        if name in needed:
            needed.update(read)
    return {name: node for name, node in layers.items() if name in needed}


def _one_by_one(layers: Nodes, first: str, last: str) -> bool:
    """Return whether each node reads only the one before it, and the last is the output."""
    before = [first, *layers]
    reads = [list(read) for _, read in layers.values()]
    return bool(layers) and before[-1] == last and reads == [[name] for name in before[:-1]]
