"""The report in a real browser: it needs nothing but itself and can be read on any screen.

The browser is Chromium: the system's, or the one that ``playwright install chromium`` brings.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

import report_run
from pellucid.view.report import report

CONTRASTS = """
() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const light = text => {
    const [r, g, b] = channels(text).map(c => (c /= 255) <= .04045 ? c / 12.92
      : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      const [, , , alpha = 1] = channels(colour);
      if (alpha === 1) return colour;
    }
    return getComputedStyle(document.documentElement).colorScheme;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), element = walker.currentNode.parentElement;
    if (!text) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    found.push([(Math.max(a, b) + .05) / (Math.min(a, b) + .05), text.slice(0, 40)]);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return report(report_run.contents(folder)).save(folder)


class Opened:
    """The report in a window, with all that the browser asked for and complained of."""

    def __init__(self, browser: Browser, path: Path, width: int, **context: Any) -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        window = browser.new_context(viewport={"width": width, "height": 800}, **context)
        window.set_offline(True)
        self.page: Page = window.new_page()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri(), wait_until="load")


def test_everything_is_in_the_file(browser: Browser, path: Path) -> None:
    opened = Opened(browser, path, 1280)
    opened.page.mouse.wheel(0, 100_000)
    opened.page.wait_for_load_state("networkidle")
    assert [url for url in opened.asked if not url.startswith("data:")] == [path.as_uri()]
    assert opened.complaints == []
    pictures = opened.page.evaluate("[...document.images].map(i => [i.complete, i.naturalWidth])")
    assert len(pictures) > 12
    assert all(complete and width > 0 for complete, width in pictures)
    assert opened.page.evaluate("document.styleSheets[0].cssRules.length") > 50


def test_a_browser_that_is_asked_to_fetch_is_seen_to(browser: Browser, path: Path) -> None:
    """What these tests rely on: requests and the policy's refusals are heard of."""
    other = path.with_name("other.html")
    text = path.read_text(encoding="utf-8")
    other.write_text(text.replace("<main", '<img src="https://example.org/x.png"><main'))
    opened = Opened(browser, other, 1280)
    assert any("example.org" in said for said in (*opened.asked, *opened.complaints))


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_the_page_never_scrolls_sideways(browser: Browser, path: Path, width: int) -> None:
    page = Opened(browser, path, width).page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = page.evaluate(
        "[...document.querySelectorAll('body *:not(.skip)')].filter(e => !e.closest('.frame, pre')"
        " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert beyond == []


def test_on_a_phone_curves_stand_below_one_another_and_none_is_cut(
    browser: Browser, path: Path
) -> None:
    page = Opened(browser, path, 360).page
    names = ("loss", "accuracy", "roc", "precision recall", "calibration")
    frames = [page.locator(f'.frame[aria-label="{name}"]') for name in names]
    boxes = [frame.locator("img").bounding_box() for frame in frames]
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 360 for box in boxes)
    tops = [box["y"] for box in boxes if box]
    assert len(set(tops)) == len(names)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(browser: Browser, path: Path, scheme: str) -> None:
    page = Opened(browser, path, 1280, color_scheme=scheme).page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    weak = [(ratio, text) for ratio, text in page.evaluate(CONTRASTS) if ratio < 4.5]
    assert weak == []


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_page_and_pictures_are_as_dark_as_the_reader_likes(
    browser: Browser, path: Path, scheme: str, dark: bool
) -> None:
    page = Opened(browser, path, 1280, color_scheme=scheme).page
    curves = page.locator("#learning img").first
    with Image.open(BytesIO(curves.screenshot())) as image:
        grey = np.asarray(image.convert("L"), dtype=float)
    paper, ink = (np.median(grey), grey.min() if not dark else grey.max())
    assert (paper < 60) == dark
    assert abs(paper - ink) > 120  # the axes' words are there, in the other colour


def test_on_paper_there_is_no_navigation_and_nothing_is_cut(browser: Browser, path: Path) -> None:
    page = Opened(browser, path, 700, color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="light")
    assert not page.locator("nav").is_visible()
    assert page.evaluate(
        "[...document.querySelectorAll('.frame')].every(e => e.scrollWidth <= e.clientWidth + 1)"
    )
    assert len(page.pdf()) > 10_000


def test_the_keyboard_reaches_the_content_and_every_wide_picture(
    browser: Browser, path: Path
) -> None:
    page = Opened(browser, path, 360).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(":focus").bounding_box()["x"] >= 0
    unreachable = page.evaluate(
        "[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1 &&"
        " ['auto', 'scroll'].includes(getComputedStyle(e).overflowX) && e.tabIndex < 0).length"
    )
    assert unreachable == 0
