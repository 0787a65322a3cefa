"""Saliency, integrated gradients, guided backpropagation, Grad-CAM and occlusion."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import spearmanr

import pellucid as pl
from explained import SMALL, images, network, state_of, unchanged
from pellucid import explain
from pellucid import layers as nn
from pellucid.errors import PellucidError, ShapeError
from pellucid.explain.sanity import rank_correlation


@pytest.fixture(scope="module")
def model() -> nn.Layer:
    return network("resnet20")


# saliency and SmoothGrad


def test_saliency_is_the_largest_gradient_over_the_channels(model) -> None:
    x = images(2)
    dx = explain.gradients(model, x, 1).inputs
    np.testing.assert_array_equal(explain.saliency(model, x, 1), abs(dx).max(axis=1))


def test_without_noise_smooth_grad_is_saliency(model) -> None:
    x = images(2)
    found = explain.smooth_grad(model, x, samples=3, noise=0.0)
    np.testing.assert_allclose(found, explain.saliency(model, x), rtol=1e-9)


def test_smooth_grad_depends_on_its_seed_and_not_on_the_batch_size(model) -> None:
    x = images(2)
    smooth = partial(explain.smooth_grad, model, x, samples=6)
    np.testing.assert_allclose(smooth(batch_size=5), smooth(batch_size=64), rtol=1e-9)
    assert not np.allclose(smooth(), smooth(seed=1))


def test_fifty_noisy_copies_make_a_map_if_not_told_otherwise(model) -> None:
    expected = explain.smooth_grad(model, images(1), 1, samples=50, noise=0.15, seed=0)
    np.testing.assert_array_equal(explain.smooth_grad(model, images(1), 1), expected)


def test_brightness_makes_no_difference_to_the_noise_of_smooth_grad(model) -> None:
    """σ is a share of the image's range, wherever that lies."""
    x = images(2)
    brighter = nn.Sequential(nn.Affine(1.0, -5.0), model).astype("float64")
    expected = explain.smooth_grad(model, x, 1, samples=4)
    np.testing.assert_allclose(explain.smooth_grad(brighter, x + 5, 1, samples=4), expected)


def test_equal_images_have_noise_of_their_own(model) -> None:
    one, other = explain.smooth_grad(model, np.repeat(images(1), 2, axis=0), 1, samples=4)
    assert not np.allclose(one, other)


# integrated gradients


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "densenet"])
def test_integrated_gradients_add_up_to_the_change_of_the_score(name) -> None:
    model, x = network(name), images(1)
    errors = []
    for steps in (4, 128):
        found = explain.integrated_gradients(model, x, 2, steps=steps)
        errors.append(abs(explain.completeness_error(model, x, found, 2)).max())
    change = model(x)[:, 2] - model(np.zeros_like(x))[:, 2]
    assert errors[1] < errors[0]
    np.testing.assert_allclose(found.sum(), change.item(), atol=1e-2 * abs(found).sum())


def test_completeness_error_is_what_is_missing(model) -> None:
    x = images(2)
    found = explain.integrated_gradients(model, x, 2)
    more = found.copy()
    more[1, 0, 0, 0] += 5.0
    added = explain.completeness_error(model, x, more, 2)
    added -= explain.completeness_error(model, x, found, 2)
    np.testing.assert_allclose(added, [0, 5])


def test_of_a_linear_model_integrated_gradients_are_weight_times_difference() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).astype("float64")
    x = np.random.default_rng(0).normal(size=(2, 3, 2, 2))
    found = explain.integrated_gradients(model, x, 1, baseline=[1.0, 2.0, 3.0], steps=1)
    base = np.array([1.0, 2.0, 3.0])[:, None, None]
    w = model[1].weight.value[1].reshape(3, 2, 2)
    np.testing.assert_allclose(found, w * (x - base))


def test_one_step_is_enough_where_the_gradient_grows_evenly() -> None:
    """The gradient of x² is taken in the middle, where it has its mean."""
    square = nn.Graph({"square": (nn.Multiply(), ("x", "x"))})
    x = np.array([[3.0, -2.0]])
    found = explain.integrated_gradients(square, x.astype("f4"), 0, baseline=[[1.0, 5.0]], steps=1)
    np.testing.assert_allclose(found, [[3.0**2 - 1.0**2, 0.0]])


def test_the_baseline_is_in_the_images_units_and_the_mean_colour_if_not_given() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    model.preprocessing = pl.Preprocessing((100.0,), (10.0,))
    pixels = np.full((1, 1, 2, 2), 130, np.uint8)
    w = model[1].weight.value[0].reshape(1, 1, 2, 2)
    found = explain.integrated_gradients(model, pixels, 0)
    np.testing.assert_allclose(found, 3 * w, rtol=1e-5)
    black = explain.integrated_gradients(model, pixels, 0, baseline=0)
    np.testing.assert_allclose(black, 13 * w, rtol=1e-5)


# guided backpropagation


def test_guided_backpropagation_by_hand() -> None:
    """Two ReLUs: what comes back negative, or meets a closed ReLU, stops there."""
    model = nn.Sequential(
        fc1=nn.Linear(2, 3, bias=False),
        relu1=nn.ReLU(),
        fc2=nn.Linear(3, 2, bias=False),
        relu2=nn.ReLU(),
        fc3=nn.Linear(2, 1, bias=False),
    ).astype("float64")
    model["fc1"].weight.value = np.array([[1.0, 2.0], [3.0, -1.0], [-5.0, 1.0]])
    model["fc2"].weight.value = np.array([[1.0, -2.0, 4.0], [1.0, 1.0, 1.0]])
    model["fc3"].weight.value = np.array([[1.0, -3.0]])
    x = np.array([[2.0, 1.0]])
    # forward: h1 = (4, 5, -9) → (4, 5, 0); h2 = (-6, 9) → (0, 9); score -27
    # backward: (1, -3) → relu2 is closed at 0, and -3 is negative: nothing is left
    assert not explain.guided_backpropagation(model, x).any()
    model["fc2"].weight.value = np.array([[2.0, -1.0, 4.0], [1.0, 1.0, 1.0]])
    # forward: h2 = (3, 9); backward: (1, -3) → (1, 0) → fc2ᵀ (2, -1, 4) → relu1: (2, 0, 0)
    np.testing.assert_array_equal(explain.guided_backpropagation(model, x), [[2.0, 4.0]])
    # the plain gradient: (1, -3) → (-1, -4, 1) → closed third → (-1 - 12, -2 + 4)
    np.testing.assert_array_equal(explain.gradients(model, x).inputs, [[-13.0, 2.0]])


def test_guided_backpropagation_needs_a_relu() -> None:
    with pytest.raises(PellucidError, match="needs a model with ReLU layers"):
        explain.guided_backpropagation(nn.Linear(3, 2), np.ones((1, 3)))


# Grad-CAM


def by_hand(model, x, target, layer, plus):
    """Both methods, from their definitions, with loops over maps."""
    found = explain.gradients(model, x, target, layer)
    A, g = found.outputs[layer], found.layers[layer]
    maps = np.zeros((len(x), *A.shape[2:]))
    for n, k in np.ndindex(A.shape[:2]):
        weight = g[n, k].mean()
        if plus:
            weight = 0.0
            for i, j in np.ndindex(A.shape[2:]):
                below = 2 * g[n, k, i, j] ** 2 + A[n, k].sum() * g[n, k, i, j] ** 3
                alpha = g[n, k, i, j] ** 2 / below if below else 0.0
                weight += alpha * max(g[n, k, i, j], 0.0)
        maps[n] += weight * A[n, k]
    return np.maximum(maps, 0)


@pytest.mark.parametrize("layer", ["layer1.1.activation", "layer2.0", "layer3.2.conv1"])
@pytest.mark.parametrize("plus", [False, True])
def test_grad_cam_by_hand(model, layer, plus) -> None:
    x = images(2)
    method = explain.grad_cam_plus_plus if plus else explain.grad_cam
    found = method(model, x, 3, layer, upsample=False)
    expected = by_hand(model, x, 3, layer, plus)
    assert expected.any()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)
    assert method(model, x, 3, layer).shape == (2, 16, 16)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("lenet5", "pool2"),
        ("resnet20", "layer3.2.activation"),
        ("inception", "inception5b"),
        ("densenet", "relu"),
        ("mobilenet_v2", "features.18.2"),
    ],
)
def test_grad_cam_looks_at_the_last_maps(name, layer) -> None:
    model, x = network(name), images(1)
    if name in ("lenet5", "inception", "mobilenet_v2"):
        x = np.random.default_rng(0).normal(size=(1, 3, 32, 32))
        model = pl.models.build(name, (3, 32, 32), 4, **SMALL[name]).astype("float64")
    assert explain.last_maps(model, x) == layer
    np.testing.assert_array_equal(
        explain.grad_cam(model, x), explain.grad_cam(model, x, layer=layer)
    )


def test_grad_cam_needs_maps(model) -> None:
    with pytest.raises(ShapeError, match=r"'fc' has no maps.* is 'layer3\.2\.activation'"):
        explain.grad_cam(model, images(1), layer="fc")
    with pytest.raises(ShapeError, match="no layer whose output has maps"):
        explain.grad_cam(nn.Sequential(nn.Flatten(), nn.Linear(768, 2)), images(1).astype("f4"))


# occlusion


@pytest.mark.parametrize(("window", "stride"), [((4, 5), (3, 2)), (3, 3), ((16, 2), (5, 1))])
def test_occlusion_by_brute_force(model, window, stride) -> None:
    x = images(2)
    (h, w), (down, along) = ((n, n) if isinstance(n, int) else n for n in (window, stride))
    total, count = np.zeros((2, 16, 16)), np.zeros((16, 16))
    top = 0
    while True:
        left = 0
        while True:
            covered = x.copy()
            covered[:, :, top : top + h, left : left + w] = 0.3
            fall = model(x)[:, 1] - model(covered)[:, 1]
            total[:, top : top + h, left : left + w] += fall[:, None, None]
            count[top : top + h, left : left + w] += 1
            if left + w >= 16:
                break
            left += along
        if top + h >= 16:
            break
        top += down
    found = explain.occlusion(model, x, 1, window, stride, fill=0.3, batch_size=7)
    np.testing.assert_allclose(found, total / count, rtol=1e-9, atol=1e-12)


def test_an_eighth_of_the_image_is_covered_if_not_told_otherwise() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(40 * 72, 2)).astype("float64")
    x = np.random.default_rng(0).normal(size=(1, 1, 40, 72))
    expected = explain.occlusion(model, x, 1, window=(5, 9), stride=(2, 4))
    np.testing.assert_array_equal(explain.occlusion(model, x, 1), expected)


def test_occlusion_finds_the_one_pixel_that_matters() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).astype("float64")
    weight = np.zeros((2, 64))
    weight[1, 27] = 4.0
    model[1].weight.value = weight
    found = explain.occlusion(model, np.ones((1, 8, 8)), 1, window=1, stride=1)
    assert found[0, 3, 3] == 4.0
    assert np.count_nonzero(found) == 1


def test_windows_leave_no_gaps(model) -> None:
    with pytest.raises(ShapeError, match="leaves gaps"):
        explain.occlusion(model, images(1), window=2, stride=3)


# does it depend on what was learned?


def test_rank_correlation_is_scipys() -> None:
    source = np.random.default_rng(0)
    for values in (source.normal(size=(2, 50)), source.integers(-3, 4, (2, 50)) * 1.0):
        expected = spearmanr(*abs(values)).statistic
        assert rank_correlation(*values) == pytest.approx(expected, abs=1e-12)
    assert rank_correlation(np.ones(4), np.arange(4)) == 0


@pytest.mark.parametrize("method", [explain.saliency, explain.integrated_gradients])
def test_maps_change_as_the_network_forgets(method) -> None:
    model, x = network("lenet5"), images(4)
    found = explain.randomization_check(model, x, method)
    assert list(found) == ["fc3", "fc2", "fc1", "conv2", "conv1"]
    assert all(correlation.shape == (4,) for correlation in found.values())
    assert found["conv1"].mean() < 0.5


def test_the_model_itself_forgets_nothing() -> None:
    model = network("resnet20")
    before = state_of(model)
    explain.randomization_check(model, images(2), explain.saliency)
    assert unchanged(model, before)


def test_a_map_that_shows_the_image_alone_does_not_change() -> None:
    found = explain.randomization_check(
        network("lenet5"), images(2), lambda model, x, target: abs(x).sum(axis=1)
    )
    assert all((correlation > 0.999).all() for correlation in found.values())


def test_what_the_model_began_with_is_not_taken_for_random() -> None:
    """A model that learned nothing still has to change, whatever it was seeded with."""
    model = nn.initialize(network("lenet5"), seed=0)
    found = explain.randomization_check(model, images(2), explain.saliency, seed=0)
    assert (found["conv1"] < 0.9).all()


@pytest.mark.parametrize(
    "method",
    [
        *(explain.saliency, explain.smooth_grad, explain.guided_backpropagation, explain.occlusion),
        *(explain.integrated_gradients, explain.grad_cam, explain.grad_cam_plus_plus),
    ],
)
def test_each_image_is_explained_for_its_own_most_probable_class(method) -> None:
    head = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Flatten())
    model = nn.initialize(nn.Sequential(*head, nn.Linear(4, 4)), 3).astype("float64")
    x = np.random.default_rng(0).normal(size=(6, 3, 8, 8)) * np.arange(1, 7)[:, None, None, None]
    classes = model(x).argmax(axis=1)
    assert len(set(classes.tolist())) > 1
    np.testing.assert_allclose(method(model, x), method(model, x, classes), rtol=1e-12)
    assert not np.allclose(method(model, x), method(model, x, 3 - classes))


def test_at_least_two_pixels_are_covered_if_not_told_otherwise() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4 * 6, 2)).astype("float64")
    x = np.random.default_rng(0).normal(size=(1, 1, 4, 6))
    expected = explain.occlusion(model, x, 1, window=2, stride=1)
    np.testing.assert_array_equal(explain.occlusion(model, x, 1), expected)
