"""``pellucid evaluate`` and ``pellucid predict``: what a finished run says of images."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import small_run
from commands import Command, short
from pellucid import load

pytestmark = pytest.mark.usefixtures("rows")


def test_evaluate_says_what_train_said(pellucid: Command) -> None:
    _, out, _ = pellucid(*short("--out", "run"))
    status, again, _ = pellucid("evaluate", "run")
    assert status == 0
    report, headline = again.rsplit("\n\n", 1)
    assert report in out
    assert out.endswith(headline)


def test_evaluate_takes_other_data_with_classes_in_another_order(
    pellucid: Command, run: Path
) -> None:
    test = small_run.VALIDATION
    other = {"images": test.images, "labels": (test.labels + 1) % 3}
    np.savez("other.npz", **other, classes=np.array(["bottom", "top", "middle"]))
    _, own, _ = pellucid("evaluate", run)
    status, out, _ = pellucid("evaluate", run / "model.safetensors", "other.npz")
    assert status == 0
    assert out.replace("\nother ", "\nTest ") == own


def test_evaluate_shows_the_confusion_and_the_mistakes_when_asked(
    pellucid: Command, run: Path
) -> None:
    _, plain, _ = pellucid("evaluate", run)
    _, out, _ = pellucid("evaluate", run, "--confusion", "--mistakes", "2")
    report, headline = plain.rsplit("\n\n", 1)
    assert out.startswith(report)
    assert out.endswith(headline)
    assert re.search(r"prediction +top +middle +bottom", out)
    assert "probability" in out


def test_predict_names_the_most_probable_classes(pellucid: Command, run: Path) -> None:
    images = [f"{i}.png" for i in range(3)]
    for i, name in enumerate(images):
        Image.fromarray(small_run.DATA.images[i, 0]).save(name)
    status, out, _ = pellucid("predict", run, *images, "--top", "2")
    assert status == 0
    heading, *rows = (line.split() for line in out.splitlines())
    assert heading == ["image", "prediction", "probability", "2nd", "guess", "probability"]
    expected = training_probabilities(run, small_run.DATA.images[:3])
    for name, row, probabilities in zip(images, rows, expected, strict=True):
        first, second = np.argsort(-probabilities)[:2]
        classes = small_run.DATA.classes
        shares = [f"{probabilities[i]:.1%}" for i in (first, second)]
        assert row == [name, classes[first], shares[0], classes[second], shares[1]]


def training_probabilities(run: Path, images: np.ndarray) -> np.ndarray:
    model = load(run / "model.safetensors")
    assert model.preprocessing is not None
    scores = model(model.preprocessing(images)).astype(np.float64)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def test_a_drawn_digit_is_made_as_mnist_is(pellucid: Command) -> None:
    source = np.random.default_rng(0)
    images = source.integers(0, 256, (20, 1, 28, 28)).astype(np.uint8)
    np.savez("digits.npz", images=images, labels=np.arange(20) % 2)
    pellucid("train", "digits.npz", "--model", "mlp", "--epochs", "1", "--out", "run")
    photo = np.full((90, 70, 3), 220, np.uint8)
    photo[20:70, 30:38] = 20
    Image.fromarray(photo).save("one.jpg")
    plain, drawn = (pellucid("predict", "run", "one.jpg", *o) for o in ((), ("--drawn-digit",)))
    assert plain[0] == drawn[0] == 0
    assert plain[1] != drawn[1]
