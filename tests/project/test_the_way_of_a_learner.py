"""How far it is from a layer to its formula, and that the page which shows the way is true."""

import re
from pathlib import Path

import numpy as np
import pytest

from pellucid import engine
from pellucid import layers as nn
from trace_calls import Trace

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "one-number.md"
LINK = re.compile(r"\]\(\.\./(?P<file>src/[\w/]+\.py)#L(?P<line>\d+)\)\s+`(?P<code>[^`]+)`")

IMAGES = (2, 3, 8, 8)
WAYS = {
    "Conv2d": (nn.Conv2d(3, 4, 3), IMAGES, "reference/conv/im2col.py:forward", 4, 11, 66),
    "BatchNorm2d": (nn.BatchNorm2d(3), IMAGES, "reference/normalization.py:batch_norm", 3, 5, 20),
    "Linear": (nn.Linear(8, 4), (2, 8), "reference/linear.py:linear", 3, 6, 10),
    "ReLU": (nn.ReLU(), IMAGES, "reference/activation.py:relu", 3, 4, 5),
}
"""A layer, its input, the function with its formula; how many files lead there; how many are
entered in all, also by what the formula itself calls, and with how many calls."""


@pytest.mark.parametrize("name", WAYS)
def test_from_a_layer_to_its_formula_it_is_not_far(name):
    layer, shape, formula, way, files, calls = WAYS[name]
    x = np.ones(shape, np.float32)
    with engine.using("reference"):
        layer(x)  # weights are drawn and sizes are resolved once
        with Trace(until=formula) as trace:
            layer.forward(x)
    assert len(trace.way) == way, trace.way
    assert len(trace.files) <= files, trace.files
    assert len(trace.calls) <= calls, trace.calls


@pytest.mark.parametrize("file", [file for file, _, _ in LINK.findall(PAGE.read_text("utf-8"))])
def test_the_page_links_to_the_lines_that_it_quotes(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    quoted = [
        (int(line), code)
        for name, line, code in LINK.findall(PAGE.read_text(encoding="utf-8"))
        if name == file
    ]
    for line, code in quoted:
        at = [i for i, text in enumerate(lines, 1) if text.strip().startswith(code)]
        assert line in at, f"{file}: `{code}` stands in line {at}, the page says {line}"
