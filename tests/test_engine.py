"""Which engine runs: for all, for a block, or from the environment."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pellucid import engine
from pellucid.errors import PellucidError


@pytest.fixture(autouse=True)
def two_engines(monkeypatch):
    monkeypatch.setattr(engine, "NAMES", ("first", "second"))
    monkeypatch.setattr(engine, "_everywhere", None)
    monkeypatch.delenv("PELLUCID_ENGINE", raising=False)
    engine.environment.cache_clear()
    engine._default.cache_clear()
    yield
    engine.environment.cache_clear()
    engine._default.cache_clear()


def in_a_thread():
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(engine.name).result()


@pytest.mark.parametrize(("numba", "default"), [(True, "compiled"), (False, "reference")])
def test_the_compiled_engine_is_the_default_where_numba_is(monkeypatch, capsys, numba, default):
    monkeypatch.setattr(engine, "find_spec", lambda name: numba or None)
    assert engine.name() == engine.name() == default
    assert capsys.readouterr().err.count("Numba is not installed") == (not numba)


def test_the_environment_may_name_an_engine(monkeypatch):
    monkeypatch.setenv("PELLUCID_ENGINE", "second")
    assert engine.name() == "second"


def test_what_is_chosen_holds_in_all_threads():
    engine.use("second")
    assert engine.name() == in_a_thread() == "second"


def test_a_block_chooses_for_its_own_thread_and_puts_things_back():
    engine.use("second")
    with engine.using("first"):
        assert engine.name() == "first"
        assert in_a_thread() == "second"
        with engine.using("second"):
            assert engine.name() == "second"
        assert engine.name() == "first"
    assert engine.name() == "second"


def test_an_unknown_engine_is_told_with_the_nearest(monkeypatch):
    for choose in (engine.use, lambda name: engine.using(name).__enter__()):
        with pytest.raises(PellucidError, match="did you mean 'second'"):
            choose("secund")
    monkeypatch.setenv("PELLUCID_ENGINE", "third")
    with pytest.raises(PellucidError, match="unknown engine 'third'"):
        engine.name()
