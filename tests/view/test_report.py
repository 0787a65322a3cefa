"""The report on a run: a page that holds everything it shows, says it in words too, and fits."""

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import report_run
from pellucid import Evaluation
from pellucid.parallel import Spent
from pellucid.training.gradients import GradientFlow
from pellucid.view.report import Contents, Report, report
from pellucid.view.report.findings import findings
from pellucid.view.report.learning import learning
from pellucid.view.report.markup import html
from pellucid.view.report.results import mistakes
from pellucid.view.report.scaling import scaling

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """A page, taken apart: its elements in order, and the text of each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    return report_run.contents(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def made(contents: Contents) -> Report:
    return report(contents)


@pytest.fixture(scope="module")
def page(made: Report) -> Page:
    return Page(made.html)


SECTIONS = ["learning", "classes", "thresholds", "confusion", "calibration", "mistakes", "network"]
SECTIONS += ["filters", "maps", "gradients", "reproduce"]


def sections(page: Page) -> list[str]:
    return [attributes["id"] for attributes in page.all("section")]


def test_the_page_has_every_section_and_a_way_to_each(page: Page) -> None:
    assert sections(page) == SECTIONS
    links = [a["href"] for a in page.all("a")]
    assert {f"#{key}" for key in SECTIONS} <= set(links)
    assert {link.removeprefix("#") for link in links} <= set(page.ids)
    assert max(Counter(page.ids).values()) == 1


def test_the_page_is_whole_html(page: Page, made: Report) -> None:
    assert made.html.startswith("<!doctype html>\n<html lang=")
    assert page.open == []
    assert [len(page.all(tag)) for tag in ("title", "h1", "main", "nav", "header")] == [1] * 5


def test_headings_go_down_step_by_step(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_nothing_is_fetched_and_nothing_runs(page: Page, made: Report) -> None:
    assert not page.all("script") + page.all("link") + page.all("iframe")
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style"
            if name in ("src", "href", "srcset", "action", "data"):
                assert value.startswith(("data:image/", "#")), (tag, value[:50])
    (style,) = page.texts["style"]
    assert not re.search(r"url\(|@import", style)
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"style-src 'sha256-{digest}'" in policy
    for image in page.all("img"):
        if image["src"].startswith("data:image/svg"):
            svg = base64.b64decode(image["src"].partition(",")[2]).decode()
            addresses = re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', svg)
            assert all((a or b).startswith(("#", "data:")) for a, b in addresses)


def test_every_picture_says_what_it_shows_with_its_numbers(page: Page) -> None:
    images = page.all("img")
    assert len(images) > 12
    for image in images:
        assert len(image["alt"]) > 15, image["alt"]
        assert int(image["width"]) > 0
        assert int(image["height"]) > 0
    long = [i["alt"] for i in images if "svg" in i["src"][:20]]
    assert all(re.search(r"\d", alt) for alt in long)
    assert len(set(long)) == len(long)


def test_names_are_shown_as_they_are_and_never_as_html(page: Page) -> None:
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"i", "script"}
    assert {"src": "x"} not in page.all("img")
    body = page.texts["body"][0]
    for name in (*report_run.CLASSES, "small & <i>net</i>", "rows <img src=x>", "<cpu> & co"):
        assert name in body
    assert page.texts["code"] == ["pellucid train 'a & b.npz' --model '<net>.toml' --seed 5"]


def test_a_value_cannot_leave_the_attribute_that_it_stands_in() -> None:
    for quote in ("'", '"'):
        made = html(f"<img alt={quote}{{name}}{quote}>", name=f"{quote} onload={quote}x")
        (image,) = Page(made).all("img")
        assert image == {"alt": f"{quote} onload={quote}x"}


def test_the_numbers_are_those_of_the_evaluation(page: Page, contents: Contents) -> None:
    evaluation = contents.evaluation
    assert evaluation is not None
    head = page.texts["header"][0].replace("\xa0", " ")
    right = int((evaluation.probabilities.argmax(axis=1) == evaluation.labels).sum())
    assert f"classified {right} of 20 test images correctly, {5 * right}.00 %" in head
    assert "The weights are those of epoch 2" in head
    scores = next(t for t in page.texts["table"] if "precision" in t)
    for value in (*evaluation.by_class.precision, *evaluation.by_class.f1):
        assert f"{value:.4f}" in scores
    gallery = [i["alt"] for i in page.all("img") if re.match(r"Image \d+: it is", i["alt"])]
    assert len(gallery) == min(24, 20 - right) > 0


def test_pictures_are_written_beside_the_page(made: Report, tmp_path: Path) -> None:
    path = made.save(tmp_path)
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8") == made.html
    files = {file.name for file in (tmp_path / "figures").iterdir()}
    names = {file.rpartition(".")[0] for file in files}
    assert files == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
    assert {"curves", "confusion", "scores", "calibration", "mistakes", "diagram"} <= names
    assert {"filters-conv1", "filters-conv2", "feature-maps-1", "gradient-flow"} <= names
    with Image.open(tmp_path / "figures" / "curves.png") as image:
        assert image.width > 600
    assert (tmp_path / "figures" / "curves.svg").read_text().startswith("<svg")


def test_the_same_run_gives_the_same_page(contents: Contents, made: Report) -> None:
    again = report(contents)
    assert again.html == made.html
    assert again.files == made.files


@pytest.mark.parametrize(
    ("changes", "without"),
    [
        ({"evaluation": None}, {"classes", "thresholds", "confusion", "calibration", "mistakes"}),
        ({"images": None, "history": (), "gradients": None}, {"mistakes", "learning", "gradients"}),
        ({"maps": {}, "command": "", "facts": {}}, {"filters", "maps", "reproduce"}),
    ],
)
def test_what_there_is_nothing_for_is_left_out_and_said(
    contents: Contents, changes: dict[str, Any], without: set[str]
) -> None:
    page = Page(report(replace(contents, **changes)).html)
    assert sections(page) == [key for key in SECTIONS if key not in without]
    assert "Left out" in page.texts["footer"][0]
    links = {a["href"] for a in page.all("a")}
    assert not links & {f"#{key}" for key in without}


def test_a_run_without_accuracy_has_curves_of_the_loss_alone(contents: Contents) -> None:
    history = [replace(e, accuracy=None, validation_accuracy=None) for e in contents.history]
    section = learning(replace(contents, history=history))
    assert section is not None
    (picture,) = section.pictures
    assert [ax.get_title() for ax in picture.figure.axes] == ["Loss"]
    assert "ccuracy" not in picture.alt


def test_a_run_without_mistakes_says_so(contents: Contents) -> None:
    evaluation = contents.evaluation
    assert evaluation is not None
    perfect = replace(evaluation, probabilities=np.eye(3)[evaluation.labels])
    section = mistakes(replace(contents, evaluation=perfect))
    assert section is not None
    assert "all test images were classified correctly" in "".join(map(str, section.parts))


def test_beside_each_mistake_stands_what_it_was_based_on(contents: Contents) -> None:
    section, without = mistakes(contents), mistakes(replace(contents, reasons={}))
    assert section is not None
    assert without is not None
    shown, plain = Page("".join(map(str, section.parts))), Page("".join(map(str, without.parts)))
    count = len(contents.reasons)
    assert count >= 3
    assert len(plain.all("img")) == count
    assert len(shown.all("img")) == 2 * count
    based = [image["alt"] for image in shown.all("img") if "was based on" in image["alt"]]
    assert len(based) == count
    assert "Grad-CAM" not in "".join(plain.texts["p"])


def test_the_learning_rate_is_drawn_where_it_changed(contents: Contents) -> None:
    section = learning(contents)
    assert section is not None
    assert [picture.name for picture in section.pictures] == ["loss", "accuracy"]
    falling = [replace(e, rate=0.1**n) for n, e in enumerate(contents.history)]
    section = learning(replace(contents, history=falling))
    assert section is not None
    rate = section.pictures[-1]
    assert rate.name == "learning-rate"
    assert "from 1 over 1 at most to 0.01" in rate.alt


# What to look at first


def told(contents: Contents, section: str) -> str:
    return " ".join(finding.text for finding in findings(contents) if finding.section == section)


def judged(labels: list[int], probabilities: list[list[float]]) -> Evaluation:
    classes = tuple("abcdefghij"[: len(probabilities[0])])
    return Evaluation(np.array(labels), np.array(probabilities), classes, loss=1.0)


def test_the_time_of_several_processes_is_divided(contents: Contents) -> None:
    processes = Spent("a", 10, 3.0, 0.5, 0.5), Spent("b", 10, 2.0, 1.5, 0.5)
    section = scaling(replace(contents, processes=processes))
    assert section is not None
    text = " ".join(map(str, section.parts))
    for said in ("2 processes", "62.50", "25.00", "12.50", "0, a", "300.00", "1, b", "150.00"):
        assert said in text
    assert scaling(contents) is None


def test_the_most_frequent_confusion_is_named(contents: Contents) -> None:
    said = [[0.8, 0.1, 0.1]] * 3 + [[0.1, 0.8, 0.1]] * 3 + [[0.1, 0.1, 0.8]]
    evaluation = judged([0, 0, 1, 0, 0, 1, 2], said)
    known = replace(contents, evaluation=evaluation)
    assert told(known, "confusion") == "“a” is taken for “b” most often: 2 of 4 images."
    assert "“b” is recognised worst: its F1 is 0.40" in told(known, "classes")


@pytest.mark.parametrize(
    ("sure", "words"), [(0.9, "too sure of itself"), (0.6, "less sure than"), (0.75, "")]
)
def test_confidence_that_misleads_is_told(contents: Contents, sure: float, words: str) -> None:
    evaluation = judged([0, 0, 0, 1], [[sure, 1 - sure]] * 4)  # right in 75 %
    said = told(replace(contents, evaluation=evaluation), "calibration")
    assert words in said
    assert bool(words) == bool(said)


def test_confident_mistakes_are_counted(contents: Contents) -> None:
    evaluation = judged([1, 1, 0], [[0.995, 0.005], [0.9, 0.1], [1, 0]])
    said = told(replace(contents, evaluation=evaluation), "mistakes")
    assert said.startswith("1 of 2 mistakes made while over 99% sure")


def test_confidence_that_is_off_both_ways_is_not_called_too_high(contents: Contents) -> None:
    said = [[0.6, 0.4]] * 5 + [[0.95, 0.05]] * 5  # always right, and then in 3 of 5
    evaluation = judged([0, 0, 0, 0, 0, 0, 0, 0, 1, 1], said)
    assert "too high for some" in told(replace(contents, evaluation=evaluation), "calibration")


@pytest.mark.parametrize(("first", "found"), [(1e-6, True), (0.1, False)])
def test_gradients_that_hardly_arrive_are_told(
    contents: Contents, first: float, found: bool
) -> None:
    norms = np.array([[first, 0.5, 1.0]] * 4)
    flow = GradientFlow(np.arange(1, 5), ("conv1.weight", "b", "fc.weight"), norms, norms, norms)
    said = told(replace(contents, gradients=flow), "gradients")
    assert ("almost vanish before they reach conv1.weight" in said) == found
