"""Python as a process of its own, with the compiled engine and an environment that is given."""

import os
import subprocess
import sys


def run_python(code, **environment):
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PELLUCID_ENGINE": "compiled"} | environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return process.stdout.strip(), process.stderr
