"""Run tests in a child process that imports the library with one file broken.

Forked from a parent that has loaded what the library stands on, but not the library: so a child
begins at once, and whatever it imports from the broken file is broken.
"""

import ctypes
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "pellucid"
_PRELOADED = (
    *("numpy", "scipy.signal", "scipy.special", "hypothesis.strategies", "hypothesis.extra.numpy"),
    *("numba", "pandas", "matplotlib.pyplot", "rich.progress", "typer", "sklearn.metrics"),
    *("safetensors.numpy", "PIL.Image", "torch", "captum.attr", "torch.optim.swa_utils"),
)
MEMORY = 6 << 30
BROKE = 99
_PR_SET_PDEATHSIG = 1
OPTIONS = (
    *("-x", "-q", "--tb=no", "--no-header", "-p", "no:randomly", "-p", "no:cacheprovider"),
    *("-m", "not real_data", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


@dataclass(eq=False)
class Watch:
    """A pytest plugin: the CPU seconds that each test took, and the tests that failed."""

    only: Set[str] | None = None
    """The tests that run; all of the given files if None."""
    usual: Mapping[str, float] = field(default_factory=dict)
    """The CPU seconds that tests usually take; five times as long, and the process is ended."""
    switch: Callable[[str], None] | None = None
    """Told the name of each test before it runs."""
    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def pytest_configure(self) -> None:
        from hypothesis import HealthCheck, Phase, settings

        settings.register_profile(
            "mutants",
            phases=(Phase.explicit, Phase.generate),  # a smaller example helps nobody here
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutants")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.only is not None:
            items[:] = [item for item in items if item.nodeid in self.only]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._began = time.process_time()
        if nodeid in self.usual:
            until = self._began + 5 * (self.usual[nodeid] + 1)
            resource.setrlimit(resource.RLIMIT_CPU, (int(until) + 1, resource.RLIM_INFINITY))
        if self.switch is not None:
            self.switch(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] = time.process_time() - self._began


@dataclass(frozen=True)
class Outcome:
    """How a child ended."""

    ended: str
    """``passed``, ``failed`` (a test), ``error`` (before a test ran), ``limit`` (of time), or
    ``import``: the library has to be imported anew."""
    seconds: float
    by: str = ""
    """The test that failed."""


def preload() -> None:
    """Import what takes long to import, where it is installed."""
    os.environ.setdefault("MPLBACKEND", "agg")
    os.environ.setdefault("PELLUCID_ENGINE", "reference")
    for name in _PRELOADED:
        if importlib.util.find_spec(name.partition(".")[0]) is not None:
            importlib.import_module(name)
    sys.path.insert(0, str(SOURCE.parent))
    assert "pellucid" not in sys.modules, "the library itself has to be imported by each child"


def run_tests(files: Sequence[str], watch: Watch, limit: float, path: str, tree: Any) -> Outcome:
    """Run test files, with one of the library's files broken; `limit` is in seconds of CPU."""
    began = time.perf_counter()
    reader, writer = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if not child:
        die_with(parent)
        os.close(reader)
        _child(files, watch, limit, path, tree, writer)
    os.close(writer)
    status = _wait(child, began + 20 * limit)
    with os.fdopen(reader, "rb") as stream:
        told = json.loads(stream.read() or b"{}")
    seconds = time.perf_counter() - began
    if status is None or os.WIFSIGNALED(status):
        return Outcome("limit", seconds)
    if told.get("failed"):
        return Outcome("failed", seconds, told["failed"][0])
    if os.WEXITSTATUS(status) in (pytest.ExitCode.INTERNAL_ERROR, BROKE):
        raise RuntimeError("pytest itself broke; MUTANTS_LOG=FILE keeps what it said")
    passed = os.WEXITSTATUS(status) in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return Outcome("passed" if passed else "error", seconds)


def _wait(child: int, until: float) -> int | None:
    """Wait for a child, or end it when its time is over."""
    while time.perf_counter() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _child(
    files: Sequence[str], watch: Watch, limit: float, path: str, tree: Any, writer: int
) -> None:
    code = BROKE
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        silence()
        sys.meta_path.insert(0, Finder(path, tree))
        code = int(pytest.main([*OPTIONS, *files], plugins=[watch]))
        with os.fdopen(writer, "w", encoding="utf-8") as stream:
            json.dump({"failed": watch.failed[:1]}, stream)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)  # what the parent would do at its end is not for a child to do


def die_with(parent: int) -> None:
    """Let this process, a fork, be killed when its parent ends, in whatever way; on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(BROKE)


def silence() -> None:
    """Send what this process prints to the file MUTANTS_LOG, or nowhere."""
    log = os.environ.get("MUTANTS_LOG", os.devnull)
    nowhere = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def module_of(path: str) -> str:
    """Return a file's name as a module.

    >>> module_of("layers/__init__.py")
    'pellucid.layers'
    """
    parts = ("pellucid", *Path(path).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the broken file in place of the one on the disk."""

    def __init__(self, path: str, tree: Any) -> None:
        self.path = SOURCE / path
        self.name = module_of(path)
        self.code = compile(tree, str(self.path), "exec", dont_inherit=True)

    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        loader = _Loader(name, str(self.path), self.code)
        return importlib.util.spec_from_file_location(name, self.path, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, code: types.CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> types.CodeType:
        return self._code
