"""The built documentation: ``make test-docs`` builds it first."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from sphinx.util.inventory import InventoryFile

import pellucid

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "docs"
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

from reference import MODULES, public  # noqa: E402

PAGES = sorted(
    path.relative_to(SITE) for path in SITE.rglob("*.html") if "_static" not in path.parts
)
TEXTS = {page: (SITE / page).read_text(encoding="utf-8") for page in PAGES}
LOOKED_AT = [
    page
    for page in map(str, PAGES)
    if page.startswith(("guide/", "how-to/")) or page in ("index.html", "start.html")
] + ["mathematics.html", "reference/made/pellucid.layers.html", "reference/made/commands.html"]


def test_the_site_has_been_built():
    assert len(PAGES) > 40


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_an_entry(module):
    with (SITE / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, path: path)
    entries = {name for kind in inventory if kind.startswith("py:") for name in inventory[kind]}
    names = public(__import__(module, fromlist=["x"]))
    missing = [name for name in names if f"{module}.{name}" not in entries]
    assert not missing


def test_every_public_module_has_a_page():
    names = {f"pellucid.{name}" for name in pellucid.__all__} & set(sys.modules)
    modules = {sys.modules[name].__name__ for name in names}  # pellucid.nn is pellucid.layers
    assert modules <= MODULES.keys()
    assert "pellucid.layers" in modules


def test_pages_ask_nothing_of_the_network():
    for page, text in TEXTS.items():
        asked = re.findall(r'<(?:script|img|link)[^>]*(?:src|href)="(https?:[^"]*)"', text)
        assert not [a for a in asked if "pellucid-cnn.github.io" not in a], page


def test_pictures_have_words():
    for page, text in TEXTS.items():
        for image in re.findall(r"<img(?![^>]*minus.png)[^>]*>", text):
            assert re.search(r"""alt=(["'])(?:(?!\1).){10,}\1""", image), f"{page}: {image[:120]}"


def test_links_inside_lead_somewhere():
    for page, text in TEXTS.items():
        for target in re.findall(r'<a[^>]*href="(?!https?:|mailto:|#|data:)([^"#]+)', text):
            assert ((SITE / page).parent / target).exists(), f"{page}: {target}"


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_pages_can_be_read_by_everybody(chromium, width, scheme):
    view = {"width": width, "height": 900}
    tab = chromium.new_context(viewport=view, color_scheme=scheme).new_page()
    axe = Axe()
    said = {}
    for page in LOOKED_AT:
        tab.goto((SITE / page).as_uri())
        found = axe.run(tab).response["violations"]
        if found:
            said[page] = [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found]
        if (wide := tab.evaluate("document.documentElement.scrollWidth")) > width:
            said[page] = f"it is {wide} wide"
    assert not said
