"""The context of a training step, which a forward pass needs in training only."""

from __future__ import annotations

import numpy as np

from pellucid.parameter import Buffer
from pellucid.randomness import generator
from pellucid.types import Array, Generator, Shape


class StepContext:
    """The context of a training step: its random numbers, and updates of buffers.

    Parameters
    ----------
    seed, epoch, step
        Seed of the training run and position in it. They determine all random numbers of the step.
    shard
        Number of the part of the batch, if the batch is computed in parts; each part draws its own
        random numbers.

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
        """Return the step's next random generator for `purpose`, a different one on each call."""
        turn = self._draws[purpose] = self._draws.get(purpose, -1) + 1
        part = "" if self.shard is None else f" shard {self.shard}"
        return generator(self.seed, f"{purpose} {turn}{part}", self.epoch, self.step)

    def again(self) -> StepContext:
        """Return a context that draws the same random numbers again."""
        return StepContext(self.seed, self.epoch, self.step, self.shard)

    def repeated(self) -> StepContext:
        """Return a context that draws the random numbers that this one will draw from here on."""
        other = self.again()
        other._draws = dict(self._draws)
        return other

    def draw(self, purpose: str, shape: Shape) -> Array:
        """Return float32 random numbers in [0, 1) from the step's next generator."""
        return self.generator(purpose).random(shape, dtype=np.float32)

    def update(self, buffer: Buffer, value: Array) -> None:
        """Record a buffer's next value; `commit` assigns it once the loss is known to be finite."""
        self._updates[buffer] = value

    def count(self, buffer: Buffer) -> None:
        """Record that a counting buffer is to be increased by one."""
        self._counts[buffer] = self._counts.get(buffer, 0) + 1

    def pending(self, buffer: Buffer) -> Array:
        """Return the buffer's value including recorded updates, as a layer may be used twice."""
        if buffer in self._counts:
            return buffer.value + self._counts[buffer]
        noted = self._updates.get(buffer)
        return buffer.value if noted is None else noted

    def pending_updates(self) -> dict[Buffer, Array]:
        """Return the next values of all buffers that change."""
        return {buffer: self.pending(buffer) for buffer in (*self._updates, *self._counts)}

    def commit(self) -> None:
        """Assign the recorded values."""
        for buffer, value in self.pending_updates().items():
            buffer.value = value
        self.forget()

    def forget(self) -> None:
        """Discard the recorded values."""
        self._updates.clear()
        self._counts.clear()
