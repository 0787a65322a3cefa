"""In a notebook figures, tables and a run show themselves, without magic."""

import base64
import struct

import pytest

pytest.importorskip("nbclient")
from notebooks import run_notebook

TRAIN = """
import numpy as np
import pellucid as pl
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
