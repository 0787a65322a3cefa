"""Run Python in a separate process, with the compiled engine and a given environment."""

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
