"""Images on another scale than those of training are read rightly or refused, never wrongly."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid as pl
from commands import Command
from pellucid import explain, ops
from pellucid import layers as nn
from pellucid.cli.compare import _inputs
from pellucid.errors import DataError, FileError
from pellucid.explorer.session import Session
from pellucid.pixel_scale import PixelScale
from pellucid.preprocessing import Preprocessing
from pellucid.types import Array

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 1, 6, 6)).astype(np.uint8)
PIXELS[0, 0, 0, :2] = 0, 255
FRACTIONS: Array = (PIXELS / 255).astype(np.float32)
BINARY = (PIXELS > 127).astype(np.uint8)
IMAGES: dict[str, Array] = {
    "pixels": PIXELS,
    "uint16": PIXELS.astype(np.uint16) * 257,
    "pixels as floats": PIXELS.astype(np.float32),
    "binary": BINARY,
    "binary as floats": BINARY.astype(np.float64),
    "fractions": FRACTIONS,
    "-1 to 1": 2 * FRACTIONS - 1,
    "standardised": (FRACTIONS - 0.5) / 0.28,
    "tiny": 1e-9 * FRACTIONS,
    "dark pixels": PIXELS // 64,
}
LARGE = ["pixels", "uint16", "pixels as floats"]
SMALL = ["fractions", "tiny"]
REFUSED = {
    **dict.fromkeys(LARGE, SMALL),
    **dict.fromkeys(
        ["binary", "binary as floats", "fractions", "-1 to 1", "standardised", "tiny"], LARGE
    ),
}


@pytest.mark.parametrize("trained_on", IMAGES)
@pytest.mark.parametrize("given", IMAGES)
def test_only_images_that_are_certainly_on_another_scale_are_refused(
    trained_on: str, given: str
) -> None:
    fitted = Preprocessing.fit(IMAGES[trained_on])
    if given in REFUSED.get(trained_on, []):
        with pytest.raises(DataError, match="but the model was trained on"):
            fitted.check(IMAGES[given])
    else:
        fitted.check(IMAGES[given])


@pytest.mark.parametrize("images", [PIXELS, FRACTIONS], ids=["pixels", "fractions"])
def test_black_dark_and_bright_images_pass(images: Array) -> None:
    fitted = Preprocessing.fit(images)
    for factor in (0, 0.1, 1.5):
        fitted.check((factor * images).astype(images.dtype))


def test_one_very_bright_pixel_is_no_other_scale() -> None:
    hot = FRACTIONS.copy()
    hot[0, 0, 3, 3] = 1e6
    Preprocessing.fit(FRACTIONS).check(hot)


def test_the_error_says_what_was_given_what_was_trained_on_and_what_to_do() -> None:
    with pytest.raises(DataError) as error:
        Preprocessing.fit(FRACTIONS).check(PIXELS)
    assert str(error.value) == (
        "the images are integers from 0 to 255, but the model was trained on floating-point "
        "numbers from 0 to 1; give it images on the scale of the training images, such as "
        "np.float32(x / 255)"
    )
    with pytest.raises(DataError, match=r"trained on integers from 0 to 255; .* such as x \* 255$"):
        Preprocessing.fit(PIXELS).check(FRACTIONS)


def test_image_files_are_divided_by_255_only_for_training_images_from_0_to_1() -> None:
    picture = PIXELS[0]
    for name, images in IMAGES.items():
        fitted = Preprocessing.fit(images)
        expected = FRACTIONS[0] if name == "fractions" else picture
        np.testing.assert_array_equal(fitted.from_picture(picture), expected)
        np.testing.assert_array_equal(fitted.to_picture(fitted.from_picture(picture)), picture)


def test_a_preprocessing_is_suited_to_pixels_only_where_their_fractions_were_trained_on() -> None:
    dark = np.minimum(PIXELS, 1)
    for name, images in IMAGES.items():
        fitted = Preprocessing.fit(images)
        for given in (FRACTIONS, dark, PIXELS.astype(np.float32)):
            assert fitted.suited_to(given) is fitted
        suited = fitted.suited_to(PIXELS)
        if name != "fractions":
            assert suited is fitted
            continue
        suited.check(PIXELS)
        np.testing.assert_allclose(suited(PIXELS), fitted(FRACTIONS), atol=1e-6)
        with pytest.raises(DataError, match=r"x \* 255"):
            suited.check(FRACTIONS)
    assert replace(Preprocessing.fit(FRACTIONS), trained_on=None).suited_to(PIXELS) is not None


def test_the_scale_is_saved_and_older_descriptions_have_none() -> None:
    fitted = Preprocessing.fit(FRACTIONS)
    assert fitted.trained_on == PixelScale(0.0, 1.0, integers=False)
    described = fitted.describe()
    assert Preprocessing.from_description(described) == fitted
    del described["trained_on"]
    older = Preprocessing.from_description(described)
    assert older.trained_on is None
    older.check(PIXELS)
    several: list[object] = [{}, [], {"low": 1, "high": 0, "integers": True}]
    for damaged in several:
        with pytest.raises(FileError, match="not a preprocessing"):
            Preprocessing.from_description({**described, "trained_on": damaged})


def trained(images: Array) -> nn.Layer:
    """A network trained to tell whether the left half is brighter than the right one."""
    labels = (images[..., :3].sum((1, 2, 3)) > images[..., 3:].sum((1, 2, 3))).astype(int)
    data = pl.data.from_arrays(images, labels, ["right", "left"])
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    pl.fit(model, data, epochs=2, batch_size=10)
    return model


@pytest.mark.parametrize(
    ("images", "others"), [(PIXELS, FRACTIONS), (FRACTIONS, PIXELS)], ids=["pixels", "fractions"]
)
def test_every_reader_of_images_refuses_another_scale(
    images: Array, others: Array, tmp_path: Path
) -> None:
    pl.save(trained(images), tmp_path / "model.safetensors")
    model = pl.load(tmp_path / "model.safetensors")
    pl.predict(model, images)
    data = pl.data.from_arrays(others, np.arange(40) % 2, ["right", "left"])
    for use in (
        lambda: pl.predict(model, others),
        lambda: pl.evaluate(model, data),
        lambda: explain.saliency(model, others[:1]),
        lambda: pl.fit(model, data, epochs=1),
    ):
        with pytest.raises(DataError, match="but the model was trained on"):
            use()


def test_the_estimator_refuses_another_scale_but_partial_fit_may_meet_new_values() -> None:
    from pellucid.estimator import CNNClassifier

    labels = np.arange(40) % 2
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    estimator = CNNClassifier(network, max_iter=1).fit(FRACTIONS, labels)
    with pytest.raises(DataError, match="but the model was trained on"):
        estimator.predict(PIXELS)
    stream = CNNClassifier(network).partial_fit(BINARY, labels, classes=[0, 1])
    stream.partial_fit(PIXELS, labels).predict(PIXELS)


def test_the_explorer_reads_pictures_of_the_page_on_the_scale_of_training() -> None:
    model = trained(FRACTIONS)
    data = pl.data.from_arrays(FRACTIONS, np.arange(40) % 2, ["right", "left"])
    session = Session(model, {"test": data})
    exact = session.answer({"ask": "trace", "part": "test", "index": 3}, [])
    np.testing.assert_array_equal(exact.arrays[0], PIXELS[3])  # what the page draws on
    own = session.answer({"ask": "trace"}, [PIXELS[3]])
    assert own.words["probabilities"] == exact.words["probabilities"]


def test_image_files_get_the_classes_of_the_same_images_in_the_training_data(
    pellucid: Command, tmp_path: Path
) -> None:
    labels = np.arange(40) % 2
    images = FRACTIONS.copy()
    images[labels == 1, :, :, :3] /= 4
    Path("photos").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(np.rint(255 * image[0]).astype(np.uint8)).save(f"photos/{i:02}.png")
    np.savez("small.npz", images=images, labels=labels)
    net = 'layers = [{type = "Flatten"}, {type = "Linear", in_features = 36, out_features = 2}]'
    Path("net.toml").write_text(net)
    choices = ["--model", "net.toml", "--epochs", 3, "--out", "run"]
    assert pellucid("train", "small.npz", *choices)[0] == 0
    status, out, _ = pellucid("predict", "run", "photos", "--csv")
    assert status == 0
    model = pl.load("run")
    assert model.classes is not None
    expected = pl.predict(model, images)
    rows = [line.split(",") for line in out.splitlines()[1:]]
    assert [name for _, name, _ in rows] == [model.classes[i] for i in expected.argmax(axis=1)]
    np.testing.assert_allclose([float(p) for *_, p in rows], expected.max(axis=1), atol=0.01)
    for name, label in zip(sorted(Path("photos").iterdir()), labels, strict=True):
        (Path("by class") / str(label)).mkdir(parents=True, exist_ok=True)
        name.rename(Path("by class") / str(label) / name.name)
    status, out, err = pellucid("evaluate", "run", "by class", "--json")
    assert status == 0, err
    right = (expected.argmax(axis=1) == labels).mean()
    assert json.loads(out)["accuracy"] == pytest.approx(right)
    own, given, classes, _ = _inputs("run", "by class", 40, 0)
    of_fractions = pl.evaluate(pl.load("run"), images, labels).loss
    of_pictures = ops.cross_entropy(own.forward(given)[0], classes)[0]
    assert float(of_pictures) == pytest.approx(of_fractions, rel=0.01)
    assert pellucid("train", "by class", *choices[2:4], "--model", "run", "--out", "more")[0] == 0
    more = pl.load("more").preprocessing
    assert more is not None
    assert more.trained_on == PixelScale(0.0, 255.0, integers=True)
