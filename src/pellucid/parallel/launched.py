"""Rank and size of a process started by ``mpiexec``, read from the environment without MPI."""

from __future__ import annotations

import os

_RANK = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")
_SIZE = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS")


def rank() -> int | None:
    """Return the rank of this process, or None if ``mpiexec`` did not start it."""
    return _number(_RANK)


def size() -> int | None:
    """Return the number of processes started by ``mpiexec``, or None without ``mpiexec``."""
    return None if rank() is None else _number(_SIZE)


def _number(names: tuple[str, ...]) -> int | None:
    found = (os.environ.get(name, "") for name in names)
    return next((int(value) for value in found if value.isdecimal()), None)
