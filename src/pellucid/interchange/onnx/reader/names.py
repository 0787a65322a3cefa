"""Make names of layers from the names of nodes and weights in a file."""

from __future__ import annotations

import re

_WEIGHT = re.compile(r"(?P<layer>.+)[./](weight|kernel|gamma)(:0)?$")
_LONGEST = 80


class Names:
    """Make each name unique, with only letters, digits and underscores."""

    def __init__(self) -> None:
        self._turn: dict[str, int] = {}
        self._taken: set[str] = set()

    def new(self, wish: str) -> str:
        """Return `wish` made valid, with a number appended if it is taken.

        >>> names = Names()
        >>> names.new("layer1.0.conv1"), names.new("layer1.0.conv1")
        ('layer1_0_conv1', 'layer1_0_conv1_2')
        """
        clean = re.sub(r"\W+", "_", wish[:_LONGEST], flags=re.ASCII).strip("_") or "node"
        name, turn = clean, self._turn.get(clean, 1)
        while name in self._taken:
            turn += 1
            name = f"{clean}_{turn}"
        self._turn[clean] = turn
        self._taken.add(name)
        return name


def layer_of(weight: str) -> str:
    """Return the layer to which a weight belongs, if its name shows it, else "".

    >>> layer_of("layer1.0.conv1.weight")
    'layer1.0.conv1'
    """
    match = _WEIGHT.match(weight[:200])
    return match["layer"] if match else ""


def of_node(name: str, op: str) -> str:
    """Return a layer's name from its node's name; PyTorch names nodes by paths of modules.

    >>> of_node("/layer1/layer1.0/conv1/Conv", "Conv"), of_node("", "Relu")
    ('layer1.0.conv1', 'relu')
    """
    parts: list[str] = []
    for part in filter(None, name[:200].split("/")):
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    if len(parts) > 1 and parts[-1].startswith(op):
        parts.pop()
    return ".".join(parts) or op.lower()
