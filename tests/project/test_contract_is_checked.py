"""The type checker holds both engines to the contract: it finds a signature that differs."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pellucid.contract import Engine

ROOT = Path(__file__).parents[2]
WRONG = """
from pellucid.{engine} import {others}
from pellucid.types import Array

def linear_input_gradient(weight: Array, dy: Array) -> Array:  # the other way round
    return dy
"""
CHANGED = "linear_input_gradient"
CHECK = """
from pellucid import {engine}
from pellucid.contract import Engine
import wrong

right: Engine = {engine}
differs: Engine = wrong
"""


@pytest.mark.skipif(find_spec("mypy") is None, reason="needs mypy")
@pytest.mark.parametrize("engine", ["reference", "compiled"])
def test_a_wrong_signature_is_found(tmp_path, engine):
    others = [name for name in vars(Engine) if not name.startswith("_") and name != CHANGED]
    (tmp_path / "wrong.py").write_text(WRONG.format(engine=engine, others=", ".join(others)))
    (tmp_path / "check.py").write_text(CHECK.format(engine=engine))
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml",
         "--implicit-reexport", "--cache-dir", ROOT / ".mypy_cache", "check.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    errors = [line for line in run.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 1, run.stdout
    assert errors[0].startswith("check.py:7: error: Incompatible types in assignment")
    assert CHANGED in run.stdout
