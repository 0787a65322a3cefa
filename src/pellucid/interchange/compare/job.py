"""The job given to the process of one framework."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """What one framework's process has to do.

    Attributes
    ----------
    framework
        Name of the framework.
    folder
        Folder that holds the model and the batches, and receives the results.
    threads
        Number of threads.
    rate, momentum
        Learning rate and momentum of SGD.
    """

    framework: str
    folder: str
    threads: int
    rate: float
    momentum: float

    @property
    def model(self) -> Path:
        """File of the network and its weights."""
        return Path(self.folder) / "model.safetensors"

    @property
    def batches(self) -> Path:
        """File of the images (steps, N, C, H, W) and targets (steps, N)."""
        return Path(self.folder) / "batches.safetensors"

    def inspection(self, dtype: str) -> Path:
        """Return the file that receives the framework's results in this type."""
        return Path(self.folder) / f"{self.framework}-{dtype}.safetensors"

    def to_json(self) -> str:
        """Return the job as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Return the job that `to_json` wrote."""
        return cls(**json.loads(text))
