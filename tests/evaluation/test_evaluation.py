"""Evaluating a model: the report, and what does not fit is told in the user's terms."""

import sys
import warnings
from dataclasses import FrozenInstanceError, dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.metrics as sk

from pellucid import layers as nn
from pellucid.errors import DataError, MissingExtraError, PellucidError, ShapeError
from pellucid.evaluation import (
    Evaluation,
    evaluate,
    predict,
    predictions,
)
from pellucid.preprocessing import Preprocessing


@dataclass
class Images:
    """The least that counts as a data set."""

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]


def probabilities(generator, n, classes):
    return generator.dirichlet(np.full(classes, 0.5), n)


# The evaluation as a whole


@pytest.fixture
def evaluation():
    generator = np.random.default_rng(1)
    labels = generator.integers(3, size=50)
    said = probabilities(generator, 50, 4)
    said[:, 3] = 0  # class 3 is never predicted, and never occurs
    said /= said.sum(axis=1, keepdims=True)
    return Evaluation(labels, said, ("ant", "bee", "cat", "dog"), loss=1.25)


def test_the_most_confident_mistakes_come_first(evaluation):
    found = evaluation.mistakes(5)
    assert len(found) == 5
    assert (np.diff(found.probability) <= 0).all()
    assert (found.truth != found.prediction).all()
    assert np.array_equal(evaluation.labels[found.index], found.truth)
    assert np.array_equal(evaluation.probabilities[found.index].argmax(1), found.prediction)
    wrong = evaluation.predictions != evaluation.labels
    assert found.probability[0] == evaluation.probabilities[wrong].max()
    assert len(evaluation.mistakes(10**6)) == wrong.sum()


@pytest.mark.parametrize("classes", [11, 12, 30])
def test_at_most_ten_classes_are_named_in_a_note(classes):
    said = np.tile(np.eye(classes)[0], (5, 1))
    names = tuple(f"class{i:02}" for i in range(classes))
    lines = str(Evaluation(np.zeros(5, int), said, names, loss=1.0)).splitlines()
    (note,) = [line for line in lines if line.startswith("never predicted")]
    assert note.count("class") == 10
    assert note.endswith("class10" if classes == 11 else f" and {classes - 11} more")


def test_of_equally_confident_mistakes_the_first_image_comes_first():
    confident = np.random.default_rng(0).integers(0, 2, 200) == 1
    said = np.where(confident[:, None], [[0.75, 0.25]], [[0.625, 0.375]])
    found = Evaluation(np.ones(200, int), said, ("a", "b"), loss=1.0).mistakes(200)
    assert found.index.tolist() == [*np.flatnonzero(confident), *np.flatnonzero(~confident)]


def test_a_model_that_gives_no_probability_to_the_truth_has_a_finite_loss():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Softmax())
    model[1].weight.value[...] = [[1000.0] * 4, [-1000.0] * 4]
    images = np.ones((3, 1, 2, 2), np.float32)
    assert (predict(model, images) == [1, 0]).all()
    found = evaluate(model, Images(images, np.array([1, 1, 1]), ("a", "b")))
    assert 80 < found.loss < 1000


def test_a_flawless_model_has_no_mistakes():
    perfect = Evaluation(np.array([0, 1]), np.eye(2), ("a", "b"), loss=0.0)
    assert len(perfect.mistakes()) == 0
    assert len(perfect.mistakes_table()) == 0
    assert perfect.accuracy == 1.0


def test_an_evaluation_cannot_be_changed(evaluation):
    with pytest.raises(FrozenInstanceError):
        evaluation.loss = 0.0
    with pytest.raises(ValueError, match="read-only"):
        evaluation.probabilities[0] = 0


def test_the_callers_arrays_stay_their_own():
    labels, said = np.array([0, 1]), np.eye(2)
    found = Evaluation(labels, said, ("a", "b"), loss=0.0)
    labels[0] = 1
    said[0] = 0
    assert found.labels[0] == 0
    assert found.probabilities[0, 0] == 1


def test_the_report_gives_the_numbers_of_scikit_learn(evaluation):
    expected = sk.classification_report(
        evaluation.labels,
        evaluation.predictions,
        labels=range(4),
        target_names=evaluation.classes,
        digits=4,
        zero_division=0,
    )
    lines = [line.replace(" avg", " average").split() for line in expected.splitlines()]
    wanted = [line for line in lines if line and line[0] not in ("precision", "accuracy")]
    report = str(evaluation)
    found = [line.split() for line in report.splitlines()]
    assert all(line in found for line in wanted)
    assert report.startswith(f"accuracy {100 * evaluation.accuracy:.2f} %, loss 1.2500")


def test_the_report_says_which_zeros_are_conventions(evaluation):
    assert "never predicted, so precision counts as 0: dog" in str(evaluation)
    assert "never occurring, so recall counts as 0: dog" in str(evaluation)
    both = Evaluation(np.array([0, 1]), np.eye(2), ("a", "b"), loss=0.0)
    assert "counts as" not in str(both)


def test_the_report_stays_neat_with_long_names_and_many_classes():
    classes = tuple(f"{'long ' * 20}{i}" for i in range(30))
    report = str(Evaluation(np.array([0]), np.eye(30)[:1], classes, loss=0.0))
    assert "top-5 100.00 %" in report
    assert "and 19 more" in report
    assert max(len(line) for line in report.split("\n\n")[1].splitlines()) < 80


def test_tables_carry_the_names_of_the_classes(evaluation):
    table = evaluation.table()
    assert list(table.index) == [*evaluation.classes, "macro average", "weighted average"]
    assert table.loc["bee", "recall"] == evaluation.by_class.recall[1]
    assert table.loc["macro average", "f1"] == evaluation.by_class.macro.f1
    confusion = evaluation.confusion_table()
    assert confusion.loc["ant", "cat"] == evaluation.confusion[0, 2]
    assert (confusion.index.name, confusion.columns.name) == ("truth", "prediction")
    mistakes = evaluation.mistakes_table(3)
    assert mistakes["truth"][0] == evaluation.classes[evaluation.mistakes(1).truth[0]]


def test_without_pandas_tables_say_what_to_install(evaluation, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r'pip install .*\[app\]"'):
        evaluation.table()
    assert str(evaluation)


# Predictions


def classifier(features=4, classes=3):
    return nn.initialize(nn.Sequential(nn.Flatten(), fc=nn.Linear(features, classes)), seed=1)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(256, size=(10, 1, 2, 2), dtype=np.uint8)


def test_probabilities_are_the_softmax_of_the_outputs(images):
    model = classifier()
    y = model(images.astype(np.float32) / 255)
    expected = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predict(model, images / 255.0), expected, rtol=1e-5)


def test_huge_outputs_give_probabilities_all_the_same():
    model = nn.Linear(2, 2).astype("float64")
    model.weight.value = np.eye(2)
    said = predict(model, np.array([[1e8, 0.0], [-1e8, 0.0], [1e8, 1e8]]))
    assert np.array_equal(said, [[1, 0], [0, 1], [0.5, 0.5]])


def test_a_class_ruled_out_by_a_score_of_minus_infinity_has_probability_0():
    model = nn.Sequential(nn.Flatten(), nn.Shift((3,)))
    scores = np.array([[1.0, -np.inf, 0.0], [-np.inf, 2.0, -np.inf]], np.float32)
    model[1].bias.value = scores[0]
    p = predict(model, np.zeros((1, 1, 1, 3)))
    np.testing.assert_allclose(p, [[1 / (1 + np.exp(-1)), 0, 1 / (1 + np.exp(1))]], rtol=1e-6)
    model[1].bias.value = scores[1]
    found = evaluate(model, (np.zeros((1, 1, 1, 3), np.float32), np.array([1])))
    assert (found.loss, found.accuracy) == (0, 1)


def test_a_model_that_ends_in_softmax_gives_probabilities_itself(images):
    model = classifier()
    with_softmax = nn.Sequential(model, nn.Sequential(nn.Softmax()))
    x, labels = images / 255.0, np.arange(10) % 3
    np.testing.assert_allclose(predict(with_softmax, x), predict(model, x), rtol=1e-6)
    expected = evaluate(model, (x, labels)).loss
    assert evaluate(with_softmax, (x, labels)).loss == pytest.approx(expected, rel=1e-5)


def test_so_does_a_graph_that_ends_in_one(images):
    model = classifier()
    graph = nn.Graph({"scores": (model, "x"), "y": (nn.Softmax(), "scores")})
    x = images / 255.0
    np.testing.assert_allclose(predict(graph, x), predict(model, x), rtol=1e-6)
    ends_in_scores = nn.Graph({"y": (model, "x")})
    np.testing.assert_allclose(predict(ends_in_scores, x), predict(model, x), rtol=1e-6)


def test_outputs_that_are_images_of_one_pixel_are_scores():
    images = np.random.default_rng(0).normal(size=(5, 2, 3, 3)).astype(np.float32)
    conv = nn.initialize(nn.Conv2d(2, 3, 3), seed=0)
    flat = nn.Sequential(conv, nn.Flatten())
    assert np.array_equal(predict(conv, images), predict(flat, images))
    for size in ((2, 3), (3, 2)):
        with pytest.raises(ShapeError, match="one output for each of two or more classes"):
            predict(nn.initialize(nn.Conv2d(2, 3, size), seed=0), images)


def test_pixels_for_a_model_without_preprocessing_are_refused(images):
    with pytest.raises(DataError, match="the images are pixels from 0 to 255"):
        predict(classifier(), images)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 1000])
def test_the_batch_size_changes_nothing(batch_size, images):
    model = classifier().astype("float64")
    x = images / 255.0
    whole = predict(model, x)
    np.testing.assert_allclose(predict(model, x, batch_size), whole, rtol=1e-12)
    assert whole.dtype == np.float64


def test_stored_images_go_through_the_models_preprocessing(images):
    model = classifier()
    model.preprocessing = Preprocessing((100.0,), (50.0,))
    plain = classifier()
    by_hand = (images.astype(np.float32) - 100) / 50
    np.testing.assert_allclose(predict(model, images), predict(plain, by_hand), rtol=1e-4)
    data = Images(images, np.zeros(10, np.int64), ("a", "b", "c"))
    assert np.array_equal(predict(model, data), predict(model, images))


def test_predicting_changes_neither_model_nor_images(images):
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 2))
    model.preprocessing = Preprocessing((0.0,), (255.0,))
    state, before = model.state_dict(), images.copy()
    images.flags.writeable = False
    assert np.array_equal(predict(model, images), predict(model, images))
    assert all(np.array_equal(state[k], v) for k, v in model.state_dict().items())
    assert np.array_equal(images, before)


# Evaluating a model


def test_evaluate_finds_what_scikit_learn_finds(images):
    model = classifier()
    x, labels = images / 255.0, np.arange(10) % 3
    found = evaluate(model, Images(x, labels, ("a", "b", "c")), batch_size=4)
    said = predict(model, x)
    assert found.classes == ("a", "b", "c")
    assert found.accuracy == sk.accuracy_score(labels, said.argmax(axis=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # float32 probabilities do not sum to 1 exactly
        expected = sk.log_loss(labels, said, labels=range(3))
    assert found.loss == pytest.approx(expected, rel=1e-5)


def test_the_test_part_is_evaluated(images):
    x, labels = images / 255.0, np.arange(10) % 3
    parts = SimpleNamespace(train=(x[:3], labels[:3]), validation=None, test=(x[3:], labels[3:]))
    model = classifier()
    assert evaluate(model, parts).loss == evaluate(model, x[3:], labels[3:]).loss
    with pytest.raises(DataError, match="the data has no test part"):
        evaluate(model, SimpleNamespace(train=(x, labels), validation=None, test=None))


def test_of_more_than_five_classes_the_best_five_are_counted_too():
    for classes in (5, 6, 7):
        said = probabilities(np.random.default_rng(0), 8, classes)
        names = tuple("abcdefg"[:classes])
        headline = Evaluation(np.arange(8) % classes, said, names, loss=1.0).headline()
        assert ("top-5 " in headline) == (classes > 5)


def test_another_loss_is_given_the_outputs(images):
    model = classifier()

    def largest(y, targets, weights=None):
        assert np.array_equal(targets, np.zeros(10))
        return float(y.max()), y

    x = images / 255.0
    found = evaluate(model, (x, np.zeros(10, np.int64)), loss=largest)
    assert found.loss == model(x.astype(np.float32)).max()


def test_the_models_class_names_are_used_where_the_data_has_none(images):
    model = classifier()
    x = images / 255.0
    assert evaluate(model, (x, np.zeros(10, int))).classes == ("0", "1", "2")
    model.classes = ("a", "b", "c")
    assert evaluate(model, (x, np.zeros(10, int))).classes == ("a", "b", "c")


def test_numbers_that_are_not_finite_are_told_with_the_image(images):
    x = images / 255.0
    x[7, 0, 1, 1] = np.nan
    with pytest.raises(DataError, match="NaN or infinity, first at number 7"):
        predict(classifier(), x)
    model = classifier()
    model["fc"].weight.value[...] = np.nan
    with pytest.raises(PellucidError, match="outputs for image 0 are not finite"):
        predict(model, images / 255.0)


def test_images_of_another_size_are_told_in_the_users_terms(images):
    model = classifier()
    model.input_shape = (1, 2, 2)
    with pytest.raises(ShapeError, match="made for images of 1×2×2, these are 1×4×1"):
        predict(model, images.reshape(10, 1, 4, 1))
    with pytest.raises(ShapeError, match="made for images of 1×2×2"):
        evaluate(model, (images[:, 0], np.zeros(10, int)))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda x: Images(x, np.zeros(10, int), ("a", "b")), "3 classes, but the data has 2"),
        (lambda x: Images(x, np.zeros(10, int), ("a", "c", "b")), "class 1 is 'b' in the model"),
        (lambda x: (x, np.full(10, 3)), "image 0 has label 3"),
        (lambda x: (x, np.array([0] * 9 + [-1])), "image 9 has label -1"),
        (lambda x: (x, np.zeros((10, 3))), "class number of each image"),
        (lambda x: (x, np.zeros(10)), "class number of each image"),
        (lambda x: (x, np.zeros(9, int)), "one target for each input"),
        (lambda x: (x[:0], np.zeros(0, int)), "empty"),
        (lambda x: x, "single array, without targets"),
        (lambda x: (x.astype(str), np.zeros(10, int)), "numbers"),
        (lambda x: SimpleNamespace(batches=None, __len__=None), "data"),
    ],
)
def test_data_that_does_not_fit_the_model_is_told(data, said, images):
    model = classifier()
    model.classes = ("a", "b", "c")
    with pytest.raises(PellucidError, match=said):
        evaluate(model, data(images / 255.0))


def test_a_model_with_one_output_is_no_classifier(images):
    with pytest.raises(ShapeError, match=r"one output for each .* \(N, 1\)"):
        predict(classifier(classes=1), images / 255.0)
    with pytest.raises(ShapeError, match=r"\(N, 1, 2, 2\)"):
        predict(nn.Identity(), images / 255.0)


def test_no_images_and_no_batches_are_errors(images):
    with pytest.raises(DataError, match="no images"):
        predict(classifier(), images[:0])
    with pytest.raises(PellucidError, match="batch_size must be an integer of at least 1"):
        predict(classifier(), images, batch_size=0)


def test_an_evaluation_can_be_made_from_another(evaluation):
    assert replace(evaluation, loss=2.0).accuracy == evaluation.accuracy


def test_what_is_compiled_ahead_are_batches_of_the_sizes_that_are_computed(monkeypatch):
    ahead = []
    monkeypatch.setattr(
        predictions, "compile_ahead", lambda jobs: ahead.extend(job() for job in jobs)
    )
    model = nn.initialize(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), 0)
    images = np.random.default_rng(0).normal(size=(70, 2, 1, 2)).astype(np.float32)
    seen = []
    monkeypatch.setattr(predictions, "_check_outputs", lambda _, y, start: seen.append(len(y)))
    predictions.outputs(model, images, batch_size=32)
    assert seen == [23, 23, 24]
    assert sorted(len(part) for part in ahead) == [23, 24]
