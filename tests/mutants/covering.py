"""Which tests run which line of the library, and how long each takes.

Each test file is run once, under coverage.py, in a child of its own, and again when it has changed.
Lines are those of the library as it was then: `_moved` finds where they stand now.
"""

import difflib
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from coverage import Coverage, CoverageData
from forked import ROOT, SOURCE, Watch, run_tests

STORE = ROOT / "build" / "mutants"
_FOLDERS = (
    *("ops", "layers", "optim", "training", "evaluation", "explain", "testing"),
    *("execution", "data", "explorer", "teach", "parallel"),
)
_ALSO = ("test_losses.py", "test_parameters.py", "models/test_models.py", "models/test_toml.py")
_PEERS = (
    *("activation", "convolution", "linear", "losses", "normalization", "optim", "pooling"),
    *("schedules", "training", "upsample", "explain", "defaults", "explorer_server", "trace"),
)
_LEFT_OUT = {"test_resume_kill.py"}  # it watches processes of its own, in which nothing is broken
_LONGEST = 1200.0


def test_files() -> list[Path]:
    """Return the test files that breaks are shown to."""
    tests = ROOT / "tests"
    found = [path for folder in _FOLDERS for path in sorted((tests / folder).glob("test_*.py"))]
    found += [tests / name for name in _ALSO]
    found += [tests / "peers" / f"test_{name}.py" for name in _PEERS]
    return [path for path in found if path.is_file() and path.name not in _LEFT_OUT]


@dataclass
class Covering:
    """What was found out about all test files."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    """For each of the library's files the tests that run a line of it."""

    def of(self, path: str, line: int) -> set[str]:
        """Return the tests that run a line.

        Where only the import does, these are all that use its file, and those that run no line but
        look at what the import has made.
        """
        lines = self.lines.get(path, {})
        return lines.get(line) or self._looking.union(*lines.values())

    @cached_property
    def _looking(self) -> set[str]:
        every = (tests for lines in self.lines.values() for tests in lines.values())
        return set(self.seconds).difference(*every)


def learn(say=print) -> Covering:
    """Run the test files that are new or changed, and return what is known of all."""
    found = Covering()
    for file in test_files():
        named = STORE / "covering" / "-".join(file.relative_to(ROOT / "tests").parts)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        about = named.with_suffix(".json")
        if not about.is_file() or json.loads(about.read_text())["digest"] != digest:
            say(f"which lines {file.relative_to(ROOT)} runs")
            _run(file, named.with_suffix(".coverage"), about, digest)
        _add(found, json.loads(about.read_text()), named.with_suffix(".coverage"))
    return found


class _Recorder(Watch):
    """Covers each test under its own name; writes all down when the child ends."""

    def __init__(self, data: Path, about: Path, digest: str) -> None:
        super().__init__(variants=1)
        self.data, self.about, self.digest = data, about, digest

    def pytest_sessionstart(self) -> None:
        self.coverage = Coverage(str(self.data), include=[f"{SOURCE}/*"], config_file=False)
        self.coverage.set_option("run:disable_warnings", ["no-data-collected"])
        self.coverage.start()
        self.switch = self.coverage.switch_context

    def pytest_sessionfinish(self) -> None:
        self.coverage.stop()
        self.coverage.save()
        passed = {test: s for test, s in self.seconds.items() if test not in self.failed}
        about = {"digest": self.digest, "seconds": passed, "sources": _sources()}
        self.about.write_text(json.dumps(about))


def _run(file: Path, data: Path, about: Path, digest: str) -> None:
    data.parent.mkdir(parents=True, exist_ok=True)
    data.unlink(missing_ok=True)
    run_tests(["--maxfail=1000", str(file)], _Recorder(data, about, digest), _LONGEST)
    if not about.is_file() or json.loads(about.read_text())["digest"] != digest:
        about.write_text(json.dumps({"digest": digest, "seconds": {}, "sources": {}}))


def _sources() -> dict[str, str]:
    """Keep the library as it is now under its files' sums; return each file's sum."""
    kept = STORE / "sources"
    kept.mkdir(exist_ok=True)
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
