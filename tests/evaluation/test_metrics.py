"""Metrics are those of scikit-learn, also for classes that never occur or are never predicted."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.errors import DataError, ShapeError
from pellucid.evaluation import ClassScores, calibration, confusion_matrix, top_k_accuracy


def probabilities(generator, n, classes):
    return generator.dirichlet(np.full(classes, 0.5), n)


@st.composite
def answers(draw):
    """Labels and predictions; often a class never occurs, or is never predicted."""
    classes = draw(st.integers(2, 6))
    numbers = st.integers(0, draw(st.integers(0, classes - 1)))
    n = draw(st.integers(1, 40))
    labels = draw(hnp.arrays(np.int64, n, elements=numbers))
    return labels, draw(hnp.arrays(np.int64, n, elements=st.integers(0, classes - 1))), classes


@settings(deadline=None)
@given(answers())
def test_precision_recall_and_f1_are_those_of_scikit_learn(given):
    labels, predictions, classes = given
    numbers = range(classes)
    matrix = confusion_matrix(labels, predictions, classes)
    assert np.array_equal(matrix, sk.confusion_matrix(labels, predictions, labels=numbers))
    scores = ClassScores(matrix)
    assert scores.accuracy == pytest.approx(sk.accuracy_score(labels, predictions))
    for average, found in (
        (None, (scores.precision, scores.recall, scores.f1)),
        ("macro", scores.macro),
        ("weighted", scores.weighted),
    ):
        *expected, support = sk.precision_recall_fscore_support(
            labels, predictions, labels=numbers, average=average, zero_division=0
        )
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        if average is None:
            assert np.array_equal(scores.support, support)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(3, 7), st.integers(1, 7))
def test_top_k_accuracy_is_that_of_scikit_learn(seed, classes, k):
    generator = np.random.default_rng(seed)
    said = probabilities(generator, 20, classes)
    labels = generator.integers(classes, size=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn finds k ≥ classes odd
        expected = sk.top_k_accuracy_score(labels, said, k=k, labels=range(classes))
    assert top_k_accuracy(said, labels, k) == pytest.approx(expected)


def test_top_1_is_accuracy_also_among_equals():
    said = np.full((3, 3), 1 / 3)
    assert top_k_accuracy(said, np.array([0, 1, 2]), 1) == (said.argmax(1) == [0, 1, 2]).mean()
    assert [top_k_accuracy(said[:1], np.array([2]), k) for k in (1, 2, 3)] == [0, 0, 1]


def test_calibration_error_is_the_mean_gap_of_its_definition():
    generator = np.random.default_rng(0)
    said = probabilities(generator, 500, 4)
    labels = generator.integers(4, size=500)
    confidence, right = said.max(axis=1), said.argmax(axis=1) == labels
    error = 0.0
    for b in range(10):
        inside = (confidence > b / 10) & (confidence <= (b + 1) / 10)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    found = calibration(said, labels, bins=10)
    assert found.error == pytest.approx(error, rel=1e-12)
    assert found.count.sum() == 500
    assert np.isnan(found.accuracy[found.count == 0]).all()
    assert (found.confidence[found.count > 0] <= found.edges[1:][found.count > 0]).all()


def test_a_bin_holds_its_upper_border():
    said = np.array([[0.75, 0.25], [0.5, 0.5]])
    assert calibration(said, np.array([0, 0]), bins=4).count.tolist() == [0, 1, 1, 0]


def test_certainty_falls_into_the_last_bin_even_when_rounding_takes_it_above_one():
    said = np.array([[1.0, 0.0], [np.nextafter(1.0, 2.0), 0.0]])
    found = calibration(said, np.array([0, 1]), bins=4)
    assert found.count.tolist() == [0, 0, 0, 2]
    assert found.error == pytest.approx(0.5)


def test_each_bin_has_its_mean_confidence_and_accuracy():
    said = np.array([[0.25] * 4, [0.7, 0.1, 0.1, 0.1], [0.5, 0.5, 0, 0], [0, 0, 0.75, 0.25]])
    found = calibration(said, np.array([1, 0, 0, 2]), bins=2)
    assert found.count.tolist() == [2, 2]
    np.testing.assert_allclose(found.confidence, [0.375, 0.725])
    np.testing.assert_allclose(found.accuracy, [0.5, 1.0])
    np.testing.assert_array_equal(found.edges, [0, 0.5, 1])
    assert found.error == pytest.approx((2 * 0.125 + 2 * 0.275) / 4)


def test_the_first_bin_begins_at_0():
    said = np.vstack([np.full(10, 0.1), np.zeros(10)])
    assert calibration(said, np.array([0, 1]), bins=4).count.tolist() == [2, 0, 0, 0]


def test_small_integer_types_do_not_overflow():
    numbers = np.array([0, 40, 99])
    expected = sk.confusion_matrix(numbers, numbers, labels=range(100))
    for kind in (np.uint8, np.int8, np.uint64):
        found = confusion_matrix(numbers.astype(kind), numbers.astype(kind), 100)
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_number_that_is_no_class_is_never_counted_as_another(wrong):
    scores, labels = np.eye(3), np.array([0, wrong, 2])
    for count in (
        lambda: confusion_matrix(labels, np.arange(3), 3),
        lambda: confusion_matrix(np.arange(3), labels, 3),
        lambda: top_k_accuracy(scores, labels, 1),
        lambda: calibration(scores, labels),
    ):
        with pytest.raises(DataError, match=f"from 0 to 2, but include {wrong}"):
            count()


def test_shapes_that_do_not_fit_together_are_refused():
    for count in (
        lambda: confusion_matrix(np.zeros((3, 1), int), np.zeros(3, int), 3),
        lambda: top_k_accuracy(np.eye(3), np.zeros((3, 1), int), 1),
        lambda: calibration(np.eye(3), np.zeros((3, 1), int)),
        lambda: calibration(np.zeros((0, 3)), np.zeros(0, int)),
    ):
        with pytest.raises(ShapeError):
            count()
    with pytest.raises(DataError, match="class numbers"):
        confusion_matrix(np.zeros(3), np.zeros(3, int), 3)
    with pytest.raises(DataError, match="image 1 are NaN"):
        calibration(np.array([[0.5, 0.5], [np.nan, 0.5]]), np.array([0, 0]))


def test_a_score_that_is_nan_finds_no_class():
    scores = np.array([[np.nan, 0.0, 1.0]])
    assert [top_k_accuracy(scores, np.array([label]), 1) for label in range(3)] == [0, 0, 0]
    assert top_k_accuracy(scores, np.array([2]), 2) == 1


def test_top_k_of_pixels_is_that_of_all_pixels_in_a_row():
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 3, (4, 5, 3, 5)).astype(float)  # with ties
    labels = generator.integers(0, 5, (4, 3, 5))
    rows = np.moveaxis(scores, 1, -1).reshape(-1, 5)
    for k in (1, 2, 4):
        assert top_k_accuracy(scores, labels, k) == top_k_accuracy(rows, labels.ravel(), k)
