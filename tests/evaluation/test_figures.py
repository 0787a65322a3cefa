"""The figures of an evaluation as plain data, and what predictions are computed from."""

import json
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import sklearn.metrics as sk

from pellucid import layers as nn
from pellucid import losses
from pellucid.errors import DataError, PellucidError, ShapeError
from pellucid.evaluation import Evaluation, accuracy_interval, evaluate, predict, predictions
from pellucid.preprocessing import Preprocessing
from threads_as_processes import run_as

NAMES = tuple("abcdefg")


def drawn(classes, count=40):
    source = np.random.default_rng(classes)
    said = source.dirichlet(np.ones(classes), count)
    return Evaluation(source.integers(classes, size=count), said, NAMES[:classes], loss=1.25)


@pytest.mark.parametrize("classes", [3, 5, 6, 7])
def test_plain_data_has_all_figures(classes):
    evaluation = drawn(classes)
    labels, predictions = evaluation.labels, evaluation.probabilities.argmax(axis=1)
    told = evaluation.describe()
    assert json.loads(json.dumps(told)) == told
    assert told.pop("confusion") == sk.confusion_matrix(labels, predictions).tolist()
    columns = sk.precision_recall_fscore_support(labels, predictions, zero_division=0)
    for i, row in enumerate(told.pop("classes")):
        assert row.pop("name") == NAMES[i]
        expected = dict(zip(("precision", "recall", "f1", "images"), columns, strict=True))
        assert row == pytest.approx({name: column[i] for name, column in expected.items()})
    correct = (labels == predictions).sum()
    assert told == {
        "images": 40,
        "correct": correct,
        "accuracy": correct / 40,
        "accuracy_interval": list(accuracy_interval(correct, 40)),
        "top_5": evaluation.top_k_accuracy(min(classes, 5)),
        "loss": 1.25,
        "calibration_error": evaluation.calibration.error,
    }


def test_rows_are_those_of_the_report():
    evaluation = drawn(3)
    rows = evaluation.rows()
    assert [row["class"] for row in rows] == ["a", "b", "c", "macro average", "weighted average"]
    for row, line in zip(rows, evaluation.report().splitlines()[1:], strict=True):
        numbers = [row[name] for name in ("precision", "recall", "f1", "support")]
        assert numbers == pytest.approx(list(map(float, line.split()[-4:])), abs=5e-5)


def test_a_report_ends_with_its_last_line():
    without, never_predicted = (
        drawn(3),
        Evaluation(np.zeros(2, int), np.eye(2)[[0, 0]], NAMES[:2], 0),
    )
    for evaluation, last in ((without, "weighted average"), (never_predicted, "never occurring")):
        lines = evaluation.report().split("\n")
        assert lines[-1].startswith(last)
        assert lines.count("") == (evaluation is never_predicted)


@pytest.mark.parametrize("length", [24, 25])
def test_a_name_of_a_class_has_at_most_24_letters(length):
    found = Evaluation(np.array([0, 1]), np.eye(2), ("x" * length, "b"), loss=1.0)
    assert ("x" * 24 in found.report()) == (length == 24)
    assert ("x" * 23 + "…" in found.report()) == (length == 25)


def test_mistakes_are_ten_unless_another_number_is_given():
    evaluation = Evaluation(np.ones(30, int), np.tile([0.75, 0.25], (30, 1)), ("a", "b"), 1.0)
    assert len(evaluation.mistakes()) == len(evaluation.mistakes_table()) == 10
    assert evaluation.top_k_accuracy(1) == 0


def test_the_calibration_of_an_evaluation_has_fifteen_bins():
    assert len(drawn(3).calibration.count) == 15


# What predictions are computed from


@dataclass
class Images:
    """The least that counts as a data set."""

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]


def classifier(dtype="float32"):
    model = nn.Sequential(nn.Flatten(), fc=nn.Linear(8, 3))
    return nn.initialize(model, seed=1).astype(dtype)


X = np.random.default_rng(0).normal(size=(9, 2, 2, 2))
LABELS = np.arange(9) % 3


def test_a_network_without_parameters_computes_in_float32():
    assert predict(nn.Flatten(), X).dtype == np.float32


def test_images_are_numbers_of_the_networks_type():
    x = X.astype(np.float16)
    for dtype in ("float32", "float64"):
        expected = predict(classifier(dtype), x.astype(dtype))
        found = predict(classifier(dtype), x)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)


def test_a_list_of_images_is_an_array_of_them():
    np.testing.assert_array_equal(predict(classifier(), X.tolist()), predict(classifier(), X))


@pytest.mark.parametrize(("shape", "last"), [((9, 3), 7), ((9, 3), 8)])
def test_the_image_whose_outputs_are_not_finite_is_named_in_any_batch(shape, last):
    x = np.zeros(shape)
    x[last] = 1
    model = nn.Sequential(nn.Affine(np.inf), nn.Affine(1.0))
    with np.errstate(invalid="ignore"), pytest.raises(PellucidError, match="for image 0 are not"):
        predict(model, x, batch_size=4)
    x[...] = 1e-30
    x[last, 1] = 1e30
    with np.errstate(over="ignore"), pytest.raises(PellucidError, match=f"image {last} are not"):
        predict(nn.Sequential(nn.Power(3.0)), x, batch_size=4)


def test_as_many_names_as_outputs():
    model = classifier()
    model.classes = ("a", "b")
    with pytest.raises(ShapeError, match="the model has 3 outputs, but 2 names of classes"):
        predict(model, X)


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 5, 3)])
def test_images_of_another_shape_than_in_training_are_refused(shape):
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.input_shape = (3, 5, 4)
    assert predict(model, np.zeros((2, 3, 5, 4))).shape == (2, 3)
    with pytest.raises(ShapeError, match=f"3×5×4, these are {'×'.join(map(str, shape))}") as told:
        predict(model, np.zeros((2, *shape)))
    assert ("are the channels last?" in str(told.value)) == (shape[-1] == 3)


def test_what_has_no_second_axis_is_no_images():
    for x in (np.zeros(3), np.zeros(()), np.zeros((0, 1, 2, 2))):
        with pytest.raises(DataError, match="there are no images in an array of shape"):
            predict(nn.Flatten(), x)


def test_vectors_are_images_enough():
    x = X.reshape(9, 8)
    np.testing.assert_allclose(predict(classifier()["fc"], x), predict(classifier(), X), rtol=1e-6)


def test_pixels_without_preprocessing_are_refused_in_an_array_and_converted_in_a_data_set():
    pixels = np.arange(72, dtype=np.uint8).reshape(9, 2, 2, 2)
    with pytest.raises(DataError, match="pixels from 0 to 255"):
        predict(classifier(), pixels)
    data = Images(pixels, LABELS, NAMES[:3])
    expected = predict(classifier(), pixels.astype(np.float32))
    np.testing.assert_array_equal(predict(classifier(), data), expected)


def test_views_are_of_stored_images_before_preprocessing():
    model = classifier()
    model.preprocessing = Preprocessing((10.0, 20.0), (2.0, 5.0))
    pixels = np.arange(72, dtype=np.uint8).reshape(9, 2, 2, 2)
    seen = []

    def darker(images):
        seen.append(images.dtype)
        return images // 2

    found = predict(model, pixels, views=[darker])
    assert seen == [np.uint8]
    p, q = predict(model, pixels), predict(model, pixels // 2)
    expected = np.sqrt(p * q) / np.sqrt(p * q).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    data = Images(pixels, LABELS, NAMES[:3])
    np.testing.assert_array_equal(predict(model, data, views=[darker]), found)


@pytest.mark.parametrize(("count", "ahead"), [(63, False), (64, True)])
def test_kernels_for_64_images_and_more_are_compiled_ahead(count, ahead, monkeypatch):
    called = []
    monkeypatch.setattr(predictions, "compile_ahead", called.append)
    predict(nn.Flatten(), np.zeros((count, 3)))
    assert bool(called) == ahead


def test_a_loss_may_be_named():
    targets = np.array([0, 1, 2] * 3)
    expected, _ = losses.cross_entropy(classifier()(X.astype(np.float32)), targets)
    for loss in ("cross_entropy", losses.CrossEntropy()):
        found = evaluate(classifier(), X, targets, loss=loss)
        assert found.loss == pytest.approx(expected, rel=1e-6)


def test_batches_cannot_be_evaluated():
    class Batches:
        def batches(self, epoch, seed):
            return iter([])

        def __len__(self):
            return 3

    with pytest.raises(DataError, match="needs a data set or a pair of arrays, not batches"):
        evaluate(classifier(), Batches())


@pytest.mark.parametrize("labels", [np.full((9, 1), 2), np.full(9, 2.0)])
def test_labels_are_a_vector_of_integers(labels):
    with pytest.raises(DataError, match="needs the class number of each image"):
        evaluate(classifier(), X, labels)


@pytest.mark.parametrize("wrong", [3, -1])
def test_a_label_beyond_the_classes_is_named(wrong):
    labels = LABELS.copy()
    labels[4], labels[6] = wrong, wrong
    with pytest.raises(DataError, match=f"image 4 has label {wrong}, .* classes 0 to 2"):
        evaluate(classifier(), X, labels)


def test_the_first_class_with_another_name_is_named():
    model = classifier()
    model.classes = ("a", "b", "c")
    for other, said in ((("a", "c", "b"), "class 1 is 'b' .* 'c'"), (("x", "b", "y"), "class 0")):
        with pytest.raises(DataError, match=said):
            evaluate(model, Images(X, LABELS, other))
    assert evaluate(model, Images(X, LABELS, ("a", "b", "c"))).classes == ("a", "b", "c")


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_processes_share_the_batches_and_all_get_the_same(processes, monkeypatch):
    model, computed = classifier(), []
    alone = evaluate(model, X, LABELS, batch_size=2)
    outputs = predictions._outputs
    monkeypatch.setattr(
        predictions, "_outputs", lambda m, x, parts: computed.extend(parts) or outputs(m, x, parts)
    )
    action = partial(evaluate, model, X, LABELS, batch_size=2)
    for found in run_as(processes, lambda team: action(parallel=team)):
        np.testing.assert_array_equal(found.probabilities, alone.probabilities)
        assert found.loss == alone.loss
    assert sum(part.stop - part.start for part in computed) == 9
