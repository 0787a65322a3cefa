"""A wrong function in, the name of its mistake out; what is right passes, however it is written."""

from collections import Counter

import numpy as np
import pytest

from learners import RIGHT, WRONG
from pellucid.teach import EXERCISES, check
from pellucid.teach.examine import examine

KNOWN = [
    (exercise, mistake, variant)
    for exercise in EXERCISES.values()
    for mistake in exercise.mistakes
    for variant in mistake.variants
]


def numbered(rows):
    """A name for each row, counted where it comes again."""
    seen = Counter()
    for *words, _ in rows:
        seen[name := "-".join(words)] += 1
        yield f"{name}-{seen[name]}"


@pytest.mark.parametrize(("exercise", "mistake", "function"), WRONG, ids=numbered(WRONG))
def test_a_learners_mistake_is_named(exercise, mistake, function):
    result = check(exercise, function)
    assert not result
    assert result.names == (mistake,), str(result)


@pytest.mark.parametrize(("exercise", "function"), RIGHT, ids=numbered(RIGHT))
def test_a_right_function_passes_however_it_is_written(exercise, function):
    result = check(exercise, function)
    assert result, str(result)


def test_there_are_many_of_both():
    assert len({(exercise, mistake) for exercise, mistake, _ in WRONG}) >= 60
    assert len(RIGHT) >= 20
    assert len({(e.name, m.name) for e, m, _ in KNOWN}) >= 60


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_no_two_mistakes_are_taken_for_each_other(exercise):
    """What a mistake gives differs from the right answer, and from every other mistake."""
    assert exercise.mistakes
    for mistake in exercise.mistakes:
        for variant in mistake.variants:
            result = examine(exercise, variant)
            assert result.names == (mistake.name,), f"{mistake.name}: {result}"
            assert result.certain


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_the_answers_pass_their_own_check(exercise):
    result = examine(exercise, exercise)
    assert result, str(result)
    assert "cases" in str(result)


def test_two_mistakes_in_two_results_are_both_named():
    def linear_backward(dy, x, weight):
        return dy @ weight, dy.T @ x / len(x), dy.mean(axis=0)

    found = check.linear_backward(linear_backward).names
    assert set(found) == {"weight_gradient_averaged", "bias_gradient_averaged"}


def test_what_is_wrong_with_any_exercise_is_named():
    def unwritten(x):
        raise NotImplementedError

    assert check.relu(unwritten).names == ("not_written",)
    assert check.relu(lambda x: None).names == ("nothing_returned",)
    assert check.relu(lambda x: "y").names == ("other_result",)


def test_a_changed_argument_explains_what_is_wrong_for_certain_only_if_it_always_is():
    def always(x):
        x += 7
        return np.sin(x)

    def sometimes(x):
        return always(x) if x.flat[0] > 0 else np.sin(x)

    assert "looks like yours" not in check.relu(always).verdict
    assert "looks like yours" in check.relu(sometimes).verdict
    assert check.relu(always).names == check.relu(sometimes).names != ()


def test_an_unknown_mistake_is_shown_in_a_small_case():
    def conv2d(x, weight, bias, stride=1, padding=0):
        y = EXERCISES["conv2d"](x, weight, bias, stride, padding)
        if x.shape[1] > 1:
            y[0, 0, 0, 0] += 5
        return y

    result = check.conv2d(conv2d)
    assert not result
    assert result.names == ()
    small = result.trial.arguments
    assert small["x"].shape == (1, 2, 1, 1)  # two channels are what it takes
    assert small["weight"].shape == (1, 2, 1, 1)
    assert not small["x"].any()
    assert not small["weight"].any()
    assert "5" in str(result)


def test_an_error_is_shown_with_its_line():
    def relu(x):
        return x.missing()

    result = check.relu(relu)
    assert "AttributeError" in str(result)
    assert "return x.missing()" in str(result)


def test_float64_from_float32_is_remarked_and_passes():
    def pad2d(x, padding):
        N, C, H, W = x.shape
        out = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
        out[:, :, padding : padding + H, padding : padding + W] = x
        return out

    result = check.pad2d(pad2d)
    assert result
    assert [remark.name for remark in result.remarks] == ["widened"]
    assert not check.pad2d(EXERCISES["pad2d"].answer).remarks


def test_laws_find_what_the_cases_miss():
    """A function that knows the cases by heart but not the law."""
    exercise = EXERCISES["col2im"]

    def by_heart(columns, *geometry):
        return exercise(columns, *geometry) * (1 if (columns == columns.round()).all() else 1.01)

    result = examine(exercise, by_heart)
    assert not result
    assert "⟨im2col(x), c⟩ = ⟨x, col2im(c)⟩" in result.verdict
