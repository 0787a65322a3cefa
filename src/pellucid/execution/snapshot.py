"""Detect whether a model has changed."""

from __future__ import annotations

from typing import Any

from pellucid.layers import Layer
from pellucid.types import Array


class Snapshot:
    """A model's layers, settings and arrays at some moment, for later comparison.

    The numbers inside the arrays may change; layers do not know of the snapshot.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Dropout(0.5))
    >>> snapshot = Snapshot(model)
    >>> snapshot.still_holds()
    True
    >>> model[0].p = 0.1
    >>> snapshot.still_holds()
    False
    """

    def __init__(self, model: Layer) -> None:
        self._settings = [(vars(layer), _copied(vars(layer))) for _, layer in model.walk()]
        self._values: list[tuple[Any, Array]] = [
            (item, item.value) for _, item in model.named_state()
        ]

    def still_holds(self) -> bool:
        """Return whether no layer, setting or array was replaced."""
        try:
            if any(now != before for now, before in self._settings):
                return False
        except ValueError:  # an array setting was replaced by another
            return False
        return all(item.value is value for item, value in self._values)


def _copied(settings: dict[str, Any]) -> dict[str, Any]:
    return {k: dict(v) if isinstance(v, dict) else v for k, v in settings.items()}
