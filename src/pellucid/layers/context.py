"""What a forward pass needs in training and not in inference."""

from __future__ import annotations

import numpy as np

from pellucid.parameter import Buffer
from pellucid.randomness import generator
from pellucid.types import Array, Generator, Shape


class StepContext:
    """What a forward pass needs in training and not in inference.

    Parameters
    ----------
    seed, epoch, step
        The position, from which all randomness of the step follows.
    shard
        Which part of the step's batch it is, where a batch is computed in parts; each draws its own
        numbers.

    Examples
    --------
    >>> training = StepContext(seed=1, epoch=0, step=7)
    >>> training.generator("dropout").random() != training.generator("dropout").random()
    True
    """

    def __init__(
        self, seed: int = 0, epoch: int = 0, step: int = 0, shard: int | None = None
    ) -> None:
        self.seed, self.epoch, self.step, self.shard = seed, epoch, step, shard
        self._draws: dict[str, int] = {}
        self._updates: dict[Buffer, Array] = {}
        self._counts: dict[Buffer, int] = {}

    def generator(self, purpose: str) -> Generator:
        """Return this step's next generator for `purpose`: another for each layer that asks."""
        turn = self._draws[purpose] = self._draws.get(purpose, -1) + 1
        part = "" if self.shard is None else f" shard {self.shard}"
        return generator(self.seed, f"{purpose} {turn}{part}", self.epoch, self.step)

    def again(self) -> StepContext:
        """Return a context in which everything is drawn again as it was in this one."""
        return StepContext(self.seed, self.epoch, self.step, self.shard)

    def draw(self, purpose: str, shape: Shape) -> Array:
        """Return float32 numbers from 0 to 1, drawn from this step's next generator."""
        return self.generator(purpose).random(shape, dtype=np.float32)

    def update(self, buffer: Buffer, value: Array) -> None:
        """Note a buffer's next value; `commit` assigns it, once the loss is known to be finite."""
        self._updates[buffer] = value

    def count(self, buffer: Buffer) -> None:
        """Note that a counting buffer is to be increased by one."""
        self._counts[buffer] = self._counts.get(buffer, 0) + 1

    def pending(self, buffer: Buffer) -> Array:
        """Return the buffer's value with this step's notes applied (a layer may be used twice)."""
        if buffer in self._counts:
            return buffer.value + self._counts[buffer]
        noted = self._updates.get(buffer)
        return buffer.value if noted is None else noted

    def pending_updates(self) -> dict[Buffer, Array]:
        """Return the next values of all buffers that change."""
        return {buffer: self.pending(buffer) for buffer in (*self._updates, *self._counts)}

    def commit(self) -> None:
        """Assign the noted values."""
        for buffer, value in self.pending_updates().items():
            buffer.value = value
        self.forget()

    def forget(self) -> None:
        """Assign nothing of what was noted."""
        self._updates.clear()
        self._counts.clear()
