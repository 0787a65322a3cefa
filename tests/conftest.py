"""Real data sets for the tests that look at them.

They come from PELLUCID_HOME if all of them are there, else from the folder PELLUCID_TEST_DATA,
whose program `prepare.py` lays them out. Without either, the tests that ask for `data_home` are
deselected, and the end of the report says so.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Most tests are about the engine that is read; `make test` runs those that go through the whole
# library once more with the compiled one. Threads that wait leave the processors to others.
os.environ.setdefault("PELLUCID_ENGINE", "reference")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from commands import pellucid as pellucid
from commands import rows as rows
from commands import run as run
from pellucid import engine
from pellucid.data import DataSet, Splits, load

_SETS = ("mnist", "fashion-mnist", "cifar-10")
_left_out = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_data: looks at MNIST, Fashion-MNIST or CIFAR-10")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asking = [item for item in items if "data_home" in getattr(item, "fixturenames", ())]
    for item in asking:
        item.add_marker("real_data")
    if _home() is None and _program() is None:
        items[:] = [item for item in items if item not in set(asking)]
        config.hook.pytest_deselected(items=asking)
        config.stash[_left_out] = len(asking)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if count := config.stash.get(_left_out, 0):
        terminalreporter.write_line(
            f"{count} tests need real data sets, which are neither in PELLUCID_HOME nor in "
            "PELLUCID_TEST_DATA; they were left out",
            yellow=True,
        )


@pytest.fixture(scope="session")
def data_home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MNIST, Fashion-MNIST and CIFAR-10 in their official forms."""
    if (home := _home()) is not None:
        return home
    program = _program()
    assert program is not None
    cache: pytest.Cache | None = getattr(request.config, "cache", None)
    home = cache.mkdir("data-home") if cache else tmp_path_factory.mktemp("data-home")
    subprocess.run([sys.executable, program, home], check=True, stdout=subprocess.DEVNULL)
    return home


@pytest.fixture
def real_data(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, in which `load` finds its data sets."""
    monkeypatch.setenv("PELLUCID_HOME", str(data_home))
    return data_home


@pytest.fixture(scope="session")
def mnist(data_home: Path) -> Splits:
    """MNIST."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PELLUCID_HOME", str(data_home))
        return load("mnist")


@pytest.fixture(scope="session")
def mnist_test(mnist: Splits) -> DataSet:
    """The 10,000 test images of MNIST."""
    assert mnist.test is not None
    return mnist.test


def _home() -> Path | None:
    home = Path(os.environ.get("PELLUCID_HOME") or os.devnull)
    return home if all((home / name).is_dir() for name in _SETS) else None


def _program() -> Path | None:
    if not (folder := os.environ.get("PELLUCID_TEST_DATA")):
        return None
    program = Path(folder) / "prepare.py"
    return program if program.is_file() else None


@pytest.fixture
def heeded_signals() -> Iterator[None]:
    """Heed the signals that end a program, also where the tests run in the background."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    ignored = [number for number in numbers if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def on_compiled() -> Iterator[None]:
    with engine.using("compiled"):
        yield
