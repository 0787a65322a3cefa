"""A network is at home in scikit-learn: its own checks pass, and its tools take it."""

import pickle
import pickletools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import estimator_checks_generator

import pellucid as pl
from pellucid import layers as nn
from pellucid.errors import DataError, MissingExtraError, PellucidError, ShapeError
from pellucid.evaluation import evaluate
from pellucid.layers import Layer

DIGITS = load_digits()
X, Y = DIGITS.images[:400], DIGITS.target[:400]
FLAT = DIGITS.data[:400]
NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


def quick(**changes: Any) -> pl.CNNClassifier:
    """A classifier that learns the digits in a fraction of a second."""
    settings = {"max_iter": 6, "learning_rate_init": 0.005, "random_state": 0}
    return pl.CNNClassifier(**settings | changes)


def standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


@pytest.fixture(scope="module")
def fitted() -> pl.CNNClassifier:
    return quick().fit(X, Y)


# scikit-learn's own checks


def checks() -> Iterator[Any]:
    for estimator in (pl.CNNClassifier(), pl.CNNRegressor()):
        for found, check in estimator_checks_generator(estimator):
            name = check.func.__name__
            if name != "check_array_api_input":  # left out by scikit-learn unless it is told to
                yield pytest.param(found, check, id=f"{type(found).__name__}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_check(
    estimator: BaseEstimator, check: Callable[[BaseEstimator], None]
) -> None:
    check(estimator)


# What X and y may be


@pytest.mark.parametrize(
    "images",
    [X, X[:, None], FLAT, X.astype(np.uint8), X.astype(np.float32), FLAT.tolist(), X.tolist()],
    ids=["NHW", "NCHW", "flat", "uint8", "float32", "list", "lists of rows"],
)
def test_the_same_images_in_any_form_are_the_same(images: Any, fitted: pl.CNNClassifier) -> None:
    other = quick().fit(images, Y)
    assert other.image_shape_ == (1, 8, 8)
    assert other.n_features_in_ == 64
    np.testing.assert_allclose(
        other.predict_proba(X), fitted.predict_proba(images), rtol=1e-3, atol=1e-4
    )


def test_it_learns(fitted: pl.CNNClassifier) -> None:
    assert fitted.score(DIGITS.images[400:], DIGITS.target[400:]) > 0.85
    assert fitted.predict(X).dtype == Y.dtype
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1)
    assert fitted.n_iter_ == len(fitted.loss_curve_) == len(fitted.history_) == 6
    assert fitted.loss_ == fitted.loss_curve_[-1] < fitted.loss_curve_[0] / 3


def test_flat_colour_images_need_their_shape() -> None:
    colour = np.random.default_rng(0).random((20, 3, 4, 6))
    labels = np.arange(20) % 2
    shaped = quick(image_shape=(3, 4, 6)).fit(colour.reshape(20, -1), labels)
    assert shaped.image_shape_ == quick().fit(colour, labels).image_shape_ == (3, 4, 6)
    np.testing.assert_array_equal(
        shaped.predict_proba(colour), quick().fit(colour, labels).predict_proba(colour)
    )
    assert quick().fit(colour.reshape(20, -1), labels).image_shape_ == (1, 1, 72)
    assert quick(image_shape=(12, 6)).fit(colour.reshape(20, -1), labels).image_shape_ == (1, 12, 6)


@pytest.mark.parametrize(
    ("images", "shape", "said"),
    [
        (FLAT, (3, 8, 8), "192 values, but X has 64 features"),
        (FLAT, (8,), "image_shape must be"),
        (X, (1, 4, 16), r"the images in X are \(1, 8, 8\)"),
        (np.zeros((20, 28, 28, 3)), None, r"looks like \(N, H, W, C\)"),
        (np.zeros((20, 8, 8, 13)), None, r"looks like \(N, H, W, C\)"),
    ],
)
def test_images_of_another_shape_are_refused(images: Any, shape: Any, said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        quick(image_shape=shape).fit(images, Y[: len(images)])


def test_predicting_from_images_of_another_shape_is_refused(fitted: pl.CNNClassifier) -> None:
    with pytest.raises(ShapeError, match="those in fit were"):
        fitted.predict(X.reshape(400, 4, 16))
    with pytest.raises(ValueError, match="expecting 64 features"):
        fitted.predict(FLAT[:, :63])


@pytest.mark.parametrize("shape", [(0, 8, 8), (0, 1, 8, 8), (0, 64)])
def test_no_images_at_all_are_refused_in_words(fitted: pl.CNNClassifier, shape: Any) -> None:
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        fitted.predict(np.zeros(shape))
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        pl.CNNClassifier().fit(np.zeros(shape), np.zeros(0))


def test_tables_keep_their_names() -> None:
    table = pd.DataFrame(FLAT, columns=DIGITS.feature_names)
    classifier = quick().fit(table, pd.Series(NAMES[Y], name="digit"))
    assert list(classifier.feature_names_in_) == DIGITS.feature_names
    assert classifier.score(table, NAMES[Y]) > 0.9
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(table[DIGITS.feature_names[::-1]])


def test_classes_may_be_names_and_any_numbers() -> None:
    names = quick().fit(X, NAMES[Y])
    assert list(names.classes_) == sorted(NAMES)
    assert names.model_.classes == tuple(sorted(NAMES))
    assert set(names.predict(X[:50])) <= set(NAMES)
    assert names.score(X, NAMES[Y]) > 0.9
    assert list(quick(max_iter=1).fit(X, Y - 5).classes_) == list(range(-5, 5))


def test_one_class_is_not_enough() -> None:
    with pytest.raises(DataError, match="at least 2 classes"):
        quick().fit(X, np.zeros(400))


# What is trained


@pytest.mark.parametrize(
    "model",
    [
        "mlp",
        nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
        [{"type": "Flatten"}, {"type": "Linear", "out_features": 10}],
        lambda shape, outputs: nn.Sequential(nn.Flatten(), nn.Linear(shape[1] ** 2, outputs)),
    ],
    ids=["name", "layer", "description", "function"],
)
def test_any_network_can_be_trained(model: Any) -> None:
    classifier = quick(model=model)
    before = model.state_dict() if isinstance(model, Layer) else None
    assert clone(classifier).fit(X, Y).score(X, Y) > 0.85
    assert isinstance(classifier.fit(X, Y).model_, Layer)
    if before is not None:
        assert classifier.model is model
        assert all((before[name] == value).all() for name, value in model.state_dict().items())


def test_a_network_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(
        'layers = [{ type = "Flatten" }, { type = "Linear", out_features = "classes" }]'
    )
    assert quick(model=str(path)).fit(X, Y).score(X, Y) > 0.85


def test_by_default_it_is_lenet5_where_that_fits() -> None:
    large = np.random.default_rng(0).random((10, 12, 12))
    assert "pool2" in quick(max_iter=1).fit(large, np.arange(10) % 2).model_.children()
    assert "pool2" not in quick(max_iter=1).fit(X, Y).model_.children()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "lenet"}, "did you mean 'lenet5'"),
        ({"model": 5}, "model must be a name"),
        ({"model": nn.Sequential(nn.Flatten(), nn.Linear(64, 9))}, "for 10 classes"),
        ({"model": lambda shape, outputs: None}, "that returns a layer"),
        ({"solver": "lbfgs"}, "unknown solver 'lbfgs'"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"max_iter": 0}, "at least 1"),
        ({"learning_rate": "up"}, "unknown schedule 'up'"),
        ({"n_iter_no_change": 0}, "patience"),
    ],
)
def test_what_makes_no_sense_is_said_in_fit(change: dict[str, Any], said: str) -> None:
    with pytest.raises(PellucidError, match=said):
        quick(**change).fit(X, Y)


@pytest.mark.parametrize("solver", ["adam", "adamw", "sgd", "rmsprop", "adagrad"])
def test_every_solver_learns(solver: str) -> None:
    rate = {"sgd": 0.05, "adagrad": 0.02}.get(solver, 0.005)
    classifier = quick(solver=solver, learning_rate_init=rate, learning_rate="cosine")
    assert classifier.fit(X, Y).score(X, Y) > 0.9


def test_what_was_trained_is_a_model_like_any_other(
    fitted: pl.CNNClassifier, tmp_path: Path
) -> None:
    pl.save(fitted.model_, tmp_path / "digits.safetensors")
    again = pl.load(tmp_path / "digits.safetensors")
    np.testing.assert_allclose(pl.predict(again, X[:, None]), fitted.predict_proba(X), rtol=1e-5)
    assert evaluate(again, (X[:, None], Y)).accuracy == fitted.score(X, Y)
    assert again.classes == tuple("0123456789")


# How it is trained


def test_a_number_fixes_all_randomness() -> None:
    first, same, other = (quick(max_iter=2, random_state=n).fit(X, Y) for n in (3, 3, 4))
    np.testing.assert_array_equal(first.predict_proba(X), same.predict_proba(X))
    assert not np.allclose(first.predict_proba(X), other.predict_proba(X))


def test_a_weight_counts_as_often_as_the_sample_would() -> None:
    images, labels = X[:40], Y[:40]
    times = np.random.default_rng(0).integers(0, 3, 40)
    weighted = quick(max_iter=30).fit(images, labels, sample_weight=times)
    repeated = quick(max_iter=30).fit(images.repeat(times, axis=0), labels.repeat(times))
    np.testing.assert_allclose(
        weighted.predict_proba(X)[:, np.isin(weighted.classes_, repeated.classes_)],
        repeated.predict_proba(X),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("of_classes", "weights"),
    [("balanced", compute_sample_weight("balanced", Y)), ({0: 5.0}, np.where(Y == 0, 5.0, 1.0))],
)
def test_weights_of_classes_multiply_those_of_their_samples(
    of_classes: Any, weights: np.ndarray
) -> None:
    given = np.linspace(0.5, 2, 400)
    by_class = quick(class_weight=of_classes, max_iter=2).fit(X, Y, sample_weight=given)
    by_sample = quick(max_iter=2).fit(X, Y, sample_weight=given * weights)
    np.testing.assert_array_equal(by_class.predict_proba(X), by_sample.predict_proba(X))
    unweighted = quick(max_iter=2).fit(X, Y, sample_weight=given)
    assert not np.allclose(by_class.predict_proba(X), unweighted.predict_proba(X))


def test_training_ends_when_the_loss_has_settled() -> None:
    settled = quick(max_iter=200, tol=0.05, n_iter_no_change=3).fit(X, Y)
    assert settled.n_iter_ < 60
    best = min(settled.loss_curve_[:-3])
    assert min(settled.loss_curve_[-3:]) > best - 0.05


def test_early_stopping_keeps_what_did_best_on_samples_set_aside() -> None:
    stopped = quick(early_stopping=True, max_iter=60, n_iter_no_change=4).fit(X, Y)
    accuracies = [epoch.validation_accuracy for epoch in stopped.history_]
    assert stopped.n_iter_ < 60
    assert max(accuracies[:-4]) == max(accuracies)
    assert stopped.history_[0].steps == round(360 / 64)
    assert not np.allclose(stopped.predict_proba(X), quick().fit(X, Y).predict_proba(X))


def test_early_stopping_follows_the_accuracy_and_not_the_loss() -> None:
    images = np.where(np.arange(80)[:, None, None] % 2, 1.0, 0.0) * np.ones((80, 6, 6))
    images += np.random.default_rng(0).normal(0, 0.1, images.shape)
    easy = quick(early_stopping=True, max_iter=40, n_iter_no_change=3, tol=0.0)
    easy.fit(images, np.arange(80) % 2)
    accuracies = [epoch.validation_accuracy for epoch in easy.history_]
    assert accuracies[-4:] == [1.0] * 4
    assert easy.n_iter_ == accuracies.index(1.0) + 4
    assert easy.history_[-1].loss < easy.history_[-4].loss, "which goes on falling"


def test_after_early_stopping_the_network_is_that_of_its_best_epoch() -> None:
    options = {"early_stopping": True, "n_iter_no_change": 50, "learning_rate": "constant"}
    whole = quick(**options, max_iter=12, learning_rate_init=0.02).fit(X, Y)
    accuracies = [(e.validation_accuracy, -e.validation_loss) for e in whole.history_]
    best = accuracies.index(max(accuracies)) + 1
    assert best < 12
    until = quick(**options, max_iter=best, learning_rate_init=0.02).fit(X, Y)
    np.testing.assert_array_equal(whole.predict_proba(X), until.predict_proba(X))


def test_scales_and_shifts_do_not_decay() -> None:
    model = nn.Sequential(
        conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2), flatten=nn.Flatten(), fc=nn.Linear(72, 10)
    )
    found = [
        quick(model=model, solver="sgd", alpha=alpha, batch_size=400)
        .partial_fit(X, Y, range(10))
        .model_
        for alpha in (0.0, 0.5)
    ]
    for name, same in (("norm.weight", True), ("norm.bias", True), ("fc.weight", False)):
        without, decayed = (model.state_dict()[name] for model in found)
        assert np.array_equal(without, decayed) == same, name


def test_early_stopping_takes_weights_and_images_of_every_class() -> None:
    weights = np.linspace(0.5, 2, 400)
    stopped = quick(early_stopping=True, validation_fraction=0.25).fit(X, Y, sample_weight=weights)
    assert stopped.score(X, Y) > 0.9


def test_preprocessing_does_not_see_what_is_set_aside() -> None:
    means = {
        quick(early_stopping=True, max_iter=1, random_state=seed).fit(X, Y).model_.preprocessing
        for seed in range(3)
    }
    assert len(means) == 3
    assert quick(max_iter=1).fit(X, Y).model_.preprocessing.mean == (pytest.approx(X.mean()),)


def test_parts_can_be_learned_one_after_another() -> None:
    classifier = quick(batch_size=50)
    for _ in range(6):
        for part in np.split(np.arange(400), 4):
            classifier.partial_fit(X[part], Y[part], classes=range(10))
    assert classifier.score(X, Y) > 0.9
    assert classifier.n_iter_ == 24
    with pytest.raises(DataError, match="y has the class"):
        classifier.partial_fit(X[:1], [10])
    with pytest.raises(ValueError, match="classes must be passed"):
        quick().partial_fit(X, Y)


def test_partial_fit_takes_no_choices_that_need_all_data() -> None:
    for change in ({"early_stopping": True}, {"class_weight": "balanced"}):
        with pytest.raises(PellucidError):
            quick(**change).partial_fit(X, Y, classes=range(10))


def test_a_warm_start_goes_on() -> None:
    warm = quick(max_iter=2, warm_start=True)
    losses = [warm.fit(X, Y).loss_ for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    assert warm.n_iter_ == 8
    cold = quick(max_iter=2)
    assert cold.fit(X, Y).loss_ == cold.fit(X, Y).loss_
    with pytest.raises(DataError, match="y has the class"):
        warm.fit(X, Y + 1)


def test_progress_is_shown_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    quick(max_iter=2).fit(X, Y)
    assert not capsys.readouterr().out
    quick(max_iter=2, verbose=True).fit(X, Y)
    assert "2/2" in capsys.readouterr().out


# scikit-learn's tools


def test_in_a_pipeline_and_in_cross_validation() -> None:
    pipeline = make_pipeline(MinMaxScaler(), quick())
    assert cross_val_score(pipeline, FLAT, Y, cv=3).mean() > 0.8


def test_in_a_grid_search() -> None:
    grid = {"model": ["auto", "mlp"], "learning_rate_init": [1e-6, 0.005]}
    search = GridSearchCV(quick(max_iter=3), grid, cv=2).fit(X, NAMES[Y])
    assert search.best_params_["learning_rate_init"] == 0.005
    assert search.best_estimator_.score(X, NAMES[Y]) > 0.8


def test_in_calibration() -> None:
    calibrated = CalibratedClassifierCV(quick(), cv=2).fit(X, Y)
    assert calibrated.score(X, Y) > 0.9


# Pickling


class Words(pickle.Unpickler):
    """What a pickle would import."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.found: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.found.add(f"{module}.{name}")
        return super().find_class(module, name)


@pytest.mark.parametrize(
    "estimator", [quick(), quick(model=nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))]
)
def test_a_pickle_gives_the_same_back_and_holds_no_layer(
    estimator: pl.CNNClassifier, tmp_path: Path
) -> None:
    estimator = clone(estimator).fit(X, NAMES[Y])
    path = tmp_path / "digits.pickle"
    path.write_bytes(pickle.dumps(estimator))
    with path.open("rb") as file:
        words = Words(file)
        again = words.load()
    np.testing.assert_array_equal(again.predict_proba(X), estimator.predict_proba(X))
    assert repr(again.model_) == repr(estimator.model_)
    assert again.history_.rows() == estimator.history_.rows()
    assert (again.model_.classes, again.model_.input_shape) == (tuple(sorted(NAMES)), (1, 8, 8))
    own = {word for word in words.found if word.startswith("pellucid")}
    assert own == {"pellucid.estimator.classifier.CNNClassifier"}
    assert not any(
        op.name in ("EXT1", "EXT2", "EXT4") for op, *_ in pickletools.genops(path.read_bytes())
    )
    assert clone(again).fit(X, NAMES[Y]).score(X, NAMES[Y]) > 0.8
    again.partial_fit(X, NAMES[Y])


def test_what_is_not_fitted_can_be_pickled() -> None:
    again = pickle.loads(pickle.dumps(quick(alpha=0.5)))
    assert again.get_params() == quick(alpha=0.5).get_params()


# Regression


def test_a_regressor_predicts_numbers_in_the_shape_of_y() -> None:
    brightness = standard(FLAT.mean(axis=1))
    both = np.column_stack([brightness, standard(FLAT[:, :32].mean(axis=1))])
    settings = {"random_state": 0, "max_iter": 40, "learning_rate_init": 0.003}
    one = pl.CNNRegressor(**settings).fit(X, brightness)
    assert one.predict(X).shape == (400,)
    assert one.score(X, brightness) > 0.9
    two = pl.CNNRegressor(**settings, early_stopping=True).fit(X, both)
    assert two.predict(X).shape == (400, 2)
    assert two.score(X, both) > 0.9
    again = pickle.loads(pickle.dumps(two))
    np.testing.assert_array_equal(again.predict(X), two.predict(X))


def test_a_regressor_learns_in_parts() -> None:
    brightness = standard(FLAT.mean(axis=1))
    regressor = pl.CNNRegressor(random_state=0, learning_rate_init=0.003)
    for _ in range(30):
        regressor.partial_fit(X, brightness)
    assert regressor.score(X, brightness) > 0.9


# Without scikit-learn


def test_without_scikit_learn_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith("pellucid.estimator")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(vars(pl), "CNNClassifier", raising=False)
    with pytest.raises(MissingExtraError, match=r'pip install .*\[sklearn\]"'):
        _ = pl.CNNClassifier


def test_importing_pellucid_does_not_import_scikit_learn() -> None:
    program = "import sys, pellucid; assert 'sklearn' not in sys.modules; pellucid.CNNClassifier"
    subprocess.run([sys.executable, "-c", program], check=True)
