"""Moving averages of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from pellucid.errors import FileError, PellucidError
from pellucid.parameter import Buffer, Parameter
from pellucid.types import Array


class ExponentialMovingAverage:
    """Update ``a ← a + (1 − d)·(w − a)`` after each step for every value w, with a = w at first.

    The averages fluctuate less than the weights and often perform better in evaluation.
    Floating-point buffers, such as running statistics, are averaged too; counts are copied.
    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.

    Parameters
    ----------
    items
        Parameters and buffers by name, ``dict(model.named_state())``.
    decay
        Decay d, in [0, 1): the average extends over about ``1 / (1 − d)`` steps. Default: 0.999.
    warm_up
        Whether d starts small, as ``min(d, (1 + t) / (10 + t))`` after t updates, so that the
        initial values are soon forgotten. Default: False.

    Attributes
    ----------
    updates
        Number of calls of `update`.

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
            raise PellucidError("there are no parameters to average")
        if not 0 <= decay < 1:
            raise PellucidError(f"decay must be at least 0 and below 1, not {decay!r}")
        self.items = dict(items)
        self.decay = decay
        self.warm_up = warm_up
        self.updates = 0
        self._values: dict[str, Array] = {}

    def __repr__(self) -> str:
        return f"ExponentialMovingAverage({len(self.items)} values, decay={self.decay:g})"

    @property
    def values(self) -> dict[str, Array]:
        """The averages by name; before the first update, the model's own values."""
        if not self.updates:
            self._values = {name: item.value.copy() for name, item in self.items.items()}
        return self._values

    def update(self) -> None:
        """Update the averages with the present values."""
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
        """Use the averages as the model's values inside the ``with`` block."""
        own = {name: item.value.copy() for name, item in self.items.items()}
        try:
            self._assign(self.values)
            yield
        finally:
            self._assign(own)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of the averages, ``"name/average"``, and the number of ``"updates"``."""
        averages = {f"{name}/average": value.copy() for name, value in self.values.items()}
        return {"updates": np.array(self.updates)} | averages

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Load what `state_dict` returned. Nothing is changed unless all of it fits."""
        own, values = self.state_dict(), self.values
        wrong = sorted(own.keys() ^ state.keys())
        wrong += [n for n in own if n in state and own[n].shape != state[n].shape]
        wrong += [] if wrong or state["updates"].dtype.kind in "iu" else ["updates"]
        if wrong:
            raise FileError(f"these averages are of another model: see {', '.join(wrong)}")
        for name, average in values.items():
            average[...] = state[f"{name}/average"]
        self.updates = int(state["updates"])

    def _assign(self, values: Mapping[str, Array]) -> None:
        for name, item in self.items.items():
            item.value[...] = values[name]
