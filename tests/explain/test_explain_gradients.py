"""What layers give for an image, and the gradient of one class's score."""

import threading

import numpy as np
import pytest

import pellucid as pl
from explained import SHAPE, SMALL, images, network, shared, state_of, unchanged
from pellucid import layers as nn
from pellucid.errors import DataError, PellucidError, ShapeError
from pellucid.explain import activations, gradients


def slope(score, x, direction, h=1e-6):
    """The derivative of `score` at x along `direction`, by central differences."""
    return (score(x + h * direction) - score(x - h * direction)) / (2 * h)


# activations


def test_each_layer_gives_what_it_gives_in_the_network() -> None:
    model = network("lenet5")
    x = images(3)
    found = activations(model, x)
    assert list(found) == list(model.layers)
    y = x
    for name, layer in model.layers.items():
        y = layer(y)
        np.testing.assert_array_equal(found[name], y)


def test_images_may_be_one_or_many_in_any_batches() -> None:
    model = network("resnet20")
    x = images(5)
    whole = activations(model, x)
    for name, y in activations(model, x, batch_size=2).items():
        np.testing.assert_allclose(y, whole[name], rtol=1e-12, atol=1e-12)
    one = activations(model, x[0], ["layer2.0", "fc"])
    assert list(one) == ["layer2.0", "fc"]
    np.testing.assert_allclose(one["layer2.0"][0], whole["layer2.0.activation"][0])


def test_sums_and_joined_branches_are_listed_and_what_only_passes_on_is_not() -> None:
    assert "inception3a" in activations(network("inception"), images(1))
    assert "layer1" not in activations(network("resnet20"), images(1))
    sums = nn.Residual(nn.Conv2d(3, 3, 1))
    assert list(activations(sums, images(1))) == ["body", ""]


def test_a_layer_used_again_is_numbered() -> None:
    model = shared()
    x = np.random.default_rng(0).normal(size=(2, 2, 5, 4))
    found = activations(model, x)
    conv = model["first"]
    one = conv(x)
    np.testing.assert_array_equal(found["first"], one)
    np.testing.assert_array_equal(found["first#2"], conv(np.tanh(one)))
    np.testing.assert_array_equal(found["first#3"], conv(np.tanh(np.tanh(one))))


def test_preprocessing_is_done_where_the_model_has_one() -> None:
    model = nn.Sequential(conv=nn.Conv2d(1, 1, 1))
    model.preprocessing = pl.Preprocessing((100.0,), (50.0,))
    pixels = np.full((1, 1, 2, 2), 150, np.uint8)
    found = activations(model, pixels)["conv"]
    np.testing.assert_array_equal(found, model(np.ones((1, 1, 2, 2), np.float32)))


def test_an_unknown_layer_is_told_with_the_nearest() -> None:
    with pytest.raises(PellucidError, match="'conv3'; did you mean 'conv2'"):
        activations(network("lenet5"), images(1), "conv3")


def test_images_that_the_model_does_not_take_are_told() -> None:
    model = network("lenet5")
    model.input_shape = SHAPE
    with pytest.raises(ShapeError, match="images of 3×16×16, these are 3×8×8"):
        activations(model, np.ones((1, 3, 8, 8)))
    with pytest.raises(DataError, match=r"shape \(0, 3, 16, 16\) does not hold images"):
        activations(model, np.ones((0, 3, 16, 16)))
    with pytest.raises(DataError, match="NaN or infinity, first at number 1"):
        activations(model, np.stack([images(1)[0], np.full(SHAPE, np.nan)]))


# gradients


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_the_gradient_is_the_slope_of_the_score(name, score) -> None:
    model, x = network(name), images(2)
    direction = np.random.default_rng(3).normal(size=x.shape)
    found = gradients(model, x, 1, score=score)

    def value(x):
        y = model(x)
        y = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True) if score == "probability" else y
        return y[:, 1]

    np.testing.assert_allclose(found.scores, value(x), rtol=1e-12)
    expected = slope(value, x, direction)
    np.testing.assert_allclose((found.inputs * direction).sum(axis=(1, 2, 3)), expected, rtol=1e-4)


def test_the_gradient_for_each_use_of_a_shared_layer_is_its_own() -> None:
    """The uses run in two branches, whose backward passes do not run in the opposite order."""
    model = shared()
    x = np.random.default_rng(0).normal(size=(2, 2, 5, 4))
    names = ["first", "first#2", "first#3"]
    found = gradients(model, x, 2, names)
    conv, both, w = model["first"], model["both"], model["fc"].weight.value[2]
    left, right = np.split(np.broadcast_to(w.reshape(1, 4, 5, 4), (2, 4, 5, 4)), 2, axis=1)
    np.testing.assert_array_equal(found.layers["first#2"], left)
    np.testing.assert_array_equal(found.layers["first#3"], right)

    def rest(y):
        return (both(np.tanh(y)).reshape(2, -1) @ w).sum()

    direction = np.random.default_rng(1).normal(size=(2, 2, 5, 4))
    expected = slope(rest, conv(x), direction)
    np.testing.assert_allclose((found.layers["first"] * direction).sum(), expected, rtol=1e-7)


def test_a_layer_that_the_score_does_not_depend_on_has_no_gradient() -> None:
    graph = nn.Graph({"a": (nn.Linear(4, 3), "x"), "b": (nn.Tanh(), "a")}, output="a")
    found = gradients(graph, np.ones((2, 4)), 0, "b")
    assert not found.layers["b"].any()


@pytest.mark.parametrize("name", ["lenet5", "resnet20"])
def test_nothing_in_the_model_changes(name) -> None:
    model, x = network(name), images(2)
    for parameter in model.parameters():
        parameter.add_gradient(np.ones(parameter.shape))
    before = state_of(model)
    assert any(key.endswith("running_mean") for key in before) or name == "lenet5"
    for explain in (gradients, pl.explain.guided_backpropagation, pl.explain.grad_cam):
        explain(model, x)
        assert unchanged(model, before)
    pl.explain.maximize_filter(model, next(iter(activations(model, x))), 0, None, SHAPE, steps=2)
    pl.explain.randomization_check(model, x, pl.explain.saliency)
    assert unchanged(model, before)


def test_several_threads_may_explain_one_model_at_once() -> None:
    model = network("resnet20")
    alone = [gradients(model, images(1, seed)).inputs for seed in range(4)]
    found: dict[int, np.ndarray] = {}

    def explain(seed: int) -> None:
        found[seed] = gradients(model, images(1, seed)).inputs

    threads = [threading.Thread(target=explain, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[seed], alone[seed]) for seed in range(4))


def test_each_image_may_have_its_own_class_by_number_or_name() -> None:
    model, x = network("lenet5"), images(3)
    model.classes = ("cat", "dog", "owl", "fox")
    found = gradients(model, x, ["owl", 0, "fox"])
    assert found.target.tolist() == [2, 0, 3]
    for i, target in enumerate(("owl", "cat", "fox")):
        alone = gradients(model, x[i], target)
        np.testing.assert_allclose(found.inputs[i], alone.inputs[0], rtol=1e-10, atol=1e-14)
    assert gradients(model, x).target.tolist() == model(x).argmax(axis=1).tolist()


def test_a_softmax_at_the_end_makes_no_difference() -> None:
    model, x = network("lenet5"), images(2)
    for last in (nn.Softmax(), nn.LogSoftmax()):
        ending = nn.Sequential(net=model, last=last)
        for score in ("logit", "probability"):
            with_softmax, plain = (gradients(m, x, 1, score=score) for m in (ending, model))
            np.testing.assert_array_equal(with_softmax.inputs, plain.inputs)
            np.testing.assert_array_equal(with_softmax.scores, plain.scores)


def test_what_cannot_be_explained_is_told() -> None:
    model, x = network("lenet5"), images(2)
    with pytest.raises(PellucidError, match=r"unknown class '7'\. Known: 0, 1, 2, 3"):
        gradients(model, x, "7")
    with pytest.raises(PellucidError, match="a name or a number from 0 to 3, not 4"):
        gradients(model, x, 4)
    with pytest.raises(PellucidError, match="2 images but 3 classes"):
        gradients(model, x, [1, 2, 3])
    with pytest.raises(PellucidError, match="unknown score 'logits'; did you mean 'logit'"):
        gradients(model, x, score="logits")
    with pytest.raises(ShapeError, match="one score per class"):
        gradients(nn.Conv2d(3, 4, 3), x)
    with pytest.raises(PellucidError, match="unknown layer 'relu9'"):
        gradients(model, x, layers="relu9")
    with pytest.raises(PellucidError, match="unknown layer 'relu1#2'"):
        gradients(model, x, layers="relu1#2")


def test_a_frozen_model_sends_to_the_one_that_it_was_made_from() -> None:
    frozen = pl.freeze(nn.Sequential(conv=nn.Conv2d(3, 4, 3), flatten=nn.Flatten()))
    x = images(1).astype("f4")
    for explain in (
        activations,
        gradients,
        pl.explain.occlusion,
        lambda model, x: pl.explain.receptive_fields(model, "conv", SHAPE),
        lambda model, x: pl.explain.maximize_filter(model, "conv", 0, None, SHAPE),
        lambda model, x: pl.explain.top_patches(model, x, "conv"),
    ):
        with pytest.raises(PellucidError, match="use the model from which it was made"):
            explain(frozen, x)


@pytest.mark.parametrize("name", ["lenet5", "resnet20"])
def test_both_engines_explain_alike(name) -> None:
    model, x = network(name).astype("float32"), images(2).astype("f4")
    found = []
    for engine in ("reference", "compiled"):
        with pl.engine.using(engine):
            found.append([pl.explain.saliency(model, x), pl.explain.grad_cam(model, x)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3 * abs(one).max())
