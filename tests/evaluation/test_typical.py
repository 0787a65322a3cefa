"""Recognising images unlike those of the training: measures, distances, and what is remarked."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from pellucid import layers as nn
from pellucid.errors import FileError
from pellucid.evaluation import typical
from pellucid.evaluation.typical import MEASURES, Typical, features_of, measures
from pellucid.preprocessing import Preprocessing


@dataclass
class Images:
    """The least that counts as a data set."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.images)


@pytest.fixture
def model():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3), nn.ReLU(), nn.Linear(3, 2)
    )
    return nn.initialize(network, seed=1)


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, 1, 4, 4)).astype(np.uint8)
    images[::2] //= 4  # so that the measures differ from image to image
    return Images(images, np.arange(40) % 2)


def drawn(height, width, rows, columns, ground=0, ink=200):
    """Return a grey image (1, height, width) with a drawn rectangle."""
    image = np.full((1, height, width), ground, np.uint8)
    image[0, rows, columns] = ink
    return image


def test_measures_of_images_by_hand():
    images = np.stack(
        [
            drawn(10, 8, slice(2, 6), slice(1, 7)),  # 4 of 10 rows, 6 of 8 columns
            drawn(10, 8, slice(9, 10), slice(0, 1), ground=100, ink=40),
            drawn(10, 8, slice(0, 0), slice(0, 0), ground=30),  # nothing
        ]
    )
    expected = [
        [200 * 24 / 80, 0, 40, 75, 0],
        [100 - 60 / 80, 100, 10, 12.5, 0],
        [30, 30, 0, 0, 0],
    ]
    assert measures(images) == pytest.approx(np.array(expected))


def test_what_differs_from_the_border_by_three_tenths_of_the_most_is_drawn():
    image = drawn(10, 10, slice(2, 3), slice(2, 3), ground=0, ink=100)
    image[0, 5, 4:7], image[0, 7, 7] = 31, 30
    height, width = measures(image[None])[0, 2:4]
    assert (height, width) == (40, 50)  # rows 2 to 5, columns 2 to 6: 30 is not more than 30


def test_a_difference_of_less_than_three_tenths_of_a_level_is_nothing():
    image = np.full((1, 1, 6, 6), 10.0)
    image[0, 0, 2, 3] = 10.25
    assert measures(image)[0, 2:4].tolist() == [0, 0]
    image[0, 0, 2, 3] = 10.5
    assert measures(image)[0, 2:4] == pytest.approx([100 / 6, 100 / 6])


def test_colour_is_the_mean_range_of_the_channels():
    image = np.zeros((2, 3, 2, 5))
    image[1, 0], image[1, 1], image[1, 2, 0] = 10, 50, 20  # range 40 above, 50 below
    assert measures(image)[:, 4].tolist() == [0, 45]
    assert measures(image)[:, 0].tolist() == [0, pytest.approx((80 / 3 + 60 / 3) / 2)]


def test_the_border_is_the_outermost_line_of_pixels():
    image = np.full((1, 1, 5, 5), 90)
    image[0, 0, 1:-1, 1:-1] = 7
    assert measures(image)[0, 1] == 90
    image[0, 0, 0, :] = image[0, 0, -1, :] = image[0, 0, :, 0] = 20  # 13 of 16
    assert measures(image)[0, 1] == 20
    for height, width in ((9, 12), (12, 9)):  # where more pixels are inside
        image = np.full((1, 1, height, width), 90)
        image[0, 0, 1:-1, 1:-1] = 7
        assert measures(image)[0, 1] == 90


def test_features_are_what_the_last_linear_layer_gets(model, data):
    x = data.images.astype(np.float32)
    expected = model[:4](x)
    np.testing.assert_allclose(features_of(model, x), expected, rtol=1e-6)
    np.testing.assert_allclose(features_of(model, x, batch_size=7), expected, rtol=1e-5)


def test_features_are_those_of_preprocessed_images(model, data):
    model.preprocessing = Preprocessing((100.0,), (50.0,))
    expected = model[:4](((data.images - 100.0) / 50).astype(np.float32))
    np.testing.assert_allclose(features_of(model, data.images), expected, rtol=1e-4, atol=1e-6)


def test_there_are_no_features_without_a_linear_layer_on_vectors(data):
    x = data.images.astype(np.float32)
    assert features_of(nn.Sequential(nn.Flatten(), nn.ReLU()), x) is None
    assert features_of(nn.initialize(nn.Linear(16, 2), 0), x.reshape(40, 16)) is None
    on_rows = nn.initialize(nn.Sequential(nn.Linear(4, 2), nn.Flatten()), 0)
    assert features_of(on_rows, x) is None
    used_twice = nn.Linear(16, 16)
    twice = nn.initialize(nn.Sequential(nn.Flatten(), used_twice, used_twice), 0)
    assert features_of(twice, x) is None
    assert features_of(nn.initialize(nn.Sequential(nn.Flatten(), nn.Linear(5, 2)), 0), x) is None


def test_statistics_of_a_data_set(model, data):
    found = Typical.of(model, data)
    values = measures(data.images)
    low, high = np.quantile(values, 0.001, axis=0), np.quantile(values, 0.999, axis=0)
    margin = np.maximum(0.1 * (high - low), 8)
    assert (margin > 8).any()
    assert (margin == 8).any()
    np.testing.assert_allclose(found.low, low - margin)
    np.testing.assert_allclose(found.high, high + margin)
    features = features_of(model, data.images)
    centres = np.stack([features[data.labels == i].mean(axis=0) for i in (0, 1)])
    np.testing.assert_allclose(found.centres, centres, rtol=1e-6)
    distances = cdist(features, centres).min(axis=1)
    assert found.reach == pytest.approx(1.1 * np.quantile(distances, 0.999))


def test_a_class_without_images_has_no_centre(model, data):
    labels = np.where(data.labels == 0, 3, 1)
    assert len(Typical.of(model, Images(data.images, labels)).centres) == 2


def test_of_many_images_a_share_spread_evenly_is_looked_at(monkeypatch):
    monkeypatch.setattr(typical, "_IMAGES", 4)
    images = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 2), np.uint8)
    found = Typical.of(nn.Flatten(), Images(images, np.zeros(10, int)))
    chosen = measures(images[[0, 3, 6, 9]])
    np.testing.assert_allclose(found.low, np.quantile(chosen, 0.001, axis=0) - 8)
    np.testing.assert_allclose(found.high, np.quantile(chosen, 0.999, axis=0) + 8)
    assert found.centres.shape == (0, 0)
    assert found.reach == 0
    assert found.remarks(nn.Flatten(), images) == [[]] * 10


def of_range(low, high, centres=((),), reach=0.0):
    return Typical(np.full(5, float(low)), np.full(5, float(high)), np.asarray(centres), reach)


def test_a_measure_outside_its_range_is_remarked():
    measured = measures(np.full((1, 3, 4, 4), 60))[0]
    assert measured.tolist() == [60, 60, 0, 0, 0]
    model, image = nn.Flatten(), np.full((1, 3, 4, 4), 60)
    assert of_range(0, 60).remarks(model, image) == [[]]  # the limits belong to the range
    ((grey, border),) = of_range(-9, 50).remarks(model, image)
    assert grey == "its mean grey level is high: 60, in training 0 to 50"
    assert border.startswith(f"{MEASURES[1]} is high: 60")
    ((height, width, colour),) = of_range(10, 300).remarks(model, image)
    assert height == f"{MEASURES[2]} is low: 0, in training 10 to 255"
    assert width.startswith(MEASURES[3])
    assert colour.startswith(MEASURES[4])


def test_features_far_from_every_class_are_remarked():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, initializer="zeros"))
    images = np.zeros((3, 1, 2, 2), np.float32)
    images[1, 0, 0, 0], images[2, 0, 0, 0] = 2, 3  # distances 0, 2 and 3 from the first centre
    usual = of_range(-1, 300, [[0.0, 0, 0, 0], [9, 9, 9, 9]], reach=2.0)
    assert usual.remarks(model, images) == [[], [], [f"{typical.FEATURES} (1.5 times as far)"]]
    without_features = of_range(-1, 300)
    assert without_features.remarks(model, images) == [[], [], []]


def test_statistics_are_saved_and_read(model, data):
    found = Typical.of(model, data)
    again = Typical.from_bytes(found.to_bytes())
    for name in ("low", "high", "centres", "reach"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": np.zeros(4)},
        {"high": np.zeros(6)},
        {"low": np.zeros(6), "high": np.zeros(6)},
        {"centres": np.zeros(3)},
        {"reach": np.array("far")},
        {"low": np.array([None] * 5)},
    ],
)
def test_other_files_are_refused(wrong):
    good = of_range(0, 1, np.zeros((2, 3)), 1.0)
    assert Typical.from_bytes(good.to_bytes()).reach == 1
    bad = replace(good, **wrong)
    with pytest.raises(FileError, match="does not say what images are typical"):
        Typical.from_bytes(bad.to_bytes())
    with pytest.raises(FileError, match="does not say what images are typical"):
        Typical.from_bytes(b"something else")


@pytest.mark.parametrize(("count", "sizes"), [(5, {5}), (16, {16}), (40, {13, 14}), (9000, {16})])
def test_a_rehearsal_computes_each_size_of_batch_once(model, count, sizes, monkeypatch):
    images = np.empty((count, 1, 4, 4), np.uint8)
    seen = []
    monkeypatch.setattr(typical, "features_of", lambda _, x, n: seen.append((x.shape, x.dtype, n)))
    for call in typical.rehearsal(model, images, 16):
        call()
    assert sorted(seen) == [((size, 1, 4, 4), np.uint8, 16) for size in sorted(sizes)]
