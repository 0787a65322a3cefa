"""Every example in the documentation runs and gives what it says.

In docstrings that is every ``>>>``. In README.md and docs/*.md it is every block of Python; the
blocks of a page run in order, one knowing what the ones before it made. A block that must not run,
because it takes long or needs the network, says so: ```python no-run.
"""

import doctest
import importlib
import pkgutil
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

import pellucid

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
]
NEEDED = {"pellucid.interchange.torch": "torch", "pellucid.interchange.onnx": "onnx"}
"""Parts whose examples need a package that not everybody has; tests/peers has them all."""

MISSING = tuple(part for part, package in NEEDED.items() if not find_spec(package))
MODULES = [
    module.name
    for module in pkgutil.walk_packages(pellucid.__path__, "pellucid.")
    if not module.name.endswith("__main__") and not module.name.startswith(MISSING)
]
BLOCK = re.compile(r"^```python *(?P<mark>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def failures(test):
    """Run a doctest and return what went wrong, in words."""
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    runner.run(test, out=said.append, clear_globs=False)
    return "".join(said)


def blocks(text):
    """Yield (line, code) for each block of Python that is to run."""
    for match in BLOCK.finditer(text):
        if match["mark"] != "no-run":
            yield text[: match.start("code")].count("\n"), match["code"]


def run(name, text):
    """Run a page's blocks and return what went wrong."""
    known = {}
    for line, code in blocks(text):
        if ">>>" in code:
            test = doctest.DocTestParser().get_doctest(code, known, name, name, line)
            test.globs = known  # the parser took a copy
            if said := failures(test):
                return said
        else:
            exec(compile("\n" * line + code, name, "exec"), known)
    return ""


@pytest.mark.parametrize("name", ["pellucid", *MODULES])
def test_examples_in_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        said = failures(test)
        assert not said, said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_on_pages(page, tmp_path, monkeypatch):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    said = run(str(page), page.read_text(encoding="utf-8"))
    assert not said, said


def test_a_wrong_example_is_found():
    page = "# Title\n```python\nx = 2\n```\ntext\n```python\n>>> x + 1\n{}\n\n```\n"
    assert not run("page", page.format(3))
    assert "line 7" in run("page", page.format(4))
    with pytest.raises(ZeroDivisionError):
        run("page", "```python\n1 / 0\n```\n")
    assert not run("page", "```python no-run\n1 / 0\n```\n```sh\nfalse\n```\n")


def test_there_are_examples_to_run():
    finder = doctest.DocTestFinder(exclude_empty=True)
    count = sum(
        len(test.examples)
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
    )
    assert count > 100
