"""Test-time augmentation: the mean prediction over an image and changed views of it."""

import numpy as np
import pytest
from scipy import ndimage

from pellucid import layers as nn
from pellucid.data.augment.affine import turned
from pellucid.errors import PellucidError
from pellucid.evaluation import evaluate, predict, predictions
from pellucid.evaluation.views import SHIFTS, averaged, mirrored, shifted

VIEWS = (mirrored, shifted(0, 1))
LABELS = np.arange(7) % 3


@pytest.fixture
def model():
    return nn.initialize(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), seed=1)


@pytest.fixture
def images():
    return np.random.default_rng(0).standard_normal((7, 1, 3, 4)).astype(np.float32)


def test_the_prediction_is_the_mean_over_the_images_and_their_views(model, images):
    moved = images[..., [0, 0, 1, 2]]
    p = [predict(model, np.ascontiguousarray(x)) for x in (images, images[..., ::-1], moved)]
    expected = p[0] * np.sqrt(p[1] * p[2])
    expected = np.sqrt(expected) / np.sqrt(expected).sum(axis=1, keepdims=True)
    assert np.allclose(predict(model, images, views=VIEWS), expected, rtol=1e-5)
    assert np.array_equal(averaged(p[0], p[1:]), predict(model, images, views=VIEWS))


def test_evaluating_in_views_judges_that_mean(model, images):
    found = evaluate(model, images, LABELS, views=VIEWS)
    p = predict(model, images, views=VIEWS)
    assert np.array_equal(found.probabilities, p)
    assert found.loss == pytest.approx(-np.log(p[np.arange(7), LABELS]).mean(), rel=1e-6)
    assert found.loss != evaluate(model, images, LABELS).loss


@pytest.mark.parametrize("flip", [False, True], ids=["as they are", "mirrored too"])
@pytest.mark.parametrize("views", [(), VIEWS], ids=["plain", "views"])
def test_each_view_is_computed_once(model, images, views, flip, monkeypatch):
    computed = []
    outputs = predictions._outputs
    monkeypatch.setattr(
        predictions, "_outputs", lambda m, x, parts: computed.append(x) or outputs(m, x, parts)
    )
    evaluate(model, images, LABELS, views=views, flip=flip)
    assert len(computed) == (1 + len(views)) * (1 + flip)
    assert np.array_equal(computed[0], images)


def test_a_loss_of_the_outputs_excludes_views(model, images):
    with pytest.raises(PellucidError, match="with views, the loss is always that of the mean"):
        evaluate(model, images, LABELS, loss="mse", views=VIEWS)


def test_a_shift_moves_down_and_to_the_right_and_repeats_the_edge():
    image = np.arange(6).reshape(1, 1, 2, 3)
    assert shifted(1, 0)(image)[0, 0].tolist() == [[0, 1, 2], [0, 1, 2]]
    assert shifted(-1, 0)(image)[0, 0].tolist() == [[3, 4, 5], [3, 4, 5]]
    assert shifted(0, 1)(image)[0, 0].tolist() == [[0, 0, 1], [3, 3, 4]]
    assert shifted(0, -2)(image)[0, 0].tolist() == [[2, 2, 2], [5, 5, 5]]


@pytest.mark.parametrize("degrees", [-7.5, 6, 90])
def test_a_turned_view_is_interpolated_as_by_scipy(degrees):
    images = np.random.default_rng(1).standard_normal((2, 3, 9, 12))
    expected = ndimage.rotate(
        images, degrees, axes=(2, 3), reshape=False, order=1, mode="grid-constant"
    )
    assert np.allclose(turned(degrees)(images), expected, atol=1e-6)


def test_mirror_images_count_as_much_as_the_images(model, images):
    both = (images, np.ascontiguousarray(images[..., ::-1]))
    for views in ((), SHIFTS):
        product = np.prod([predict(model, x, views=views) for x in both], axis=0)
        expected = np.sqrt(product) / np.sqrt(product).sum(axis=1, keepdims=True)
        assert np.allclose(predict(model, images, views=views, flip=True), expected, rtol=1e-5)
        found = evaluate(model, images, LABELS, views=views, flip=True)
        assert np.allclose(found.probabilities, expected, rtol=1e-5)


def test_the_usual_shifts_go_by_a_pixel_along_the_diagonal():
    image = np.zeros((1, 1, 5, 5))
    image[0, 0, 2, 2] = 1
    moved = {tuple(np.argwhere(view(image)[0, 0])[0].tolist()) for view in SHIFTS}
    assert moved == {(1, 1), (3, 3)}
