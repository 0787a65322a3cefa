"""Start several processes with the mpiexec of this environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MPIEXEC = Path(sys.executable).with_name("mpiexec")


def mpiexec(processes, *command, options=(), environment=(), timeout=120):
    """Run Python with these arguments in several processes, and return the completed process."""
    pytest.importorskip("mpi4py")
    return subprocess.run(
        [MPIEXEC, "--oversubscribe", *options, "-n", f"{processes}", sys.executable, *command],
        env={**os.environ, **AS_ROOT, **dict(environment)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
"""Containers run tests as root, which Open MPI allows only with these variables."""
