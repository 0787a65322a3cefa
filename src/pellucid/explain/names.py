"""Name each use of the layers of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pellucid.errors import PellucidError, unknown
from pellucid.execution.frozen import Frozen
from pellucid.layers import Layer
from pellucid.layers.base import join


class Uses:
    """Names of the uses of layers during one pass: the path, then "path#2" and so on.

    Paths are those of `Layer.walk`. A child whose own children keep their names, such as the body
    of a `Residual`, is called "body"; the model itself is "".

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> relu = nn.ReLU()
    >>> uses = Uses(nn.Sequential(nn.Sequential(act=relu), relu))
    >>> uses(relu), uses(relu)
    ('0.act', '0.act#2')
    """

    def __init__(self, model: Layer) -> None:
        refuse_frozen(model)
        self.paths: dict[int, str] = {}
        self._visit("", "", model)
        self.counts: Counter[str] = Counter()

    def _visit(self, path: str, own: str, layer: Layer) -> None:
        if id(layer) in self.paths:
            return
        self.paths[id(layer)] = own
        for name, child in layer.children().items():
            self._visit(join(path, name), join(path, name or "body"), child)

    def __call__(self, layer: Layer) -> str:
        """Return the name of this use of a layer."""
        return next_use(self.paths.get(id(layer), type(layer).__name__), self.counts)

    @property
    def seen(self) -> list[str]:
        """Names of all uses so far."""
        again: Counter[str] = Counter()
        return [next_use(path, again) for path in self.counts.elements()]


def next_use(path: str, counts: Counter[str]) -> str:
    """Count one more use of `path`, and return its name."""
    counts[path] += 1
    return path if counts[path] == 1 else f"{path}#{counts[path]}"


def refuse_frozen(model: Layer) -> None:
    """Raise an error for a frozen model, whose layers are merged."""
    if isinstance(model, Frozen):
        raise PellucidError(
            "a frozen model has merged its layers, so they cannot be inspected; use the model from "
            "which it was made"
        )


def check_names(wanted: Iterable[str], known: Iterable[str]) -> None:
    """Raise an error for the first of the `wanted` names that is not known."""
    names = list(known)
    for name in wanted:
        if name not in names:
            raise PellucidError(unknown("layer", name, [known for known in names if known]))
