"""Layers made of layers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol, Self, cast

from pellucid.errors import PellucidError
from pellucid.layers.base import Layer, failing_at
from pellucid.layers.wiring import Wiring

Describe = Callable[[str, Layer], dict[str, Any]]
"""Return the description of the child with this name."""


class Build(Protocol):
    """Return the child with this name from its description, for this input shape if known."""

    def __call__(self, name: str, description: Any, input_shape: Any) -> Layer: ...


class Combinator(Layer, abstract=True):
    """A layer made of layers: it routes values forward and gradients backward."""

    entries: ClassVar[tuple[str, ...]]
    """What a description may hold besides the type."""

    @abstractmethod
    def child_inputs(self, input_shape: Any) -> Iterator[tuple[str, Layer, Any]]:
        """Yield (name, child, the shape of what it is given), in the order in which they run."""

    @abstractmethod
    def wiring(self) -> Wiring: ...

    @abstractmethod
    def parts(self, describe: Describe) -> dict[str, Any]:
        """Return the description's entries, without the type."""

    @classmethod
    @abstractmethod
    def from_parts(cls, parts: dict[str, Any], build: Build, input_shape: Any) -> Self:
        """Return the layer that `parts` describes."""

    def describe(self) -> dict[str, Any]:
        return self._describe((), {})

    def _describe(self, path: tuple[str, ...], seen: dict[int, str]) -> dict[str, Any]:
        def describe(name: str, child: Layer) -> dict[str, Any]:
            if id(child) in seen:
                return {"type": "Shared", "path": seen[id(child)]}
            where = (*path, name)
            seen[id(child)] = ".".join(where)
            return (
                child._describe(where, seen) if isinstance(child, Combinator) else child.describe()
            )

        return {"type": self._described_as().__name__, **self.parts(describe)}

    def _described_as(self) -> type[Layer]:
        """Return the class that a description names.

        A subclass that only builds its layers in an ``__init__`` of its own is described as what it
        is derived from, and its layers with it.
        """
        kind = type(self)
        made_by: Any = next(each for each in kind.__mro__ if "from_parts" in vars(each))
        if kind.__init__ is made_by.__init__:
            return kind
        if any(
            getattr(kind, name) is not getattr(made_by, name) for name in ("forward", "backward")
        ):
            raise PellucidError(
                f"{kind.__name__} has an __init__ and a forward or backward of its own, so that "
                "nothing says how to make it again and it cannot be saved; give it a classmethod "
                "from_parts, or leave __init__ as it is"
            )
        return cast(type[Layer], made_by)

    def multiply_adds(self, input_shape: Any) -> int:
        return sum(child.multiply_adds(shape) for _, child, shape in self.child_inputs(input_shape))

    def child_shape(self, name: str, child: Layer, input_shape: Any) -> Any:
        """Return the child's output shape; an error says where it was."""
        try:
            return child.output_shape(input_shape)
        except PellucidError as error:
            if not name:
                raise
            raise failing_at(f"{name} ({type(child).__name__})", error) from None

    def __repr__(self) -> str:
        inside = "".join(
            f"\n  {name or 'body'}: " + repr(child).replace("\n", "\n  ")
            for name, child in self.children().items()
        )
        return f"{type(self).__name__}({inside}\n)"


def named(
    layers: tuple[Layer | Mapping[str, Layer], ...], by_name: Mapping[str, Layer]
) -> dict[str, Layer]:
    """Return layers by name: a position is the name of those in order, a mapping brings names.

    The name "" is for a layer whose own children's names stand in its place.
    """
    result: dict[str, Layer] = {}
    groups = [x if isinstance(x, Mapping) else {str(i): x} for i, x in enumerate(layers)]
    for name, layer in (pair for group in (*groups, by_name) for pair in group.items()):
        if not isinstance(layer, Layer):
            raise PellucidError(f"'{name}' must be a layer, not {layer!r}")
        if "." in name:
            raise PellucidError(f"the name '{name}' has a dot, which separates names in a path")
        if name in result:
            raise PellucidError(f"two layers are called '{name}'")
        result[name] = layer
    return result


def describe_all(layers: Mapping[str, Layer], describe: Describe) -> list[dict[str, Any]]:
    """Return a list of descriptions; a name is left out where it is the position."""
    return [
        ({} if name == str(i) else {"name": name}) | describe(name, layer)
        for i, (name, layer) in enumerate(layers.items())
    ]


def names_and_descriptions(descriptions: Any) -> dict[str, Any]:
    """Take apart what `describe_all` made."""
    if not isinstance(descriptions, list):
        raise PellucidError("layers are given as a list of tables, each with a type")
    tables = [
        {"type": "Sequential", "layers": d} if isinstance(d, list) else d for d in descriptions
    ]
    if not all(isinstance(table, dict) for table in tables):
        raise PellucidError("each layer in a list is a table with a type, or a list of such tables")
    named = {str(d.get("name", i)): d for i, d in enumerate(tables)}
    if len(named) < len(tables):
        raise PellucidError("two layers of one list have the same name")
    return {name: {k: v for k, v in d.items() if k != "name"} for name, d in named.items()}
