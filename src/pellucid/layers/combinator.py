"""Combinators: layers made of other layers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol, Self, cast

from pellucid.errors import PellucidError
from pellucid.layers.base import Layer, failing_at
from pellucid.layers.wiring import Wiring

Describe = Callable[[str, Layer], dict[str, Any]]
"""Function (name, child) that returns the child's description."""


class Build(Protocol):
    """Build the child with this name from its description, for this input shape if known."""

    def __call__(self, name: str, description: Any, input_shape: Any) -> Layer: ...


class Combinator(Layer, abstract=True):
    """A layer made of layers, which routes values forward and gradients backward."""

    entries: ClassVar[tuple[str, ...]]
    """Names of the entries that a description may have besides the type."""

    @abstractmethod
    def child_inputs(self, input_shape: Any) -> Iterator[tuple[str, Layer, Any]]:
        """Yield (name, child, shape of its input), in the order in which the children run."""

    @abstractmethod
    def wiring(self) -> Wiring: ...

    @abstractmethod
    def parts(self, describe: Describe) -> dict[str, Any]:
        """Return the entries of the description, without the type."""

    @classmethod
    @abstractmethod
    def from_parts(cls, parts: dict[str, Any], build: Build, input_shape: Any) -> Self:
        """Build the layer that `parts` describes."""

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
        """Return the class that the description names.

        A subclass that only builds its layers in its own ``__init__`` is described as its base
        class, with those layers.
        """
        kind = type(self)
        made_by: Any = next(each for each in kind.__mro__ if "from_parts" in vars(each))
        if kind.__init__ is made_by.__init__:
            return kind
        if any(
            getattr(kind, name) is not getattr(made_by, name) for name in ("forward", "backward")
        ):
            raise PellucidError(
                f"{kind.__name__} has its own __init__ and its own forward or backward, so it "
                "cannot be rebuilt from a file; give it a classmethod from_parts, or keep the "
                "__init__ of its base class"
            )
        return cast(type[Layer], made_by)

    def multiply_adds(self, input_shape: Any) -> int:
        return sum(child.multiply_adds(shape) for _, child, shape in self.child_inputs(input_shape))

    def child_shape(self, name: str, child: Layer, input_shape: Any) -> Any:
        """Return the child's output shape; an error names the child."""
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
    """Return layers by name: positional layers are named by their position.

    For a layer named "", its children's names are used.
    """
    result: dict[str, Layer] = {}
    groups = [x if isinstance(x, Mapping) else {str(i): x} for i, x in enumerate(layers)]
    for name, layer in (pair for group in (*groups, by_name) for pair in group.items()):
        if not isinstance(layer, Layer):
            raise PellucidError(f"'{name}' must be a layer, not {layer!r}")
        if "." in name:
            raise PellucidError(f"the name '{name}' has a dot, which separates names in a path")
        if name in result:
            raise PellucidError(f"two layers have the name '{name}'")
        result[name] = layer
    return result


def describe_all(layers: Mapping[str, Layer], describe: Describe) -> list[dict[str, Any]]:
    """Return the descriptions of layers as a list; a name equal to the position is omitted."""
    return [
        ({} if name == str(i) else {"name": name}) | describe(name, layer)
        for i, (name, layer) in enumerate(layers.items())
    ]


def names_and_descriptions(descriptions: Any) -> dict[str, Any]:
    """Return descriptions by name from the list that `describe_all` made."""
    if not isinstance(descriptions, list):
        raise PellucidError("layers must be a list of tables, each with a type")
    tables = [
        {"type": "Sequential", "layers": d} if isinstance(d, list) else d for d in descriptions
    ]
    if not all(isinstance(table, dict) for table in tables):
        raise PellucidError("each layer in a list must be a table with a type, or a list of tables")
    named = {str(d.get("name", i)): d for i, d in enumerate(tables)}
    if len(named) < len(tables):
        raise PellucidError("two layers of a list have the same name")
    return {name: {k: v for k, v in d.items() if k != "name"} for name, d in named.items()}
