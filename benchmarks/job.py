"""What one process is asked to do."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]

LEARNING_RATE, MOMENTUM = 0.001, 0.9
"""So small a rate that thousands of steps on few batches stay finite."""


@dataclass(frozen=True)
class Job:
    """One network in one framework, to train or to run.

    Parameters
    ----------
    framework, options
        Which file of `benchmarks.frameworks`, and what its contestant is told.
    training
        Whether it trains; else it answers.
    network, description, input_shape, flattened
        The network, as `networks` has it.
    state
        The path of the safetensors file with the values to begin with.
    batch, threads
        How many images at once, and on how many processors.
    """

    framework: str
    options: dict[str, Any] = field(repr=False)
    training: bool
    network: str
    description: dict[str, Any] = field(repr=False)
    input_shape: Shape = field(repr=False)
    flattened: dict[str, Shape] = field(repr=False)
    state: str = field(repr=False)
    batch: int
    threads: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        return cls(**json.loads(text))


class Contestant(Protocol):
    """A network in one framework: ``Contestant(job, state)``, with values by path."""

    def batch(self, x: Array, targets: Array) -> Any:
        """Return images (N, C, H, W) and class numbers in the form that it likes; not timed."""

    def train(self, batch: Any) -> float:
        """Take one step of SGD with momentum and return the loss that it began with."""

    def infer(self, x: Array) -> Array:
        """Return the outputs for images (N, C, H, W), from array to array."""
