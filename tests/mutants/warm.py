"""Run tests in forks of a process that has collected all of them once.

A break inside a function is made there by giving the function its changed code, which takes
milliseconds. A break of what a module does when it is imported, such as a default, needs a new
import: see `forked`.
"""

import gc
import hashlib
import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from breaks import Break, broken
from coverage import Coverage
from forked import (
    BROKE,
    MEMORY,
    OPTIONS,
    ROOT,
    SOURCE,
    Finder,
    Outcome,
    Watch,
    die_with,
    module_of,
    silence,
)

Codes = dict[tuple[str, int], CodeType]


class Warm:
    """A process that has imported the library and collected the tests of some files."""

    def __init__(self, files: Sequence[str]) -> None:
        self.digests = {f: hashlib.sha256((ROOT / f).read_bytes()).hexdigest() for f in files}
        """The sums of the test files, as they are collected."""
        self._connection, there = multiprocessing.Pipe()
        parent = os.getpid()
        if not os.fork():
            die_with(parent)
            _serve(files, there)
        there.close()
        self._connection.recv()

    def run(self, usual: Mapping[str, float], limit: float, found: Break) -> Outcome:
        """Run tests in this order until one fails, with one break in a function.

        `usual` gives the CPU seconds that each test takes; five times as long is a failure.
        """
        return self._ask("run", limit, usual, found)

    def cover(self, tests: Sequence[str], limit: float, data: Path) -> dict[str, float]:
        """Run tests under coverage.py, and return the seconds that each took if it passed."""
        return self._ask("cover", limit, tests, data)

    def tests(self) -> list[str]:
        """Return all tests that were collected."""
        return self._ask("tests", 60.0)

    def close(self) -> None:
        """End the process."""
        self._connection.close()

    def _ask(self, *what: Any) -> Any:
        self._connection.send(what)
        found = self._connection.recv()
        if isinstance(found, str):
            raise RuntimeError(found)
        return found


def changed_functions(path: str, number: int) -> Codes | None:
    """Return a break's code by function, or None if it changes more than functions.

    >>> changed_functions("geometry.py", 0) is None  # a constant of the module
    True
    """
    source, file = (SOURCE / path).read_text(encoding="utf-8"), str(SOURCE / path)
    old = list(_parts(compile(source, file, "exec", dont_inherit=True)))
    new = list(_parts(compile(broken(source, number), file, "exec", dont_inherit=True)))
    if len(old) != len(new):
        return None
    found: Codes = {}
    for before, after in zip(old, new, strict=True):
        if _own(before) == _own(after):
            continue
        names = [(c.co_qualname, c.co_firstlineno) for c in new]
        name = (after.co_qualname, after.co_firstlineno)
        if not after.co_flags & _FUNCTION or names.count(name) > 1:
            return None
        if before.co_freevars != after.co_freevars or before.co_cellvars != after.co_cellvars:
            return None
        found[name] = after
    outer = {c for c in found if "<locals>" in c[0]}
    # a function within a function comes from the outer one's code, which holds the changed one
    for code in new:
        if any(name[0].startswith(f"{code.co_qualname}.<locals>") for name in outer):
            found[(code.co_qualname, code.co_firstlineno)] = code
    return found


_FUNCTION = 0x2  # CO_NEWLOCALS: neither a module nor a class


def _parts(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _parts(inner)


def _own(code: CodeType) -> tuple[Any, ...]:
    constants = [repr(c) for c in code.co_consts if not isinstance(c, CodeType)]
    return code.co_code, code.co_names, code.co_varnames, constants


class _Server(Watch):
    """Answers what it is asked where pytest would run the tests."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.collecting = Coverage(data_file=None, include=[f"{SOURCE}/*"], config_file=False)
        self.collecting.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.collecting.stop()
        items = {item.nodeid: item for item in session.items}
        functions = _functions_by_file()
        gc.collect()
        gc.freeze()
        self.connection.send("ready")
        while True:
            try:
                what, limit, *given = self.connection.recv()
            except EOFError:
                os._exit(0)
            match what, given:
                case "tests", []:
                    answer: Any = list(items)
                case "cover", [tests, data]:
                    chosen = [items[test] for test in tests if test in items]
                    answer = _in_child(lambda: self._cover(chosen, data), limit)  # noqa: B023
                    answer = answer if isinstance(answer, dict) else {}
                case "run", [usual, found]:
                    self.usual = usual
                    chosen = [items[test] for test in usual if test in items]
                    own = functions[found.path]
                    answer = _in_child(lambda: self._run(chosen, found, own), limit)  # noqa: B023
            self.connection.send(answer)

    def _run(
        self, items: list[pytest.Item], found: Break, functions: list[FunctionType]
    ) -> Outcome:
        began, path = time.perf_counter(), found.path
        if module_of(path) not in sys.modules:  # it is imported by the test that needs it
            tree = broken((SOURCE / path).read_text(encoding="utf-8"), found.number)
            sys.meta_path.insert(0, Finder(path, tree))
        elif not _change(functions, changed_functions(path, found.number) or {}):
            return Outcome("import", 0.0)
        for _ in self._each(items):
            if self.failed:
                return Outcome("failed", time.perf_counter() - began, self.failed[0])
        used = self.collecting.get_data().lines(str(SOURCE / path)) or ()
        ended = "import" if found.line in used else "passed"  # what a test has prepared may be new
        return Outcome(ended, time.perf_counter() - began)

    def _cover(self, items: list[pytest.Item], data: Path) -> dict[str, float]:
        coverage = Coverage(str(data), include=[f"{SOURCE}/*"], config_file=False)
        coverage.set_option("run:disable_warnings", ["no-data-collected"])
        coverage.start()
        self.switch = coverage.switch_context
        for _ in self._each(items):
            pass
        coverage.stop()
        coverage.save()
        return {test: s for test, s in self.seconds.items() if test not in self.failed}

    def _each(self, items: list[pytest.Item]) -> Iterator[None]:
        for item, following in zip(items, [*items[1:], None], strict=False):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            yield


def _change(functions: list[FunctionType], codes: Codes) -> int:
    """Give functions their changed code; return how many were found."""
    names = [(f.__code__.co_qualname, f.__code__.co_firstlineno) for f in functions]
    for function, name in zip(functions, names, strict=True):
        function.__code__ = codes.get(name, function.__code__)
    return sum(name in codes for name in names)


def _functions_by_file() -> dict[str, list[FunctionType]]:
    found = defaultdict(list)
    for thing in gc.get_objects():
        if type(thing) is FunctionType and thing.__code__.co_filename.startswith(f"{SOURCE}/"):
            found[thing.__code__.co_filename.removeprefix(f"{SOURCE}/")].append(thing)
    return found


def _in_child(work: Callable[[], Any], limit: float) -> Any:
    """Return what `work` returns in a fork of this process; `limit` is in seconds of CPU."""
    began = time.perf_counter()
    here, there = multiprocessing.Pipe(duplex=False)
    parent = os.getpid()
    child = os.fork()
    if not child:
        die_with(parent)
        os.setpgid(0, 0)
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, resource.RLIM_INFINITY))
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            there.send(work())
        except BaseException:
            traceback.print_exc()
            there.send(Outcome("error", time.perf_counter() - began))
        finally:
            os._exit(0)
    there.close()
    try:
        answer = here.recv() if here.poll(20 * limit) else None
    except EOFError:  # killed, by its limit of time or a crash
        answer = None
    here.close()
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return answer or Outcome("limit", time.perf_counter() - began)


def _serve(files: Sequence[str], connection: Connection) -> None:
    try:
        silence()
        options = [f"--basetemp={SOURCE.parents[1]}/build/mutants/tmp-{os.getpid()}"]
        pytest.main([*OPTIONS, *options, *files], plugins=[_Server(connection)])
        connection.send("pytest ended; MUTANTS_LOG=FILE keeps what it said")
    finally:
        os._exit(BROKE)
