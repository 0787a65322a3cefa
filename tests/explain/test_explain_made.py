"""Images made to excite filters."""

import numpy as np
import pytest

import pellucid as pl
from explained import SHAPE, network
from pellucid import explain
from pellucid import layers as nn
from pellucid.errors import PellucidError, ShapeError


def trained(model: nn.Layer, data: pl.data.DataSet, steps: int) -> nn.Layer:
    adam = pl.optim.Adam(model.parameters(), lr=0.003)
    pl.fit(model, data.take(steps * 32), optimizer=adam, epochs=1, batch_size=32)
    return model


def none_responds_more(model: nn.Layer, layer: str, data: pl.data.DataSet) -> None:
    """No part of any image excites a filter of the layer as the image made for it does."""
    limits = float(data.images.min()), float(data.images.max())
    found = explain.top_patches(model, data, layer, count=1)
    best = found.values[:, 0]
    made = explain.maximize_filter(
        model,
        layer,
        positions=found.positions[:, 0],
        beyond=best + 0.1 * abs(best),
        limits=limits,
    )
    assert made.images.min() >= limits[0] - 1e-3
    assert made.images.max() <= limits[1] + 1e-3
    for i, (image, channel) in enumerate(zip(made.images, made.channels, strict=True)):
        maps = explain.activations(model, image, layer)[layer][0, channel]
        at = tuple(made.positions[i]) if maps.ndim else ()
        assert maps[at] == pytest.approx(made.values[i, -1], rel=1e-3)
        assert maps[at] > best[channel]
        top, bottom, left, right = made.boxes[i]
        inside = np.zeros_like(image, bool)
        inside[:, top:bottom, left:right] = True
        elsewhere = np.where(inside, image, image.mean())  # what the box leaves out does not matter
        again = explain.activations(model, elsewhere, layer)[layer][0, channel]
        assert again[at] == pytest.approx(maps[at], rel=1e-3)


@pytest.mark.parametrize("layer", ["conv1", "relu2", "layer2.0", "fc"])
def test_no_part_of_an_image_responds_as_the_image_made_for_it(layer: str) -> None:
    data = pl.data.load("digits").train
    model = nn.Sequential(
        conv1=nn.Conv2d(1, 6, 3, padding=1),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(6, 8, 3, padding=1),
        relu2=nn.ReLU(),
        layer2=nn.Sequential(nn.Residual(nn.Conv2d(8, 8, 3, padding=1), activation=nn.ReLU())),
        flatten=nn.Flatten(),
        fc=nn.Linear(512, 10),
    )
    none_responds_more(trained(model, data, 40), layer, data)


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_lenet_of_mnist(real_data: object, layer: str) -> None:
    data = pl.data.load("mnist").train
    model = pl.models.build("lenet5", data.image_shape, 10, width=0.5)
    none_responds_more(trained(model, data, 60), layer, data.take(3000))


def test_the_ascent_ends_where_the_response_is_beyond_what_was_asked_for() -> None:
    model = network("resnet20")
    whole = explain.maximize_filter(model, "layer2.0", [0, 2], None, SHAPE, steps=40).values
    goals = whole[:, 20]
    found = explain.maximize_filter(model, "layer2.0", [0, 2], None, SHAPE, steps=40, beyond=goals)
    for values, all_values, goal in zip(found.values, whole, goals, strict=True):
        end = int((all_values > goal).argmax())
        np.testing.assert_allclose(values[: end + 1], all_values[: end + 1], rtol=1e-6)
        np.testing.assert_allclose(values[end:], values[end])
        assert values[end] > goal >= values[end - 1]


def test_ascent_raises_the_response() -> None:
    model = network("resnet20")
    for layer in ("layer1.0.activation", "layer3.0", "fc"):
        found = explain.maximize_filter(model, layer, [0, 2], None, SHAPE, steps=10, rate=0.01)
        assert found.images.shape == (2, *SHAPE)
        assert (found.values[:, -1] > found.values[:, 0]).all()


def test_a_filter_that_responds_to_nothing_yet_is_reached_all_the_same() -> None:
    """All is below the ReLU at first, so that the gradient is 0 everywhere."""
    model = nn.Sequential(conv=nn.Conv2d(1, 2, 3), relu=nn.ReLU())
    nn.initialize(model, seed=3)
    model["conv"].bias.value = np.full(2, -2.0)
    found = explain.maximize_filter(model, "relu", input_shape=(1, 8, 8))
    assert (found.values[:, 0] == 0).all()
    assert (found.values[:, -1] > 0).all()


def test_without_smoothing_a_step_goes_along_the_gradient() -> None:
    model = network("lenet5")
    one, two = (
        explain.maximize_filter(
            model, "fc3", 1, None, SHAPE, steps=steps, smoothing=0, limits=(-100, 100)
        ).images
        for steps in (1, 2)
    )
    g = explain.gradients(model, one, 1).inputs
    np.testing.assert_allclose(two - one, 0.2 * g / np.sqrt((g**2).mean()))


def test_smoothing_makes_the_first_step_coarse_and_grey() -> None:
    """Each frequency is divided by itself to this power; colours that differ count a tenth."""
    model = network("lenet5")
    options = {"input_shape": SHAPE, "limits": (-100, 100), "steps": 1, "smoothing": 2}
    begin, end = (
        explain.maximize_filter(model, "fc3", 1, rate=rate, **options).images for rate in (0, 0.2)
    )
    g = explain.gradients(model, begin, 1).inputs
    grey = g.mean(axis=1, keepdims=True)
    f = np.hypot(np.fft.fftfreq(16)[:, None], np.fft.fftfreq(16))
    f[0, 0] = 1 / 16
    expected = np.fft.ifft2(np.fft.fft2((g - grey) / 10 + grey) / f**2).real
    np.testing.assert_allclose(end - begin, 0.2 * expected / np.sqrt((expected**2).mean()))


def test_each_filter_has_its_own_beginning_whatever_else_is_asked_for() -> None:
    model = network("lenet5")
    both = explain.maximize_filter(model, "conv2", [1, 2], None, SHAPE, steps=3).images
    alone = explain.maximize_filter(model, "conv2", 2, None, SHAPE, steps=3).images
    np.testing.assert_allclose(both[1], alone[0], rtol=1e-9)
    assert not np.allclose(both[0], both[1])


def test_made_images_are_in_the_images_units_and_within_limits() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 2))
    model.preprocessing = pl.Preprocessing((100.0,), (50.0,))
    model.input_shape = (1, 8, 8)
    found = explain.maximize_filter(model, "0", limits=(0, 255))
    assert found.images.min() >= -1e-3
    assert found.images.max() == pytest.approx(255, abs=1e-3)
    found = explain.maximize_filter(model, "0")
    assert found.images.max() == pytest.approx(100 + 3 * 50, abs=1e-3)
    with pytest.raises(PellucidError, match="lowest and the highest"):
        explain.maximize_filter(model, "0", limits=(1, 0))
    with pytest.raises(ShapeError, match=r"each of 2 filters, in maps of 6×6, not \[\[6, 0\]"):
        explain.maximize_filter(model, "0", positions=[[6, 0], [0, 0]])
    model.input_shape = None
    with pytest.raises(ShapeError, match=r"input_shape must be \(C, H, W\)"):
        explain.maximize_filter(model, "0")
