"""Images that are not square, limits of arguments, and what is said of wrong ones."""

import numpy as np
import pytest

import pellucid as pl
from pellucid import explain
from pellucid import layers as nn
from pellucid.errors import DataError, PellucidError, ShapeError
from pellucid.explain.inputs import channel_numbers, chunks, reference

SHAPE = (3, 9, 14)


def network(turned: bool = False) -> nn.Layer:
    """Return a network, or the one that gives the same for transposed images."""

    def pair(height, width):
        return (width, height) if turned else (height, width)

    model = nn.Sequential(
        first=nn.Conv2d(3, 4, pair(3, 2), stride=pair(2, 1), padding=pair(1, 0)),
        relu=nn.ReLU(),
        pool=nn.MaxPool2d(pair(1, 2), stride=pair(1, 1)),
        second=nn.Conv2d(4, 5, pair(2, 3), padding=pair(0, 2), dilation=pair(1, 2)),
        act=nn.ReLU(),
        mean=nn.GlobalAvgPool2d(),
        flat=nn.Flatten(),
        fc=nn.Linear(5, 4),
    ).astype("float64")
    source = np.random.default_rng(3)
    for parameter in model.parameters():
        parameter.value = source.normal(size=parameter.shape)
    for name in ("first", "second"):  # the same draws, for the axes as they are
        shape = (*model[name].weight.shape[:2], *pair(*model[name].weight.shape[2:]))
        value = np.random.default_rng(5).normal(size=shape)
        model[name].weight.value = value.transpose(0, 1, 3, 2) if turned else value
    return model


@pytest.fixture
def model() -> nn.Layer:
    return network()


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, *SHAPE))


def transposed(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.swapaxes(array, -1, -2))


def test_the_turned_network_gives_the_same_for_transposed_images(model, x) -> None:
    np.testing.assert_allclose(network(turned=True)(transposed(x)), model(x))


@pytest.mark.parametrize(
    ("method", "options", "other"),
    [
        (explain.saliency, {}, {}),
        (explain.integrated_gradients, {"steps": 5}, {}),
        (explain.guided_backpropagation, {}, {}),
        (explain.grad_cam, {}, {}),
        (explain.grad_cam, {"layer": "first"}, {}),
        (explain.grad_cam, {"layer": "relu", "upsample": False}, {}),
        (explain.grad_cam_plus_plus, {}, {}),
        (explain.occlusion, {}, {}),
        (explain.occlusion, {"window": (2, 5)}, {"window": (5, 2)}),
        (
            explain.occlusion,
            {"window": (3, 4), "stride": (1, 3)},
            {"window": (4, 3), "stride": (3, 1)},
        ),
    ],
)
def test_an_explanation_turns_with_the_image(model, x, method, options, other) -> None:
    found = method(model, x, 1, **options)
    again = method(network(turned=True), transposed(x), 1, **(options | other))
    np.testing.assert_allclose(again, transposed(found), rtol=1e-9, atol=1e-12)
    assert found.any()


@pytest.mark.parametrize("layer", ["first", "pool", "second", "fc"])
def test_patches_and_fields_turn_with_the_image(model, x, layer) -> None:
    found = explain.top_patches(model, x, layer, count=2)
    again = explain.top_patches(network(turned=True), transposed(x), layer, count=2)
    np.testing.assert_allclose(again.values, found.values)
    np.testing.assert_array_equal(again.positions, found.positions[..., ::-1])
    np.testing.assert_array_equal(again.boxes, found.boxes[..., [2, 3, 0, 1]])
    for one, other in zip(found.pixels, again.pixels, strict=True):
        np.testing.assert_array_equal(other, transposed(one))
    if layer != "fc":
        fields = explain.receptive_fields(model, layer, SHAPE)
        others = explain.receptive_fields(network(turned=True), layer, (3, 14, 9))
        np.testing.assert_array_equal(others.rows, fields.columns)
        np.testing.assert_array_equal(others.columns, fields.rows)


def test_the_first_step_towards_a_made_image_by_the_formula(model) -> None:
    """x ← x + rate · s/rms(s) with s = F⁻¹(F(g) / fᵖ), where p is the smoothing."""
    options = {"steps": 1, "smoothing": 1.0, "limits": (-100, 100), "input_shape": SHAPE}
    begin, end = (
        explain.maximize_filter(model, "fc", [1], rate=rate, **options).images for rate in (0, 0.3)
    )
    g = explain.gradients(model, begin, 1).inputs
    grey = g.mean(axis=1, keepdims=True)
    alike = 1 - 0.1**0.5
    f = np.hypot(np.fft.fftfreq(9)[:, None], np.fft.fftfreq(14))
    f[0, 0] = 1 / 14
    s = np.fft.ifft2(np.fft.fft2(g + alike / (1 - alike) * grey) / np.maximum(f, 1 / 14)).real
    np.testing.assert_allclose(end - begin, 0.3 * s / np.sqrt((s**2).mean()), rtol=1e-6)


def test_made_images_have_their_channels_own_units(model) -> None:
    model.preprocessing = pl.Preprocessing((100.0, 50.0, 10.0), (50.0, 20.0, 1.0))
    made = explain.maximize_filter(model, "fc", [0], input_shape=SHAPE, steps=40).images[0]
    reach = abs(made - np.array([100, 50, 10])[:, None, None]).max(axis=(1, 2))
    assert reach == pytest.approx(3 * np.array([50, 20, 1]), rel=1e-3)


def test_positions_are_within_the_map(model) -> None:
    options = {"channels": [0], "input_shape": SHAPE, "steps": 1}
    height, width = explain.activations(model, np.zeros(SHAPE), "second")["second"].shape[2:]
    for place in ((0, 0), (height - 1, width - 1)):
        found = explain.maximize_filter(model, "second", positions=[place], **options)
        assert found.positions.tolist() == [list(place)]
    middle = explain.maximize_filter(model, "second", **options).positions.tolist()
    assert middle == [[height // 2, width // 2]]
    for wrong in ((-1, 0), (0, -1), (height, 0), (0, width), (0,), (0, 0, 0)):
        with pytest.raises(ShapeError, match=f"in maps of {height}×{width}"):
            explain.maximize_filter(model, "second", positions=[wrong], **options)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (explain.saliency, {"batch_size": 0}),
        (explain.smooth_grad, {"samples": 0}),
        (explain.integrated_gradients, {"steps": 0}),
        (explain.occlusion, {"window": 0}),
        (explain.occlusion, {"window": 2, "stride": 3}),
        (explain.occlusion, {"window": (2, 3), "stride": (2, 4)}),
        (explain.occlusion, {"window": (3, 2), "stride": (4, 2)}),
        (explain.saliency, {"target": 4}),
        (explain.saliency, {"target": -1}),
        (explain.saliency, {"target": 1.0}),
        (explain.saliency, {"target": "4"}),
        (explain.saliency, {"target": [0, 1]}),
        (explain.saliency, {"score": "loss"}),
        (explain.grad_cam, {"score": "loss"}),
    ],
)
def test_wrong_arguments_are_refused(model, x, method, options) -> None:
    with pytest.raises(PellucidError):
        method(model, x, **options)


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("target", [0, 3, [0, 3, 1], "2", ["0", "1", "3"], np.int64(2)])
def test_a_target_is_one_class_or_one_for_each_image(model, x, target, score) -> None:
    numbers = np.broadcast_to(np.array(target, np.int64), 3)
    found = explain.saliency(model, x, target, score)
    alone = [explain.saliency(model, x[i], int(n), score)[0] for i, n in enumerate(numbers)]
    np.testing.assert_allclose(found, alone, rtol=1e-9, atol=1e-15)


def test_filters_are_chosen_by_number() -> None:
    assert channel_numbers(None, 3).tolist() == [0, 1, 2]
    assert channel_numbers(2, 3).tolist() == [2]
    assert channel_numbers([2, 0], 3).tolist() == [2, 0]
    for wrong in (-1, 3, [], [0, 3], [0.5], [-1, 0]):
        with pytest.raises(PellucidError, match="the layer has the filters 0 to 2"):
            channel_numbers(wrong, 3)


def test_chunks_cover_all_in_order() -> None:
    assert list(chunks(7, 3)) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert list(chunks(6, 3)) == [slice(0, 3), slice(3, 6)]
    assert list(chunks(1, 1)) == [slice(0, 1)]
    with pytest.raises(PellucidError, match="batch_size must be at least 1, not 0"):
        list(chunks(3, 0))


def test_what_an_image_is_compared_with_is_in_its_units(model, x) -> None:
    assert not reference(model, x, None).any()
    model.preprocessing = pl.Preprocessing((1.0, 2.0, 3.0), (2.0, 4.0, 8.0))
    assert not reference(model, x, None).any()
    scaled = reference(model, x, 5.0)[0, :, 0, 0]
    np.testing.assert_allclose(scaled, [2, 0.75, 0.25], rtol=1e-6)
    by_channel = reference(model, x, [1.0, 6.0, 3.0])
    np.testing.assert_allclose(by_channel[2, :, 8, 13], [0, 1, 0], rtol=1e-6)
    by_image = reference(model, x, x[1])
    np.testing.assert_array_equal(by_image[0], by_image[2])
    for wrong in ([1.0, 2.0], np.zeros((3, 9, 13))):
        with pytest.raises(ShapeError, match="give one number, one for each channel, or an image"):
            reference(model, x, wrong)


def test_what_holds_no_images_is_refused(model, x) -> None:
    for wrong in (x[:0], np.zeros(3), np.float64(1)):
        with pytest.raises(DataError, match="does not hold images"):
            explain.saliency(model, wrong)
    np.testing.assert_array_equal(explain.saliency(model, x[0]), explain.saliency(model, x[:1]))
    model.input_shape = (3, 9, 13)
    with pytest.raises(ShapeError, match="expects images of 3×9×13, these are 3×9×14"):
        explain.saliency(model, x)
