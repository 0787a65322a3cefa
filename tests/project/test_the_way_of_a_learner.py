"""How far it is from a layer to its formula, and that the page which shows the way is true.

Run as a program, it puts the numbers of the lines into the page.
"""

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


def with_lines(page):
    """Return the page with each link at the line that it quotes."""

    def link(match):
        lines = (ROOT / match["file"]).read_text(encoding="utf-8").splitlines()
        at = next(
            (i for i, line in enumerate(lines, 1) if line.strip().startswith(match["code"])), None
        )
        assert at is not None, f"{match['file']} has no line `{match['code']}`"
        return match[0].replace(f"#L{match['line']})", f"#L{at})")

    return LINK.sub(link, page)


def test_the_page_links_to_the_lines_that_it_quotes():
    page = PAGE.read_text(encoding="utf-8")
    assert len(LINK.findall(page)) == 9
    assert page == with_lines(page), (
        f"PYTHONPATH=tests/helpers python {Path(__file__).relative_to(ROOT)} mends the page"
    )


if __name__ == "__main__":
    PAGE.write_text(with_lines(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
