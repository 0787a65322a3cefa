"""Where a process spends its time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Spent:
    """Time that a process spent in an epoch, by activity.

    Attributes
    ----------
    host
        Name of the machine.
    steps
        Number of steps in which the process took part.
    compute, wait, exchange
        Seconds spent computing its shards, waiting for the other processes, and summing the
        gradients that were not summed during the computation.
    """

    host: str = ""
    steps: int = 0
    compute: float = 0.0
    wait: float = 0.0
    exchange: float = 0.0
