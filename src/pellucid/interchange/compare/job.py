"""What one framework has to do, in a process of its own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """One framework's part.

    Attributes
    ----------
    framework
        Its name.
    folder
        Where the model and the batches lie, and where it writes what it sees.
    threads, rate, momentum
        How it computes and learns.
    """

    framework: str
    folder: str
    threads: int
    rate: float
    momentum: float

    @property
    def model(self) -> Path:
        """The network and its weights."""
        return Path(self.folder) / "model.safetensors"

    @property
    def batches(self) -> Path:
        """Images (steps, N, C, H, W) and targets (steps, N)."""
        return Path(self.folder) / "batches.safetensors"

    def look(self, dtype: str) -> Path:
        """Return where what it sees is written."""
        return Path(self.folder) / f"{self.framework}-{dtype}.safetensors"

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Return what `to_json` wrote."""
        return cls(**json.loads(text))
