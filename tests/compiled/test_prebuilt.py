"""Kernels that were compiled elsewhere: used where they fit, and read from nowhere else."""

import base64
import hashlib
import shutil
from pathlib import Path

import pytest

from pellucid.compiled import prebuilt, store
from pellucid.compiled.levels import LEVELS, level_of, target_features
from programs import run_python

COMPUTE = """
import numpy as np
from pellucid import layers as nn, initialize
x = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype(np.float32)
print(initialize(nn.Conv2d(3, 8, 3), 0)(x).tobytes().hex())
"""
INSTALLED = """
import site
site.getsitepackages = lambda: [{folder!r}]
import sys
sys.path.append({folder!r})
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder of kernels for this machine's level, and what they computed."""
    level, home = level_of("x86_64") or level_of("aarch64"), tmp_path_factory.mktemp("built")
    if level is None:
        pytest.skip("this machine has no level that kernels are built for")
    told = {"NUMBA_CPU_NAME": level.name, "NUMBA_CPU_FEATURES": level.features}
    shown, said = run_python(COMPUTE, PELLUCID_HOME=str(home), **told)
    assert "compiling" in said
    return home / "kernels", shown


@pytest.fixture
def installed(built, tmp_path):
    """A folder with the package installed in it, as pip does it."""
    site = tmp_path / "site"
    shutil.copytree(built[0], site / prebuilt.PACKAGE)
    record(site)
    return site


def record(site):
    """Write the list of what is installed, with its hashes."""
    about = site / f"{prebuilt.PACKAGE}-1.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pellucid-kernels\nVersion: 1\n")
    lines = []
    for file in site.rglob("*.kernel"):
        digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest())
        lines.append(f"{file.relative_to(site).as_posix()},sha256={digest.decode().rstrip('=')},1")
    (about / "RECORD").write_text("\n".join(lines) + "\n")


def compute(site, tmp_path, before=INSTALLED):
    code = before.format(folder=str(site)) + COMPUTE
    return run_python(code, PELLUCID_HOME=str(tmp_path / "home"))


def test_nothing_is_compiled_and_the_bits_are_those_of_the_level(installed, built, tmp_path):
    assert compute(installed, tmp_path) == (built[1], "")
    assert not (tmp_path / "home").exists()


def test_kernels_for_a_level_compute_the_bits_of_kernels_for_this_very_processor(built, tmp_path):
    shown, said = run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))
    assert "compiling" in said
    assert shown == built[1]


def altered(installed):
    for file in installed.rglob("*.kernel"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)


def altered_with_its_checksum(installed):
    """Whoever alters a kernel knows how its checksum is made, but not how pip recorded it."""
    for file in installed.rglob("*.kernel"):
        content = store.checked(file.name, file.read_bytes())
        file.write_bytes(store._MAGIC + store._checksum(file.name, content + b" ") + content + b" ")


def added(installed):
    (installed / f"{prebuilt.PACKAGE}-1.dist-info" / "RECORD").write_text("")


def swapped(installed):
    first, second, *_ = installed.rglob("*.kernel")
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    record(installed)


@pytest.mark.parametrize("change", [altered, altered_with_its_checksum, added, swapped])
def test_a_kernel_that_is_not_as_it_was_installed_is_not_used(installed, tmp_path, change):
    change(installed)
    said = compute(installed, tmp_path)[1]
    assert "compiling" in said


def test_a_package_that_lies_where_none_is_installed_is_not_used(installed, tmp_path):
    elsewhere = "import sys\nsys.path.insert(0, {folder!r})\n"
    said = compute(installed, tmp_path, before=elsewhere)[1]
    assert "compiling" in said


def test_a_machine_has_the_highest_level_that_it_fulfils(monkeypatch):
    for expected in LEVELS[:2]:
        monkeypatch.setattr(
            "pellucid.compiled.levels.binding.get_host_cpu_features",
            lambda expected=expected: dict.fromkeys(expected.needs, True),
        )
        assert level_of("x86_64") == expected
    monkeypatch.setattr("pellucid.compiled.levels.binding.get_host_cpu_features", dict)
    assert level_of("x86_64") is None


def test_what_is_compiled_for_is_what_numba_is_told(monkeypatch):
    monkeypatch.setattr("numba.core.config.CPU_FEATURES", "+avx,-avx512f")
    assert target_features() == {"avx": True, "avx512f": False}
    assert level_of("x86_64") is None


WANTED = """
import sys
sys.path.insert(0, {folder!r})
import wanted
from pellucid.cli.recipes import RECIPES
print(set(RECIPES) - set(wanted.IMAGES))
first = next(wanted.runs())
print(first.name, first.shape)
"""


def test_the_package_is_built_for_each_data_set_that_has_a_recipe():
    folder = Path(__file__).parents[2] / "packaging" / "kernels"
    shown = run_python(WANTED.format(folder=str(folder)))[0].splitlines()
    assert shown == ["set()", "digits, vgg (1, 8, 8)"]


PIXELS = """
import sys
sys.path.insert(0, {folder!r})
import wanted
from pellucid.compiled import ahead, fused
found = []
fused.compile_ahead = lambda calls: found.extend(ahead.needed(calls))
for run in wanted.runs():
    if run.name in ("an array of floats", "lenet, batch 64"):
        wanted.compiled(run)
print(sorted(str(types[1].dtype) for kernel, types in found if str(kernel) == "batch.make_batch"))
print("layout.turn" in map(str, dict(found)))
"""


def test_the_package_serves_arrays_of_bytes_and_of_floats_with_and_without_preprocessing():
    folder = Path(__file__).parents[2] / "packaging" / "kernels"
    shown = run_python(PIXELS.format(folder=str(folder)))[0].splitlines()
    assert shown == ["['float32', 'uint8']", "True"]
