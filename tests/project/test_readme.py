"""What the README and the other pages promise can be typed, followed and run."""

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.main import get_command

import pellucid as pl
from pellucid.cli.app import app
from pellucid.data import DataSet, Splits

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a few images in MNIST's place: class k has its k-th rows bright."""
    source = np.random.default_rng(0)
    labels = np.arange(300) % 10
    images = source.integers(0, 60, (300, 1, 28, 28)).astype(np.uint8)
    for row in (0, 1):
        images[np.arange(300), 0, 2 * labels + row + 4] = 255
    data = DataSet(images, labels, tuple("0123456789"), "stand-in")
    monkeypatch.setattr(pl.data, "load", lambda name: Splits(*data.split(0.3)))


def learned(shown: str) -> bool:
    """Return whether three epochs are shown, and an accuracy far above chance."""
    accuracy = re.search(r"^accuracy ([\d.]+) %", shown, re.MULTILINE)
    return "epoch 3/3" in shown and accuracy is not None and float(accuracy[1]) > 50


@pytest.mark.usefixtures("stand_in")
def test_the_python_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python no-run\n(.*?)```", README, re.DOTALL)
    exec(code, {})
    assert learned(capsys.readouterr().out)


@pytest.mark.usefixtures("stand_in")
def test_the_mnist_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "mnist.py"), run_name="__main__")
    assert learned(capsys.readouterr().out)


def test_the_xor_example_ends_with_the_right_table() -> None:
    program = [sys.executable, ROOT / "examples" / "xor.py"]
    shown = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    table = [line.split() for line in shown.splitlines()[-4:]]
    assert [(a, b, last) for a, b, _, last in table] == [
        *(("0", "0", "0"), ("0", "1", "1"), ("1", "0", "1"), ("1", "1", "0")),
    ]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("pellucid ")])
def test_commands_of_the_readme_exist_with_their_options(line: str) -> None:
    words = line.split("#")[0].split()
    command: Any = get_command(app).commands[words[1]]
    command = getattr(command, "commands", {}).get(words[-1 if len(words) < 3 else 2], command)
    known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_targets_of_the_readme_exist(line: str) -> None:
    assert re.search(rf"^{line.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
