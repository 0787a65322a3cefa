"""Pictures of feature maps, of what decisions depend on, and of what excites filters."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import colormaps

import pellucid as pl
from explained import SHAPE, images, network
from pellucid import view
from pellucid.errors import ShapeError
from pellucid.explain import Patches
from pellucid.view import style
from pellucid.view.feature_maps import in_rows


def panels(figure):
    """What the axes show: the arrays of their images."""
    return [[np.asarray(image.get_array()) for image in ax.images] for ax in figure.axes]


def titles(figure):
    return [ax.get_title(loc="left") or ax.get_title(loc="center") for ax in figure.axes]


def test_nothing_of_matplotlibs_state_changes() -> None:
    before = dict(mpl.rcParams)
    view.feature_maps(np.ones((3, 4, 4)))
    view.attribution(np.zeros((1, 4, 4)), np.ones((4, 4)))
    assert dict(mpl.rcParams) == before


# feature maps


def test_each_layer_with_maps_has_a_row() -> None:
    found = pl.explain.activations(network("lenet5"), images(2))
    drawn = view.feature_maps(found, image=1)
    said = [title.partition(",")[0] for title in titles(drawn)]
    assert said[:2] == ["conv1: 3 maps of 16×16", "relu1: 3 maps of 16×16"]
    assert said[5] == "pool2: 8 maps of 2×2"
    assert len(drawn.axes) == 6 + 6  # each with its colour bar
    ((first,), *_) = panels(drawn)
    np.testing.assert_allclose(first[:32, :32], found["conv1"][1, 0].repeat(2, 0).repeat(2, 1))


def test_values_of_both_signs_are_centred_at_0_and_others_begin_there() -> None:
    signed, positive = np.array([[[-3.0, 1.0]]]), np.array([[[0.0, 4.0]]])
    for maps, limits, colours in ((signed, (-3, 3), "DIVERGING"), (positive, (0, 4), "SEQUENTIAL")):
        ax, bar = view.feature_maps(maps).axes
        assert ax.images[0].get_clim() == bar.get_ylim() == limits
        assert ax.images[0].get_cmap().name == getattr(style, colours)
    ax, _ = view.feature_maps(np.zeros((1, 2, 2))).axes
    assert ax.images[0].get_clim() == (0, 1)


def test_what_is_left_out_is_said() -> None:
    title, _ = titles(view.feature_maps(np.ones((1, 40, 2, 2)), most=20))
    assert title.startswith("40 maps of 2×2, the first 20 shown")
    title, _ = titles(view.feature_maps(np.ones((1, 40, 2, 2))))
    assert title == "40 maps of 2×2"


def test_maps_stand_in_rows_with_gaps() -> None:
    tiles = in_rows(np.arange(3.0)[:, None, None] * np.ones((3, 28, 28)), 2)
    assert tiles.shape == (58, 58)
    corners = tiles[[0, 0, 0, -1, -1], [0, 28, -1, 0, -1]]
    np.testing.assert_array_equal(corners, [0, np.nan, 1, 2, np.nan])


def test_vectors_are_no_maps() -> None:
    with pytest.raises(ShapeError, match="no maps to draw"):
        view.feature_maps({"fc": np.ones((2, 10))})
    with pytest.raises(ShapeError, match="there is no image 2; there are 2"):
        view.feature_maps(np.ones((2, 3, 4, 4)), image=2)


# attribution


def test_of_one_image_each_method_has_its_map_and_the_map_on_the_image() -> None:
    image = np.random.default_rng(0).random((3, 6, 5))
    maps = {"one": np.arange(30.0).reshape(1, 6, 5), "two": np.ones((3, 6, 5))}
    drawn = view.attribution(image, maps, ["cat"])
    assert titles(drawn) == ["cat", "one", "two", "", "", "", "", ""]  # at the end, colour bars
    shown = panels(drawn)
    np.testing.assert_allclose(shown[0][0], image.transpose(1, 2, 0))
    full = np.percentile(maps["one"], 99.5)
    expected = colormaps[style.SEQUENTIAL](np.clip(maps["one"][0] / full, 0, 1))
    np.testing.assert_allclose(shown[1][0], expected[..., :3])
    background, laid = shown[4]
    of_one, of_two = drawn.axes[6:]
    assert of_one.get_xlim() == pytest.approx((0, full))
    assert [label.get_text() for label in of_one.get_xticklabels()] == ["0", f"{full:.2g}"]
    assert of_two.get_xlim() == (0, 3)
    assert background.shape == (6, 5, 3)
    np.testing.assert_array_equal(background[..., 0], background[..., 1])  # grey
    assert laid[0, 0, 3] == 0
    assert laid[-1, -1, 3] == pytest.approx(0.9)


def test_what_speaks_for_and_against_has_its_colour() -> None:
    drawn = view.attribution(np.zeros((1, 1, 3)), np.array([[-2.0, 0.0, 2.0]]))
    against, nothing, speaks = panels(drawn)[1][0][0]
    assert against[2] > against[0]  # blue
    assert speaks[0] > speaks[2]  # red
    assert min(nothing) > 0.95  # white


def test_channels_are_added() -> None:
    parts = np.stack([np.eye(4), -np.eye(4), np.eye(4)])
    alone = view.attribution(np.zeros((3, 4, 4)), np.eye(4))
    added = view.attribution(np.zeros((3, 4, 4)), parts)
    np.testing.assert_allclose(panels(alone)[1][0], panels(added)[1][0])


def test_many_methods_stand_in_several_lines() -> None:
    maps = {str(i): np.ones((4, 4)) for i in range(7)}
    drawn = view.attribution(np.zeros((1, 4, 4)), maps)
    assert len(drawn.axes) == 16 + 7  # each with its colour bar
    assert [t for t in titles(drawn) if t] == list("0123456")


def test_classes_stand_side_by_side_on_one_scale() -> None:
    image = np.zeros((1, 4, 4))
    maps = {
        "cat": {"one": np.ones((4, 4)), "two": np.eye(4)},
        "dog": {"one": 3 * np.ones((4, 4)), "two": -2 * np.eye(4)},
    }
    drawn = view.attribution_by_class(image, maps)
    assert titles(drawn) == ["the image", "for cat", "for dog", "", "", "", "", ""]
    cat, dog = (panels(drawn)[i][1] for i in (1, 2))
    np.testing.assert_allclose(dog[0, 0, :3], colormaps[style.SEQUENTIAL](1.0)[:3])
    np.testing.assert_allclose(cat[0, 0, :3], colormaps[style.SEQUENTIAL](1 / 3)[:3])
    of_one, of_two = drawn.axes[6:]
    assert of_one.get_ylim() == (0, 3)
    assert of_two.get_ylim() == (-2, 2)


def test_a_caption_stands_below_all_else_and_fits_the_width() -> None:
    text = "bright places matter, red ones speak for the class, blue ones against it. " * 3
    drawn = view.caption(view.attribution(images(1)[0], {"a": np.ones((16, 16))}, ["cat"]), text)
    assert " ".join(drawn.get_supxlabel().split()) == text.strip()
    style.png(drawn, drawn.dpi)
    (label,) = [t for t in drawn.texts if t.get_text() == drawn.get_supxlabel()]
    box = label.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= drawn.bbox.width
    assert box.y1 < min(ax.get_tightbbox().y0 for ax in drawn.axes)


def test_several_images_have_a_row_each() -> None:
    x = images(3)
    maps = {"a": np.ones((3, 16, 16)), "b": np.ones((3, 16, 16))}
    drawn = view.attribution(x, maps, ["cat", "dog", "owl"])
    assert titles(drawn) == ["cat", "a", "b", "dog", "", "", "owl", "", ""]


def test_a_map_of_zeros_and_one_of_a_single_pixel_can_be_drawn() -> None:
    one = np.zeros((16, 16))
    one[3, 4] = 1
    drawn = view.attribution(np.zeros(SHAPE), {"none": np.zeros((16, 16)), "one": one})
    assert panels(drawn)[5][1][3, 4, 3] == pytest.approx(0.9)
    assert not panels(drawn)[4][1][..., 3].any()


def test_maps_of_another_size_are_told() -> None:
    with pytest.raises(
        ShapeError, match=r"shape \(1, 16, 16\) or \(1, 3, 16, 16\), not \(8, 8\) as"
    ):
        view.attribution(np.zeros(SHAPE), {"small": np.zeros((8, 8))})
    with pytest.raises(ShapeError, match="2 images but 1 titles"):
        view.attribution(images(2), np.zeros((2, 16, 16)), ["cat"])
    with pytest.raises(ShapeError, match=r"images must be \(N, C, H, W\)"):
        view.attribution(np.zeros((4, 4)), np.zeros((4, 4)))


# filters


def test_each_filter_has_a_row_of_parts() -> None:
    model, x = network("lenet5"), images(6)
    found = pl.explain.top_patches(model, x, "pool1", channels=[2, 1], count=3)
    made = pl.explain.maximize_filter(model, "pool1", [2, 1], None, SHAPE, steps=2)
    drawn = view.patches(found, made)
    labels = [ax.get_ylabel() for ax in drawn.axes if ax.get_ylabel()]
    assert labels == ["filter 2", "filter 1"]
    under = [ax.get_xlabel() for ax in drawn.axes[:4]]
    responses = [f"{value:.2g}" for value in found.values[0]]
    assert under == [f"made: {made.values[0, -1]:.2g}", *responses]
    made_part = panels(drawn)[0][0]
    assert made_part.shape[:2] == found.pixels[0].shape[2:]
    assert (made_part[..., :3].min(), made_part[..., :3].max()) == (0, 1)
    named = view.patches(found, made, ["two", "one"])
    assert [ax.get_ylabel() for ax in named.axes if ax.get_ylabel()] == ["two", "one"]


def test_padding_is_transparent_and_bytes_are_not_stretched() -> None:
    part = np.array([[[[np.nan, 0.0], [51.0, 102.0]]]])
    filter_0, value = np.array([0]), np.array([[1.0]])
    found = Patches("conv", filter_0, value, value, value, value, [part])
    figure = view.patches(found)
    ((shown,),) = panels(figure)
    np.testing.assert_array_equal(shown[..., 3], [[0, 1], [1, 1]])
    assert [patch.get_hatch() for patch in figure.axes[0].patches] == ["/////"]
    np.testing.assert_allclose(shown[..., 0], [[0, 0], [0.2, 0.4]])


def test_what_was_made_for_other_filters_does_not_fit() -> None:
    model, x = network("lenet5"), images(2)
    found = pl.explain.top_patches(model, x, "conv1", channels=[1], count=1)
    made = pl.explain.maximize_filter(model, "conv1", [0], None, SHAPE, steps=1)
    with pytest.raises(ShapeError, match="not of the same layer and filters"):
        view.patches(found, made)
    assert titles(view.maximizing(made)) == ["0"]
    assert titles(view.maximizing(made, ["cat"])) == ["cat"]
