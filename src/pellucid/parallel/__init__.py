"""Training by several processes, which MPI connects, with the same bits for any number of them.

Each batch is cut into a fixed number of shards. A process computes the gradients of its shards one
after the other, and `tree` says in which order the gradients of all shards are added: one that
depends on the shards alone. So it makes no difference to a single bit who computed which shard.
"""

from __future__ import annotations

from pellucid.parallel.communicator import Alone, Communicator
from pellucid.parallel.mpi import mpi
from pellucid.parallel.shards import SHARDS
from pellucid.parallel.team import Spent, Team, check_number

__all__ = ["SHARDS", "Alone", "Communicator", "Spent", "Team", "check_number", "mpi"]
