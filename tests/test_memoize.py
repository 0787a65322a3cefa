"""Results that are worked out once."""

from pellucid.memoize import memoize


def test_equal_numbers_of_different_types_are_different_arguments():
    kind = memoize(lambda value: type(value))
    assert [kind(value) for value in (1, 1.0, True, 1)] == [int, float, bool, int]


def test_each_result_is_worked_out_once():
    asked = []
    double = memoize(lambda value: asked.append(value) or 2 * value)
    assert [double(1), double(1), double(2), double(value=2)] == [2, 2, 4, 4]
    assert asked == [1, 2, 2]  # by name it is another call


def test_what_cannot_be_looked_up_is_worked_out_anew():
    asked = []
    count = memoize(lambda values: asked.append(values) or len(values))
    assert [count([1, 2]), count([1, 2])] == [2, 2]
    assert len(asked) == 2
