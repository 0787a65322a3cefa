"""The two programs to read beside examples/mnist.py run, and print what it prints."""

import re
import runpy
from pathlib import Path

import pytest

from pellucid import models

EXAMPLES = Path(__file__).parents[2] / "examples"
EPOCH = re.compile(
    r"epoch \d/3 · loss \d\.\d{4}, accuracy \d+\.\d\d % · "
    r"validation loss \d\.\d{4}, accuracy \d+\.\d\d %( \(best\))? · \d+\.\d s, [\d,]+ images/s"
)
END = re.compile(r"accuracy (\d+\.\d\d) %, top-5 \d+\.\d\d %, loss \d\.\d{4}, calibration error .*")


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_they_learn_digits_and_print_the_same_lines(framework, capsys):
    program = runpy.run_path(str(EXAMPLES / f"{framework}_mnist.py"))
    program["main"](3000)
    *epochs, end, blank, head = capsys.readouterr().out.splitlines()[:6]
    assert len(epochs) == 3
    assert all(EPOCH.fullmatch(line) for line in epochs)
    assert float(END.fullmatch(end)[1]) > 80
    assert (blank, head.split()[0]) == ("", "class")


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_the_network_and_the_recipe_are_those_of_our_example(framework):
    ours = (EXAMPLES / "mnist.py").read_text(encoding="utf-8")
    theirs = (EXAMPLES / f"{framework}_mnist.py").read_text(encoding="utf-8")
    assert re.findall(r"Conv2d\(\d+, (\d+), (\d)", ours) == [("8", "5"), ("16", "5")]
    assert re.findall(r"Conv2[dD]\((?:\d+, )?(\d+), (\d)[,)]", theirs) == [("8", "5"), ("16", "5")]
    assert "optim.Adam(" in ours
    assert re.search(r"Adam\((model.parameters\(\))?\)", theirs)
    assert "batch_size=64" in theirs
    assert models.build("lenet5", (1, 28, 28), 10)[0].initializer == "he_normal"
    assert re.search("kaiming_normal|he_normal", theirs)
