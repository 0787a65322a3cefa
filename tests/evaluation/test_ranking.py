"""ROC and precision–recall curves are scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics

from pellucid import view
from pellucid.errors import DataError, ShapeError
from pellucid.evaluation import Evaluation, ranking


@pytest.mark.parametrize("levels", [None, 5])
@pytest.mark.parametrize("seed", range(4))
def test_curves_and_areas_are_scikit_learns(seed, levels):
    source = np.random.default_rng(seed)
    truth = source.random(200) < 0.3
    score = 0.5 * truth + source.random(200)
    score = score if levels is None else np.round(score * levels) / levels  # with ties
    found = ranking(score, truth)
    x, y, thresholds = metrics.roc_curve(truth, score, drop_intermediate=False)
    np.testing.assert_allclose(found.false_positive_rate, x[1:])
    np.testing.assert_allclose(found.recall, y[1:])
    np.testing.assert_array_equal(found.thresholds, thresholds[1:])
    precision, recall, _ = metrics.precision_recall_curve(truth, score)
    np.testing.assert_allclose(found.precision, precision[-2::-1])
    np.testing.assert_allclose(found.recall, recall[-2::-1])
    assert found.roc_auc == pytest.approx(metrics.roc_auc_score(truth, score))
    assert found.average_precision == pytest.approx(metrics.average_precision_score(truth, score))


def test_a_class_without_images_has_no_area():
    none, all_ = (ranking(np.array([0.2, 0.1]), np.full(2, value)) for value in (False, True))
    assert np.isnan(none.roc_auc)
    assert np.isnan(none.average_precision)
    assert np.isnan(all_.roc_auc)
    assert all_.average_precision == 1


def test_one_image_of_each_kind():
    found = ranking(np.array([0.2, 0.1]), np.array([True, False]))
    assert found.recall.tolist() == [1, 1]
    assert found.false_positive_rate.tolist() == [0, 1]
    assert found.precision.tolist() == [1, 0.5]
    assert (found.roc_auc, found.average_precision) == (1, 1)


def test_scores_and_truth_belong_together():
    with pytest.raises(ShapeError, match="two vectors of one length"):
        ranking(np.zeros(3), np.zeros(2, bool))


@pytest.fixture(scope="module")
def evaluation():
    source = np.random.default_rng(0)
    labels = np.arange(1000) % 8
    scores = source.normal(size=(1000, 8)) + np.eye(8)[labels] * np.arange(1, 9) / 3
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return Evaluation(labels, p, tuple("abcdefgh"), loss=1.0)


def test_the_drawn_curves_name_the_weakest_classes_with_their_areas(evaluation):
    areas = [
        metrics.roc_auc_score(evaluation.labels == i, evaluation.probabilities[:, i])
        for i in range(8)
    ]
    (ax,) = view.roc(evaluation).axes
    named = [line.get_label() for line in ax.lines if ": " in line.get_label()]
    order = np.argsort(areas)[:5]
    assert named == [f"{'abcdefgh'[i]}: {areas[i]:.3f}" for i in order]
    assert len(ax.lines) == 1 + 8  # and chance
    for line in ax.lines:
        x, y = line.get_data()
        assert len(x) <= 300
        assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)


def test_precision_and_recall_are_drawn_from_the_first_image_to_the_last(evaluation):
    (ax,) = view.precision_recall(evaluation).axes
    for line in ax.lines:
        x, y = line.get_data()
        assert (x[0], y[0], x[-1]) == (0, 1, 1)
        assert y[-1] == pytest.approx(125 / 1000)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, bool, np.float16])
def test_scores_of_any_type_are_ranked_by_value(kind):
    score = np.array([0, 1, 1, 0, 2, 1]).astype(kind)
    truth = np.array([0, 1, 1, 0, 1, 0], bool)
    area = metrics.roc_auc_score(truth, score.astype(float))
    assert ranking(score, truth).roc_auc == pytest.approx(area)


def test_infinite_scores_can_be_equal():
    score, truth = np.array([np.inf, np.inf, 1.0, -np.inf, -np.inf]), np.array([1, 0, 1, 0, 0])
    equal = np.array([3.0, 3.0, 2.0, 1.0, 1.0])
    assert ranking(score, truth).roc_auc == metrics.roc_auc_score(truth, equal)
    assert ranking(score, truth).average_precision == metrics.average_precision_score(truth, equal)


def test_a_probability_that_is_nan_has_no_rank():
    with pytest.raises(DataError, match="image 1 is NaN"):
        ranking(np.array([0.0, np.nan]), np.array([0, 1]))
