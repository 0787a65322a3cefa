"""Which tests run which line of the library, and how long each takes.

Each test file is run once, under coverage.py, and again when it has changed.
Lines are those of the library as it was then: `_moved` finds where they stand now.
"""

import difflib
import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from coverage import CoverageData
from forked import ROOT, SOURCE
from warm import Warm

STORE = ROOT / "build" / "mutants"
_FOLDERS = (
    *("ops", "layers", "optim", "training", "evaluation", "explain", "testing"),
    *("execution", "data", "explorer", "teach", "parallel", "interchange"),
)
_ALSO = (
    *("test_losses.py", "test_parameters.py", "models/test_models.py", "models/test_toml.py"),
    *("test_arguments.py", "test_initializers.py", "test_geometry.py", "project/test_defaults.py"),
)
_PEERS = (
    *("activation", "convolution", "linear", "losses", "normalization", "optim", "pooling"),
    *("schedules", "training", "upsample", "explain", "defaults", "explorer_server", "trace"),
    *("from_torch", "torch_twins", "onnx_in", "onnx_out", "onnx_layout", "onnx_constants"),
)
_LEFT_OUT = {"test_resume_kill.py"}  # it watches processes of its own, in which nothing is broken
_LONGEST = 1200.0
_ALIKE = ("reference", "compiled", "float32", "float64")
"""Values of parameters in which tests may differ and notice the same."""


def test_files(only: Sequence[str]) -> list[Path]:
    """Return the test files that breaks are shown to, or those in some places only."""
    tests = ROOT / "tests"
    found = [path for folder in _FOLDERS for path in sorted((tests / folder).glob("test_*.py"))]
    found += [tests / name for name in _ALSO]
    found += [tests / "peers" / f"test_{name}.py" for name in _PEERS]
    found = [path for path in found if path.is_file() and path.name not in _LEFT_OUT]
    places = [tests / place for place in only] or [tests]
    return [path for path in found if any(path.is_relative_to(place) for place in places)]


@dataclass
class Covering:
    """What was found out about all test files."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    """For each of the library's files the tests that run a line of it."""

    def of(self, path: str, line: int) -> set[str]:
        """Return the tests that run a line.

        Where only the import does, these are all that use its file, and those that run no line but
        look at what the import has made. Of a file without functions, nobody knows who uses it.
        """
        lines = self.lines.get(path, {})
        if not any(lines.values()):
            return set(self.seconds)
        return lines.get(line) or self._looking.union(*lines.values())

    @cached_property
    def _looking(self) -> set[str]:
        every = (tests for lines in self.lines.values() for tests in lines.values())
        return set(self.seconds).difference(*every)


def learn(warm: Warm, sources: dict[str, str], say=print) -> Covering:
    """Run the test files of `warm` that are new or changed, and return what is known of all.

    `sources` are the sums of the library's files as `warm` has imported them.
    """
    found, tests = Covering(), defaultdict(dict)
    for test in warm.tests():  # of those that differ in later parameters only, the first
        tests[test.partition("::")[0]].setdefault(_without_later_parameters(test), test)
    for name, digest in warm.digests.items():
        stored = STORE / "covering" / "-".join(Path(name).parts[1:])
        about, data = stored.with_suffix(".json"), stored.with_suffix(".coverage")
        if not about.is_file() or json.loads(about.read_text())["digest"] != digest:
            say(f"which lines {name} runs", flush=True)
            data.parent.mkdir(parents=True, exist_ok=True)
            data.unlink(missing_ok=True)
            seconds = warm.cover(list(tests[name].values()), _LONGEST, data)
            kept = {"digest": digest, "seconds": seconds, "sources": sources}
            about.write_text(json.dumps(kept))
        _add(found, json.loads(about.read_text()), data)
    return found


def _without_later_parameters(test: str) -> str:
    """Return a test's name with its first two parameters, engines and types left out.

    >>> _without_later_parameters("test_layers.py::test_gradient[compiled-ReLU-float32-fuse-3]")
    'test_layers.py::test_gradient[ReLU-fuse'
    """
    name, _, parameters = test.partition("[")
    parts = [part for part in parameters.rstrip("]").split("-") if part not in _ALIKE]
    return f"{name}[{'-'.join(parts[:2])}"


def keep_sources() -> dict[str, str]:
    """Keep the library as it is now under its files' sums; return each file's sum."""
    kept = STORE / "sources"
    kept.mkdir(parents=True, exist_ok=True)
    sums = {}
    for path in SOURCE.rglob("*.py"):
        text = path.read_bytes()
        sums[str(path.relative_to(SOURCE))] = name = hashlib.sha256(text).hexdigest()[:16]
        (kept / name).write_bytes(text)
    return sums


def _add(found: Covering, about: dict, data_file: Path) -> None:
    found.seconds.update(about["seconds"])
    if not data_file.is_file():
        return
    data = CoverageData(str(data_file))
    data.read()
    for file in data.measured_files():
        path = file.rpartition("/src/pellucid/")[2]
        if not (SOURCE / path).is_file():
            continue
        moved = _moved(path, about["sources"].get(path, ""))
        lines = found.lines.setdefault(path, defaultdict(set))
        for line, tests in data.contexts_by_lineno(file).items():
            lines[moved.get(line, line)].update(t for t in tests if t in about["seconds"])


@cache
def _moved(path: str, was: str) -> dict[int, int]:
    """Return where the lines of a file stand now that stood elsewhere when it was covered."""
    old, new = (STORE / "sources" / was), SOURCE / path
    if not was or old.read_bytes() == new.read_bytes():
        return {}
    a, b = (file.read_text(encoding="utf-8").splitlines() for file in (old, new))
    blocks = difflib.SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    return {m.a + i + 1: m.b + i + 1 for m in blocks for i in range(m.size)}
