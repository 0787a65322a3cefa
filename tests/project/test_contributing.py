"""A layer that is added as CONTRIBUTING.md says passes the tests that every layer passes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EDIT = re.compile(
    r"(?:at the end of|below `(?P<anchor>[^`]+)` in)\s+`(?P<file>[\w./]+)`[^`]*?:\n\n"
    r"```(?:python no-run|text)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
USE = """
import numpy as np, tempfile, onnx
from pellucid import layers as nn
from pellucid.interchange.onnx import save
model = nn.Sequential(nn.Linear(2, 2), nn.Mish())
print(model(np.ones((1, 2), np.float32)).shape, nn.build(model.describe())[1])
with tempfile.TemporaryDirectory() as folder:
    save(model, folder + "/mish.onnx", (2,))
    print([node.op_type for node in onnx.load(folder + "/mish.onnx").graph.node][-1])
"""


def test_an_activation_is_added_word_for_word(tmp_path):
    pytest.importorskip("onnx")
    for part in ("src", "tests"):
        shutil.copytree(
            ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "data")
        )
    shutil.copytree(ROOT / "src/pellucid/data", tmp_path / "src/pellucid/data", dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    edits = list(EDIT.finditer((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert len(edits) == 5
    for edit in edits:
        path = tmp_path / edit["file"]
        text = path.read_text(encoding="utf-8")
        if edit["anchor"] is None:
            text += "\n\n" + edit["code"]
        else:
            assert text.count(edit["anchor"] + "\n") == 1
            text = text.replace(edit["anchor"] + "\n", edit["anchor"] + "\n" + edit["code"])
        path.write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
    options = ["-q", "-k", "Mish and reference", "-p", "no:cacheprovider", "--doctest-modules"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/layers/test_conformance.py", *options],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
    assert int(re.search(r"(\d+) passed", run.stdout)[1]) > 20
    used = subprocess.run(
        [sys.executable, "-c", USE], env=environment, capture_output=True, text=True, check=True
    )
    assert used.stdout.splitlines() == ["(1, 2) Mish()", "Mish"]
