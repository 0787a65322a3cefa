"""The structure of a network for diagrams: boxes in chains, branches and repetitions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pellucid.layers import Layer

_LONGEST_PATTERN = 4
"""How many parts in a row may be repeated together."""


@dataclass(frozen=True)
class Box:
    """A layer with the elementwise layers after it, such as a norm and an activation.

    Attributes
    ----------
    name, label, followers
        Its path, its type ("Conv2d 3×3"), and the types of the layers after it.
    shape
        Output shape for one image.
    parameters, shared
        Number of parameters, and whether they were already counted in an earlier box.
    joins
        Whether it combines several values.
    kind
        Equal for two boxes that differ only in their numbers of channels.
    times, last
        Number of consecutive repetitions, and the path of the last.
    """

    name: str
    label: str
    shape: Any
    parameters: int
    shared: bool
    joins: bool
    kind: tuple[Any, ...]
    followers: tuple[str, ...] = ()
    times: int = 1
    last: Box | None = None

    @property
    def exact(self) -> tuple[Any, ...]:
        """Equal for two boxes with the same operation and numbers of channels."""
        return self.kind, self.shape, self.parameters


@dataclass(frozen=True)
class Branches:
    """Chains that read one another: ``chains[i]`` computes value i + 1; value 0 is the input.

    Attributes
    ----------
    reads, outputs
        Numbers of the values that each chain reads, and of the output values.
    name, shape, times, last
        As for a `Box`.
    """

    name: str
    chains: tuple[Chain, ...]
    reads: tuple[tuple[int, ...], ...]
    outputs: tuple[int, ...]
    shape: Any
    times: int = 1
    last: Branches | None = None

    @property
    def kind(self) -> tuple[Any, ...]:
        return tuple(tuple(part.kind for part in c) for c in self.chains), self.reads, self.outputs

    @property
    def exact(self) -> tuple[Any, ...]:
        return tuple(tuple(part.exact for part in c) for c in self.chains), self.reads, self.outputs


@dataclass(frozen=True)
class Repeat:
    """A chain of several parts that is repeated `times` times."""

    chain: Chain
    times: int

    @property
    def kind(self) -> tuple[Any, ...]:
        return tuple(part.kind for part in self.chain), self.times

    @property
    def exact(self) -> tuple[Any, ...]:
        return tuple(part.exact for part in self.chain), self.times


Part = Box | Branches | Repeat
Chain = tuple[Part, ...]


def count(chain: Chain) -> int:
    """Return the number of boxes drawn for a chain."""
    total = 0
    for part in chain:
        if isinstance(part, Box):
            total += 1
        else:
            total += sum(map(count, part.chains if isinstance(part, Branches) else [part.chain]))
    return total


def read(model: Layer, input_shape: Any) -> Chain:
    """Return the chain of `model` for an input shape, batch included."""
    return _chain(model, "", "", input_shape, set())


def _chain(layer: Layer, path: str, known: str, shape: Any, seen: set[int]) -> Chain:
    """Return the chain of a layer; `known` is the prefix of its path that need not be repeated."""
    wiring = layer.wiring()
    if wiring is None:
        return (_box(layer, path.removeprefix(known), shape, seen),)
    shapes = wiring.shapes(shape if wiring.inputs > 1 else [shape])
    inner = known if wiring.is_chain else f"{path}." if path else ""
    chains = []
    for name, child, reads in wiring.wires:
        given = tuple(shapes[i] for i in reads)
        where = f"{path}.{name}" if path and name else path or name
        chains.append(_chain(child, where, inner, given[0] if child.inputs == 1 else given, seen))
    if wiring.is_chain:
        return _gathered(part for chain in chains for part in chain)

    def number(values: Iterable[int]) -> tuple[int, ...]:
        """Return the numbers of values, where all inputs have number 0."""
        return tuple(max(0, i - wiring.inputs + 1) for i in values)

    outputs = [shapes[i] for i in wiring.outputs]
    branches = Branches(
        path.removeprefix(known),
        tuple(chains),
        tuple(number(wire.reads) for wire in wiring.wires),
        number(wiring.outputs),
        one(outputs[0] if len(outputs) == 1 else tuple(outputs)),
    )
    return (_joined(branches),)


def _box(layer: Layer, name: str, shape: Any, seen: set[int]) -> Box:
    output, label = layer.output_shape(shape), _label(layer)
    parameters = sum(math.prod(parameter.shape) for parameter in layer.parameters())
    shared = id(layer) in seen and parameters > 0
    seen.add(id(layer))
    only_numbers = output == shape and not layer.multiply_adds(shape)
    kind = (label, only_numbers, one(output)[1:])
    return Box(name, label, one(output), parameters, shared, layer.inputs != 1, kind)


def _gathered(parts: Iterable[Part]) -> Chain:
    """Merge elementwise boxes into the box before them."""
    chain: list[Part] = []
    for part in parts:
        before = chain[-1] if chain else None
        if isinstance(before, Box) and isinstance(part, Box) and part.kind[1] and not part.joins:
            chain[-1] = replace(
                before,
                followers=(*before.followers, part.label, *part.followers),
                parameters=before.parameters + part.parameters,
                kind=(*before.kind, *part.kind),
            )
        else:
            chain.append(part)
    return tuple(chain)


def _joined(branches: Branches) -> Branches:
    """Merge two chains if the second is the only reader of the first and reads nothing else."""
    uses = Counter(i for reads in (*branches.reads, branches.outputs) for i in reads)
    chains: list[Chain] = []
    reads: list[tuple[int, ...]] = []
    number = {0: 0}
    for i, (chain, read) in enumerate(zip(branches.chains, branches.reads, strict=True), start=1):
        if len(read) == 1 and read[0] > 0 and uses[read[0]] == 1:
            number[i] = number[read[0]]
            chains[number[i] - 1] = _gathered((*chains[number[i] - 1], *chain))
        else:
            chains.append(chain)
            reads.append(tuple(number[j] for j in read))
            number[i] = len(chains)
    outputs = tuple(number[i] for i in branches.outputs)
    return replace(branches, chains=tuple(chains), reads=tuple(reads), outputs=outputs)


def folded(chain: Chain, loosely: bool = False) -> Chain:
    """Return the chain with repetitions folded.

    Parameters
    ----------
    loosely
        Whether branches that differ only in their numbers of channels count as equal.
    """
    parts = [_folded_inside(part, loosely) for part in chain]
    keys = [
        part.kind if loosely and isinstance(part, Branches) else (part.exact, type(part))
        for part in parts
    ]
    result: list[Part] = []
    i = 0
    while i < len(parts):
        length, times = _pattern(keys[i:])
        if times == 1:
            result.append(parts[i])
        elif length == 1 and not isinstance(part := parts[i], Repeat):
            last: Any = parts[i + times - 1]
            result.append(replace(part, times=times, last=last))
        else:
            result.append(Repeat(tuple(parts[i : i + length]), times))
        i += length * times
    return tuple(result)


def _folded_inside(part: Part, loosely: bool) -> Part:
    if not isinstance(part, Branches):
        return part
    return replace(part, chains=tuple(folded(chain, loosely) for chain in part.chains))


def _pattern(keys: Sequence[Any]) -> tuple[int, int]:
    """Return (length, times) of the initial repetition that saves most, or (1, 1)."""
    best = (1, 1)
    for length in range(1, min(_LONGEST_PATTERN, len(keys) // 2) + 1):
        times = 1
        while keys[times * length : (times + 1) * length] == keys[:length]:
            times += 1
        if length * (times - 1) > best[0] * (best[1] - 1):
            best = (length, times)
    return best


def _label(layer: Layer) -> str:
    """Return the type of a layer with its most important arguments.

    >>> from pellucid import layers as nn
    >>> _label(nn.Conv2d(3, 8, 3, stride=2, padding=1, groups=1)), _label(nn.Dropout(0.2))
    ('Conv2d 3×3, stride 2', 'Dropout 0.2')
    """
    described, label = layer.arguments(), type(layer).__name__
    if "kernel_size" in described:
        label += f" {_pair(described['kernel_size'])}"
    if "p" in described:
        label += f" {described['p']:g}"
    stride = getattr(layer, "stride", None) if "stride" in described else None
    if stride is not None and stride != described.get("kernel_size"):
        label += f", stride {stride if isinstance(stride, int) else _pair(stride)}"
    if "groups" in described:
        label += f", {described['groups']} groups"
    return label


def _pair(size: Any) -> str:
    return "×".join(map(str, size if isinstance(size, tuple | list) else (size, size)))


def with_batch(shape: Any) -> Any:
    """Add a batch dimension of 1 to a shape, or to several."""
    return tuple(map(with_batch, shape)) if isinstance(shape[0], tuple) else (1, *shape)


def one(shape: Any) -> Any:
    """Remove the batch dimension from a shape, or from several."""
    return tuple(map(one, shape)) if shape and isinstance(shape[0], tuple) else shape[1:]


def sizes(shape: Any) -> str:
    """Format a shape, or several, as text.

    >>> sizes((3, 32, 32))
    '3×32×32'
    """
    if shape and isinstance(shape[0], tuple):
        return ", ".join(map(sizes, shape))
    return "×".join(map(str, shape))
