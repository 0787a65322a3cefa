"""How a result shows itself."""

import ast

import numpy as np
import pytest

import pellucid as pl
from pellucid.errors import PellucidError
from pellucid.teach import EXERCISES, check, find


def backwards(x):
    return np.minimum(x, 0)


def test_a_result_says_what_is_wrong_and_shows_a_case():
    said = str(check.relu(backwards)).splitlines()
    assert said[0] == ("relu is not there yet. The sign is turned round: negative numbers pass.")
    assert said[1].strip() == "Keep what is above 0."
    assert any(line.startswith("y expected") for line in said)
    assert any(line.endswith("*") for line in said)


def test_a_notebook_shows_tables_whose_wrong_cells_are_marked():
    page = check.relu(backwards)._repr_html_()
    assert "y expected" in page
    assert "font-weight:bold" in page
    assert "✗" in page
    assert "✓" in check.relu(EXERCISES["relu"])._repr_html_()


def test_what_a_reader_writes_is_escaped():
    def relu(x):
        raise ValueError("<script>")

    assert "<script>" not in check.relu(relu)._repr_html_()


def test_the_checks_are_found_by_name():
    assert dir(check) == sorted(EXERCISES)
    assert "(N, C, KH, KW)" not in check.relu.__doc__
    assert check.conv2d.__doc__.startswith("conv2d(x, weight, bias, stride=1, padding=0)")
    assert pl.teach.check is check
    with pytest.raises(AttributeError, match="did you mean 'conv2d'"):
        _ = check.conv2
    with pytest.raises(PellucidError, match="unknown exercise"):
        find("nothing")


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_a_stub_is_python_and_is_recognised_as_not_written(exercise):
    stub = exercise.stub()
    ast.parse(stub)
    written: dict[str, object] = {}
    exec(stub, written)
    assert check(exercise.name, written[exercise.name]).names == ("not_written",)


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_what_is_said_of_mistakes_is_whole_sentences(exercise):
    for mistake in exercise.mistakes:
        assert mistake.says.endswith("."), mistake
        assert mistake.hint.endswith((".", "]")), mistake
