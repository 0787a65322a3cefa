"""A case as tables: which cells are marked, what stands side by side."""

import pytest

from pellucid.teach import check
from pellucid.teach.tables import Table, as_html, as_text


def test_exactly_the_wrong_cells_are_bold_and_dark():
    page = as_html([[Table("y got", [["1", "2", "3"]], [[False, True, False]], "got")]])
    cells = page.split("<td ")[1:]
    assert ["font-weight:bold" in cell for cell in cells] == [False, True, False]
    assert [",0.45)" in cell for cell in cells] == [False, True, False]
    assert as_text([[Table("y got", [["1", "2"]], [[False, True]], "got")]]) == "y got\n1  2*"


@pytest.mark.parametrize(("width", "side_by_side"), [(45, True), (46, False)])
def test_tables_stand_side_by_side_up_to_a_hundred_characters(width, side_by_side):
    """Each takes the width of its label, and four characters between two."""
    labels = "a" * 47, "b" * width
    text = as_text([[Table(label, [["1"]], [[False]], "input") for label in labels]])
    assert (text.splitlines()[0] == f"{labels[0]}    {labels[1]}") == side_by_side


def test_a_function_that_an_exercise_is_given_is_shown_by_what_it_says():
    said = str(check.numerical_gradient(lambda f, x, h=1e-5: x))
    assert "The sum of x³." in said
    assert "False" not in said
