"""What Numba and OpenMP read once is set before they read it, whatever is imported first."""

import pytest

from programs import run_python

SHOW = """
import os, sys
import numba
print(numba.config.NUMBA_NUM_THREADS, numba.get_num_threads(), os.environ["GOMP_SPINCOUNT"])
"""
WAYS = {
    "the engine": "from pellucid import engine; engine.current()",
    "a module of it": "import pellucid.compiled.layout",
    "a deeper one": "import pellucid.compiled.conv.tiles",
    "the rest first": "import pellucid.training, pellucid.view, pellucid.compiled.loss",
}


def settings(code, **environment):
    """What Numba has after `code`: threads at all, threads in use, rounds of a waiting thread."""
    unset = {"NUMBA_NUM_THREADS": "", "PELLUCID_NUM_THREADS": "", "GOMP_SPINCOUNT": ""}
    start = "import os\nfor name in %r:\n    os.environ[name] or os.environ.pop(name)\n"
    given = unset | environment
    shown, said = run_python(start % list(given) + code + SHOW, **given)
    return shown.splitlines()[-1].split(), said


@pytest.mark.parametrize("way", WAYS)
def test_settings_do_not_depend_on_what_is_imported_first(way):
    assert settings(WAYS[way], PELLUCID_NUM_THREADS="1")[0] == ["1", "1", "20000"]


def test_a_user_who_set_numbas_threads_keeps_them():
    assert settings(WAYS["the engine"], NUMBA_NUM_THREADS="1", GOMP_SPINCOUNT="7")[0] == [
        *("1", "1", "7")
    ]


def test_the_librarys_own_variable_comes_before_numbas():
    found, said = settings(WAYS["the engine"], NUMBA_NUM_THREADS="2", PELLUCID_NUM_THREADS="1")
    assert found[:2] == ["1", "1"]
    assert said == ""


def test_where_numba_was_imported_before_what_can_be_set_is_set_and_the_rest_said():
    code = "import numba\n" + WAYS["a module of it"]
    found, said = settings(code, NUMBA_NUM_THREADS="2", PELLUCID_NUM_THREADS="1")
    assert found == ["2", "1", "20000"]
    (line,) = said.splitlines()
    assert "Numba was imported before Pellucid" in line
    assert "PELLUCID_NUM_THREADS=1" in line


def test_where_numba_was_imported_before_and_nothing_was_asked_nothing_is_said():
    found, said = settings("import numba\n" + WAYS["a module of it"])
    assert found[2] == "20000"
    assert said == ""


def test_openmp_reads_how_long_a_thread_waits():
    code = WAYS["the engine"] + "; import numba; numba.get_num_threads()\n"
    code += "print('' if numba.threading_layer() == 'omp' else 'no OpenMP')\n"
    shown, said = run_python(code, OMP_DISPLAY_ENV="verbose", OMP_WAIT_POLICY="")
    assert "GOMP_SPINCOUNT = '20000'" in said or shown == "no OpenMP"
