"""What filters see, what excites them in images, and images made for it."""

import numpy as np
import pytest

import pellucid as pl
from explained import SHAPE, images, network
from pellucid import explain
from pellucid import layers as nn
from pellucid.errors import PellucidError, ShapeError


def seen(model, layer, input_shape):
    """Which pixels each output depends on, by changing one pixel after the other."""
    source = np.random.default_rng(5)
    x = source.normal(size=(1, *input_shape))
    before = explain.activations(model, x, layer)[layer][0]
    depends = np.zeros((*before.shape, *input_shape[1:]), bool)
    for _ in range(4):  # a maximum, or a ReLU, may hide a change once
        for row, column in np.ndindex(input_shape[1:]):
            changed = x.copy()
            changed[0, :, row, column] += source.normal(0, 30, input_shape[0])
            after = explain.activations(model, changed, layer)[layer][0]
            depends[..., row, column] |= after != before
    return depends


SEEN = {
    "stride, padding, dilation": nn.Sequential(
        nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=((1, 0), (0, 2))),
        nn.Conv2d(3, 2, 3, dilation=(1, 2), padding=(0, 1)),
    ),
    "pooling": nn.Sequential(
        nn.MaxPool2d(3, 2, padding=1), nn.ReLU(), nn.AvgPool2d(2, 1, ceil_mode=True)
    ),
    "a shortcut": nn.Sequential(
        nn.Residual(nn.Conv2d(2, 2, 3, padding=1), activation=nn.Sigmoid()),
        nn.Residual(nn.Conv2d(2, 2, (1, 3), padding=(0, 1))),
    ),
    "branches": nn.Concat(
        nn.Conv2d(2, 1, 1), nn.Conv2d(2, 1, 3, padding=1), nn.Conv2d(2, 2, 5, padding=2)
    ),
    "groups after branches": nn.Sequential(
        nn.Concat(nn.Conv2d(2, 1, 1), nn.Conv2d(2, 1, 5, padding=2)),
        nn.Conv2d(2, 2, 3, padding=1, groups=2),
    ),
    "a graph": nn.Graph(
        {
            "a": (nn.Conv2d(2, 2, 3, padding=1), "x"),
            "b": (nn.Conv2d(2, 2, 1), "x"),
            "gate": (nn.Multiply(), ("a", "b")),
            "sum": (nn.Add(), ("gate", "x")),
        }
    ),
    "larger images": nn.Sequential(
        nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1), nn.Upsample(scale_factor=2)
    ),
    "padding by reflection": nn.Conv2d(2, 2, 3, padding=2, padding_mode="reflect"),
    "the whole image": nn.Sequential(nn.Conv2d(2, 2, 3), nn.GroupNorm(1, 2)),
    "normalised": nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.AdaptiveAvgPool2d(2)),
}


@pytest.mark.parametrize("name", SEEN)
def test_receptive_fields_by_brute_force(name) -> None:
    model = nn.initialize(SEEN[name].astype("float64"), seed=2)
    shape = (2, 9, 8)
    layer = list(explain.activations(model, np.ones(shape)))[-1]
    fields = explain.receptive_fields(model, layer, shape)
    depends = seen(model, layer, shape)
    assert fields.rows.shape[:2] == depends.shape[:2]
    for c, i, j in np.ndindex(depends.shape[:3]):
        rows = np.flatnonzero(depends[c, i, j].any(axis=1))
        columns = np.flatnonzero(depends[c, i, j].any(axis=0))
        expected = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        assert fields.box(c, i, j) == expected, (c, i, j)


def test_opposite_weights_do_not_hide_what_is_seen() -> None:
    """A kernel that takes differences gives 0 for a row that is lit evenly."""
    model = nn.Sequential(sobel=nn.Conv2d(1, 1, 3, padding=1))
    model["sobel"].weight.value = np.array([[[[1, 0, -1], [2, 0, -2], [1, 0, -1]]]])
    fields = explain.receptive_fields(model, "sobel", (1, 6, 6))
    assert fields.box(0, 3, 3) == (2, 5, 2, 5)
    assert fields.size(0) == (3, 3)
    model = nn.Sequential(sobel=nn.Conv2d(1, 1, 3))
    model["sobel"].weight.value = np.array([[[[1, 0, -1], [2, 0, -2], [1, 0, -1]]]])
    assert explain.receptive_fields(model, "sobel", (1, 6, 6)).box(0, 2, 1) == (2, 5, 1, 4)


def test_an_output_that_sees_padding_alone_sees_nothing() -> None:
    fields = explain.receptive_fields(nn.Sequential(nn.Conv2d(1, 1, 1, padding=2)), "0", (1, 4, 5))
    assert fields.box(0, 0, 3) == (0, 0, 1, 2)
    assert fields.box(0, 2, 8) == (0, 1, 0, 0)
    assert fields.box(0, 5, 6) == (3, 4, 4, 5)


def test_the_field_of_a_deep_network_is_the_books() -> None:
    """Each convolution adds (kernel − 1) · the product of the strides before it."""
    model = pl.models.resnet20((3, 64, 64), 10, width=1 / 16)
    fields = explain.receptive_fields(model, "layer2.2.conv2", (3, 64, 64))
    field = 1 + 2 + 6 * 2 + 2 + 5 * 2 * 2  # conv1; stage 1; stage 2, which begins with stride 2
    assert fields.size(0) == (field, field)


def test_what_has_no_maps_has_no_field() -> None:
    model = network("lenet5")
    with pytest.raises(ShapeError, match="'fc1' has no maps"):
        explain.receptive_fields(model, "fc1", SHAPE)
    with pytest.raises(PellucidError, match="unknown layer 'conv9'"):
        explain.receptive_fields(model, "conv9", SHAPE)
    with pytest.raises(ShapeError, match="input_shape must be"):
        explain.receptive_fields(model, "conv1", (16, 16))


# top patches


def test_top_patches_by_brute_force() -> None:
    model, x = network("resnet20"), images(12)
    layer = "layer2.0.activation"
    maps = explain.activations(model, x, layer)[layer]
    found = explain.top_patches(model, x, layer, channels=[3, 0], count=4, batch_size=5)
    fields = explain.receptive_fields(model, layer, SHAPE)
    assert (found.layer, found.channels.tolist()) == (layer, [3, 0])
    for row, channel in enumerate([3, 0]):
        strongest = maps[:, channel].max(axis=(1, 2))
        expected = np.argsort(-strongest, kind="stable")[:4]
        assert found.images[row].tolist() == expected.tolist()
        np.testing.assert_allclose(found.values[row], strongest[expected])
        for k, n in enumerate(expected):
            place = np.unravel_index(maps[n, channel].argmax(), maps.shape[2:])
            assert tuple(found.positions[row, k]) == place
            top, bottom, left, right = fields.box(channel, *place)
            assert found.boxes[row, k].tolist() == [top, bottom, left, right]
            part = found.pixels[row][k]
            inside = ~np.isnan(part)
            np.testing.assert_array_equal(part[inside], x[n, :, top:bottom, left:right].ravel())


def test_of_equal_responses_the_first_images_are_shown() -> None:
    model = nn.Sequential(conv=nn.Conv2d(1, 1, 3, bias=False))
    model["conv"].weight.value[...] = 1
    bright = np.random.default_rng(0).integers(0, 2, 200) == 1
    x = np.ones((200, 1, 3, 3)) * np.where(bright, 2, 1)[:, None, None, None]
    found = explain.top_patches(model, x, "conv", count=200, batch_size=256)
    assert found.images[0].tolist() == [*np.flatnonzero(bright), *np.flatnonzero(~bright)]


def test_what_is_padding_is_no_number() -> None:
    model = nn.Sequential(conv=nn.Conv2d(1, 1, 3, padding=1))
    corners = np.zeros((2, 1, 5, 5))
    corners[0, 0, 0, 0] = corners[1, 0, 4, 4] = 1
    corners[0, 0, 1, 1] = corners[1, 0, 3, 3] = -1
    nan = np.nan
    model["conv"].weight.value = np.array([[[[1, 1, 1], [1, 9, 1], [1, 1, 1]]]])
    found = explain.top_patches(model, corners, "conv", count=2)
    first, second = found.pixels[0][:, 0]
    np.testing.assert_array_equal(first, [[nan, nan, nan], [nan, 1, 0], [nan, 0, -1]])
    np.testing.assert_array_equal(second, [[-1, 0, nan], [0, 1, nan], [nan, nan, nan]])


def test_there_are_no_more_filters_than_there_are() -> None:
    with pytest.raises(PellucidError, match="filters 0 to 2, not 3"):
        explain.top_patches(network("lenet5"), images(2), "conv1", 3)


def test_a_layer_without_maps_looks_at_whole_images() -> None:
    model, x = network("lenet5"), images(5)
    scores = model(x)
    found = explain.top_patches(model, x, "fc3", channels=[1], count=2)
    order = np.argsort(-scores[:, 1])[:2]
    assert found.images.tolist() == [order.tolist()]
    np.testing.assert_allclose(found.values[0], scores[order, 1])
    np.testing.assert_array_equal(found.pixels[0], x[order])
    assert found.boxes.tolist() == [[[0, 16, 0, 16]] * 2]
