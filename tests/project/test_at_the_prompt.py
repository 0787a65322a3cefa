"""What a user meets at a Python prompt: names that are public, and signatures that one can read."""

import importlib
import inspect
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import pellucid
from public_names import MODULES

ROOT = Path(__file__).parents[2]
LONG = re.compile(r"typing\.|numpy\.(?!uint8|float32)|ndarray|Annotated|pellucid\.|collections\.")


def module(name):
    return importlib.import_module(name)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_lists_its_public_names_alone(name):
    listed = dir(module(name))
    assert sorted(listed) == sorted(getattr(module(name), "__all__", listed))
    assert not [one for one in listed if one.startswith("_") or one == "annotations"]
    assert all(hasattr(module(name), one) for one in listed)
    submodules = {one for one in listed if inspect.ismodule(getattr(module(name), one))}
    assert submodules <= set(getattr(module(name), "__all__", ()))


@pytest.mark.parametrize("name", MODULES)
def test_signatures_have_the_short_names_of_types(name):
    shown = {}
    for one in dir(module(name)):
        thing = getattr(module(name), one)
        if inspect.isfunction(thing) or (inspect.isclass(thing) and not _is_raised(thing)):
            shown[one] = str(inspect.signature(thing))
    assert not {one: text for one, text in shown.items() if LONG.search(text)}


def _is_raised(kind):
    return issubclass(kind, BaseException)


@pytest.mark.parametrize("thing", [pellucid.layers.Conv2d, pellucid.train, pellucid.fit])
def test_the_signature_in_help_is_read_at_a_glance(thing):
    assert len(str(inspect.signature(thing))) < 600
    assert "in_channels: 'Size'" in str(inspect.signature(pellucid.layers.Conv2d))


@pytest.mark.skipif(find_spec("mypy") is None, reason="needs mypy")
def test_the_example_of_the_readme_has_right_types(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python no-run\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "example.py").write_text(code, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", ROOT / ".mypy_cache" / "user",
         "example.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("name", MODULES)
def test_every_argument_is_explained_where_it_stands(name):
    elsewhere = {}
    for one in dir(module(name)):
        told = inspect.getdoc(getattr(module(name), one)) or ""
        if found := re.findall(r"\n    ((?:See|As for) `[^`]+`[^\n]*)", told):
            elsewhere[one] = found
    assert not elsewhere


def test_layers_are_found_where_pytorch_has_them():
    import pellucid.nn as imported
    from pellucid import layers, nn
    from pellucid.nn import Conv2d

    assert imported is nn is layers is importlib.import_module("pellucid.nn")
    assert Conv2d is layers.Conv2d
    assert "nn" in dir(importlib.import_module("pellucid"))
