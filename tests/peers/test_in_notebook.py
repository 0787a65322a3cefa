"""In a notebook figures, tables and a run show themselves, without magic."""

import base64
import re
import struct

import pytest

pytest.importorskip("nbclient")
from notebooks import as_html, ran, run_notebook

TRAIN = """
import numpy as np
import pellucid as pl
from pellucid import layers as nn
digits = pl.data.load("digits")
train, validation = digits.train.split(0.1, seed=0)
model = pl.models.build("mlp", train.image_shape, 10)
adam = pl.optim.Adam(model.parameters())
history = pl.fit(model, train, validation=validation, optimizer=adam, epochs=2)
"""


@pytest.fixture(scope="module")
def outputs():
    return run_notebook(
        TRAIN, "pl.view.curves(history)", "history", "pl.summary(model, (1, 8, 8))",
        "import sys; sys.modules.get('matplotlib.pyplot')",
    )  # fmt: skip


def test_a_run_shows_a_bar_curves_and_its_epochs_in_one_place(outputs):
    shown = [output for output in outputs[0] if output.output_type == "display_data"]
    (page,) = [output.data["text/html"] for output in shown]
    assert '<progress value="42" max="42"' in page
    assert page.count("<polyline") == 4  # loss and accuracy, of training and validation
    assert page.count("<tr>") == 1 + 2
    assert not [output for output in outputs[0] if output.get("name") == "stdout"]


def test_a_figure_shows_itself(outputs):
    (figure,) = outputs[1]
    png = base64.b64decode(figure.data["image/png"])
    width, height = struct.unpack(">II", png[16:24])
    shown = figure.metadata["image/png"]
    assert (width, height) == (2 * shown["width"], 2 * shown["height"])


@pytest.mark.parametrize("cell", [2, 3])
def test_a_table_shows_itself(outputs, cell):
    (table,) = outputs[cell]
    assert "<table" in table.data["text/html"]


def test_pyplot_is_left_alone(outputs):
    assert outputs[4] == []


COLD = """
import os
os.environ |= {{"PELLUCID_HOME": {home!r}, "PELLUCID_ENGINE": "compiled"}}
import numpy as np
from pellucid import ops
pooled = ops.max_pool2d(np.ones((2, 3, 4, 4), np.float32), 2)
"""


def test_whoever_waits_for_the_compiler_sees_what_is_compiled(tmp_path):
    (outputs,) = run_notebook(COLD.format(home=str(tmp_path)))
    said = "".join(output.text for output in outputs if output.get("name") == "stderr")
    assert "Compiling for this machine, once: kernel 1, 0 s, " in said
    assert re.fullmatch(
        r"Compiling for this machine, once: \d+ kernels? in \d+ s", said[said.rindex("\r") + 1 :]
    )


SEEN = (
    "digits",
    "digits.train",
    "digits.train.show(8)",
    "digits.train.show(4, augmented=True)",
    "model",
    "nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 2))",
    "adam",
    "pl.optim.schedules.OneCycle()",
    "history",
    "history[0]",
    "pl.evaluate(model, digits)",
    "pl.summary(model, (1, 8, 8))",
    "pl.view.confusion(pl.evaluate(model, digits))",
)
"""What a learner types on a line of its own; each shows a picture or a table."""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """The notebook with the richest form of each output, as Jupyter shows it, in Chromium."""
    book = ran(TRAIN, *SEEN)
    path = tmp_path_factory.mktemp("book") / "notebook.html"
    path.write_text(as_html(book), encoding="utf-8")
    opened = browser.new_page(viewport={"width": 1100, "height": 900})
    opened.goto(path.as_uri())
    opened.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    yield opened
    opened.close()


def test_in_chromium_the_run_has_a_full_bar_and_curves(page):
    first = page.locator(".output").first
    bar = first.locator("progress")
    assert bar.get_attribute("value") == bar.get_attribute("max") == "42"
    assert bar.bounding_box()["width"] > 100
    assert first.locator("svg polyline").count() == 4
    assert first.locator("table tr").count() == 3


@pytest.mark.parametrize("number", range(len(SEEN)), ids=SEEN)
def test_in_chromium_everything_is_seen_and_nothing_is_broken(page, number):
    output = page.locator(".output").nth(number + 1)
    pictures = output.locator("img")
    for i in range(pictures.count()):
        size = pictures.nth(i).evaluate("image => [image.naturalWidth, image.naturalHeight]")
        assert min(size) > 20
        assert pictures.nth(i).bounding_box()["width"] > 20
    assert pictures.count() + output.locator("table").count() > 0
