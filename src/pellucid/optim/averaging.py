"""Moving averages of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from pellucid.errors import FileError, PellucidError
from pellucid.parameter import Buffer, Parameter
from pellucid.types import Array


class ExponentialMovingAverage:
    """After each step ``a ← a + (1 − d)·(w − a)`` for every value w of a model; at first ``a = w``.

    The averages wander less than the weights and often do better in evaluation. Floating-point
    buffers, such as running statistics, are averaged too; counts are taken over as they are.
    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.

    Parameters
    ----------
    items
        Parameters and buffers by name, ``dict(model.named_state())``.
    decay
        d, from 0 to below 1: the average reaches back about ``1 / (1 − d)`` steps.
    warm_up
        Whether d begins small, ``min(d, (1 + t) / (10 + t))`` after t updates, so that the first
        values are soon forgotten.

    Attributes
    ----------
    updates
        How often `update` was called.

    Examples
    --------
    >>> w = Parameter("w", (1,), "zeros")
    >>> average = ExponentialMovingAverage({"w": w}, decay=0.75)
    >>> average.update()
    >>> w.value = np.ones(1)
    >>> average.update()
    >>> average.values["w"]
    array([0.25], dtype=float32)
    >>> with average.swapped():
    ...     print(w.value)
    [0.25]
    >>> w.value
    array([1.], dtype=float32)
    """

    def __init__(
        self, items: Mapping[str, Parameter | Buffer], decay: float = 0.999, warm_up: bool = False
    ) -> None:
        if not items:
            raise PellucidError("a moving average was given nothing to average")
        if not 0 <= decay < 1:
            raise PellucidError(f"the decay of an average is from 0 to below 1, not {decay!r}")
        self.items = dict(items)
        self.decay = decay
        self.warm_up = warm_up
        self.updates = 0
        self._values: dict[str, Array] = {}

    @property
    def values(self) -> dict[str, Array]:
        """The averages by name; the model's own values until the first update."""
        if not self.updates:
            self._values = {name: item.value.copy() for name, item in self.items.items()}
        return self._values

    def update(self) -> None:
        """Take the values of now into the averages."""
        t, values = self.updates, self.values
        decay = min(self.decay, (1 + t) / (10 + t)) if self.warm_up else self.decay
        for name, item in self.items.items():
            average = values[name]
            if np.issubdtype(average.dtype, np.floating):
                average += (1 - decay) * (item.value - average)
            else:
                average[...] = item.value
        self.updates += 1

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Put the averages into the model inside the block, and its own values back afterwards."""
        own = {name: item.value.copy() for name, item in self.items.items()}
        try:
            self._assign(self.values)
            yield
        finally:
            self._assign(own)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of the averages, ``"name/average"``, and of their number, ``"updates"``."""
        averages = {f"{name}/average": value.copy() for name, value in self.values.items()}
        return {"updates": np.array(self.updates)} | averages

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take over what `state_dict` returned. Nothing is changed unless everything fits."""
        own, values = self.state_dict(), self.values
        wrong = sorted(own.keys() ^ state.keys())
        wrong += [n for n in own if n in state and own[n].shape != state[n].shape]
        wrong += [] if wrong or state["updates"].dtype.kind in "iu" else ["updates"]
        if wrong:
            raise FileError(f"these averages belong to another model: see {', '.join(wrong)}")
        for name, average in values.items():
            average[...] = state[f"{name}/average"]
        self.updates = int(state["updates"])

    def _assign(self, values: Mapping[str, Array]) -> None:
        for name, item in self.items.items():
            item.value[...] = values[name]
