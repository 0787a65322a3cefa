"""Compile Pellucid's kernels for each level of processors, and put them into a wheel.

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
WANTED = (
    [],
    ["lenet5", "mlp", "resnet20", "vgg"],
)
"""What `pellucid warm-up` is asked for."""


def main() -> None:
    """Compile and build."""
    shutil.rmtree(KERNELS, ignore_errors=True)
    KERNELS.mkdir()
    (KERNELS / "__init__.py").write_text('"""Machine code that Pellucid reads; see its docs."""\n')
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    for level in (level for level in LEVELS if level.architecture == machine):
        print(f"{level.name}: {compiled(level)} kernels", flush=True)
    wheels = Path(sys.argv[1] if len(sys.argv) > 1 else "dist")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", wheels, HERE],
        check=True,
    )
    for wheel in wheels.glob("pellucid_kernels-*.whl"):
        print(f"{wheel}: {wheel.stat().st_size / 1e6:.1f} MB")


def compiled(level: Level) -> int:
    """Compile for a level, and return how many kernels there are."""
    with tempfile.TemporaryDirectory() as home:
        told = {
            "PELLUCID_HOME": home,
            "PELLUCID_ENGINE": "compiled",
            "NUMBA_CPU_NAME": level.name,
            "NUMBA_CPU_FEATURES": level.features,
        }
        for models in WANTED:
            command = [sys.executable, "-m", "pellucid", "warm-up", *models]
            subprocess.run(command, env=os.environ | told, check=True)
        for folder in (Path(home) / "kernels").iterdir():
            shutil.copytree(folder, KERNELS / folder.name, dirs_exist_ok=True)
    return len(list(KERNELS.rglob("*.kernel")))


if __name__ == "__main__":
    main()
