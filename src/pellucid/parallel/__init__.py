"""Data-parallel training over MPI, bit-identical for any number of processes.

Each batch is cut into a fixed number of shards. A process computes the gradients of its shards one
after the other. The gradients of all shards are added in the order defined by `tree`, which depends
only on the number of shards. So the result does not depend on which process computed which shard.
"""

from __future__ import annotations

from pellucid.parallel.communicator import Alone, Communicator, Exchange
from pellucid.parallel.mpi import mpi
from pellucid.parallel.shards import SHARDS
from pellucid.parallel.spent import Spent
from pellucid.parallel.team import Team, check_number

__all__ = ["SHARDS", "Alone", "Communicator", "Exchange", "Spent", "Team", "check_number", "mpi"]
