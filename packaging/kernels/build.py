"""Compile Pellucid's kernels for each level of processors, for the wheel that holds them.

    make kernels

Each level is compiled in processes of its own that are told its name; nothing that is compiled is
run, so a machine builds levels above its own too.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pellucid.compiled.levels import LEVELS, Level

HERE = Path(__file__).parent
KERNELS = HERE / "pellucid_kernels"


def main() -> None:
    """Compile everything into the folder that becomes the wheel."""
    shutil.rmtree(KERNELS, ignore_errors=True)
    KERNELS.mkdir()
    (KERNELS / "__init__.py").write_text('"""Machine code that Pellucid reads; see its docs."""\n')
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    chosen = sys.argv[1:]
    for level in LEVELS:
        if level.architecture == machine and (not chosen or level.name in chosen):
            print(f"{level.name}: {compiled(level)} kernels", flush=True)


def compiled(level: Level) -> int:
    """Compile for a level, and return how many kernels there are."""
    with tempfile.TemporaryDirectory() as home:
        told = {
            "PELLUCID_HOME": home,
            "PELLUCID_ENGINE": "compiled",
            "NUMBA_CPU_NAME": level.name,
            "NUMBA_CPU_FEATURES": level.features,
        }
        command = [sys.executable, HERE / "wanted.py"]
        subprocess.run(command, env=os.environ | told, check=True)
        kernels = Path(home) / "kernels"
        shutil.copytree(kernels, KERNELS, dirs_exist_ok=True)
        return len(list(kernels.rglob("*.kernel")))


if __name__ == "__main__":
    main()
