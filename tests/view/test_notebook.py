"""What a notebook shows of models, histories, evaluations and data sets."""

import base64
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest

import pellucid as pl
from pellucid import layers as nn
from pellucid import models, notebook
from pellucid.data import DataSet
from pellucid.evaluation import Evaluation
from pellucid.parameter import Parameter
from pellucid.training import Epoch, History

EVIL = "<script>alert('x')</script>&amp;"
VOID = {"img", "br"}


class Page(HTMLParser):
    """What an HTML text consists of; every element that is opened must be closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.pictures, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)


def shown(thing):
    return Page(thing._repr_html_())


def model(input_shape=(1, 8, 8)):
    made = nn.Sequential(**{"conv": nn.Conv2d(1, 2, 3), EVIL.replace(".", ""): nn.Flatten()})
    made.input_shape = input_shape
    return made


def history():
    return History(
        Epoch(n, 3, 9, 1 / n, 0.5, 1.1 / n, None, 0.1, 1.0, 1.0, n == 3) for n in (1, 2, 3)
    )


def evaluation():
    return Evaluation(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]), (EVIL, "b"), loss=0.5)


def data():
    return DataSet(np.zeros((5, 1, 4, 4), np.uint8), np.array([0, 1, 0, 1, 1]), (EVIL, "b"), EVIL)


THINGS = {
    "model": model,
    "model without a shape": lambda: model(None),
    "history": history,
    "evaluation": evaluation,
    "data": data,
}


@pytest.mark.parametrize("name", THINGS)
def test_what_is_shown_is_whole_and_runs_nothing(name):
    text = THINGS[name]()._repr_html_()
    page = Page(text)
    assert "script" not in page.tags
    assert "<script" not in text
    assert "http" not in text


@pytest.mark.parametrize("name", ["model", "history", "evaluation", "data"])
def test_pictures_are_in_the_text_and_have_a_description(name):
    pictures = shown(THINGS[name]()).pictures
    assert pictures
    for picture in pictures:
        head, _, body = picture["src"].partition(",")
        assert head == "data:image/svg+xml;base64"
        root = ET.fromstring(base64.b64decode(body))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert picture["alt"]
        assert "prefers-color-scheme" not in base64.b64decode(body).decode()


def test_names_are_shown_as_they_are():
    assert EVIL in shown(model()).text
    assert EVIL in shown(data()).text


def test_a_model_shows_its_layers_and_what_they_cost():
    page = shown(model())
    assert "Conv2d(1, 2, 3)" in page.text
    assert "20 parameters" in page.text
    assert page.pictures[0]["alt"] == "Diagram of the network"


def test_a_model_of_which_no_shape_is_known_shows_its_parameters():
    page = shown(model(None))
    assert "Conv2d(1, 2, 3)" in page.text
    assert not page.pictures


def test_showing_a_model_draws_no_weights(monkeypatch):
    large = models.build("vgg16_bn", (3, 224, 224), 10)
    large.input_shape = (3, 224, 224)
    with monkeypatch.context() as patched:
        patched.setattr(Parameter, "initialize", None)
        assert shown(large).pictures


def test_a_history_shows_its_epochs_and_how_it_fits():
    text = shown(history()).text
    assert "validation loss" in text
    assert "0.3333" in text
    assert pl.training.diagnosis(history()) in text


def test_an_evaluation_shows_its_headline():
    assert "accuracy 50.00 %" in shown(evaluation()).text


def test_a_data_set_shows_how_many_images_each_class_has():
    text = shown(data()).text
    assert "5 images of 1×4×4" in text
    assert text.split()[-3:] == ["2", "b", "3"]


def test_a_layer_alone_and_an_empty_history_stay_text():
    assert nn.ReLU()._repr_html_() is None
    assert History()._repr_html_() is None
    assert repr(nn.ReLU()) == "ReLU()"


def test_without_matplotlib_text_is_shown():
    code = """
import sys
sys.modules["matplotlib"] = None
import pellucid as pl
assert pl.layers.Sequential(pl.layers.ReLU())._repr_html_() is None
try:
    pl.view
except pl.errors.MissingExtraError as error:
    assert str(error) == (
        "pellucid.view needs matplotlib, which is not installed; get it with: "
        + pl.errors.installing("app")
    )
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_without_pictures_text_is_shown(monkeypatch):
    monkeypatch.setattr(notebook, "_makers", [])
    assert model()._repr_html_() is None


def linear_end(side):
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(side, 2))


def test_a_model_whose_last_layer_tells_the_size_of_images_is_drawn_before_training():
    page = shown(linear_end(2 * 4 * 4))
    assert "for images of 3×10×10" in page.text
    assert [picture["alt"] for picture in page.pictures] == ["Diagram of the network"]


def test_a_model_for_images_of_any_size_lists_its_layers_before_training():
    page = shown(nn.Sequential(nn.Conv2d(3, 2, 3), nn.GlobalAvgPool2d(), nn.Flatten()))
    assert not page.pictures
    assert "Conv2d(3, 2, 3)" in page.text


def test_what_a_run_is_made_of_shows_itself():
    adam = pl.optim.Adam(model().parameters(), lr=0.5)
    told = shown(adam).text
    assert "Adam" in told
    assert "0.5" in told
    assert "20 numbers" in told
    assert shown(pl.optim.schedules.Cosine()).pictures
    assert "validation loss" in shown(history()[0]).text
    splits = pl.data.Splits(data(), data())
    assert "test" in shown(splits).text
    assert len(shown(splits).pictures) == 1


def test_a_metric_has_its_column_among_the_epochs():
    epoch = Epoch(1, 1, 9, 0.5, 0.5, None, None, 0.1, 1.0, 1.0, False, {"top_5": 0.875})
    assert "0.875" in shown(History([epoch])).text


def test_images_are_drawn_with_their_variants():
    ones = DataSet(np.ones((9, 1, 4, 4), np.uint8), np.arange(9) % 3, ("a", "b", "c"))
    assert len(ones.show(9).axes) == 9
    assert [ax.get_title() for ax in ones.show(2).axes] == ["a", "c"]
    drawn = ones.show(2, augmented="cutout:2")
    assert len(drawn.axes) == 8
    first = [ax.images[0].get_array() for ax in drawn.axes[::2]]
    assert all((first[0] != variant).any() for variant in first[1:])
    assert len(ones.show(2, augmented=True).axes) == 8
