"""Starting from a trained run, training on, and quick trials."""

import csv
import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

import pellucid as pl
import small_run
from commands import Command, short
from pellucid.cli import trained
from pellucid.cli.config import Config, Parts
from pellucid.cli.new_run import class_weights
from pellucid.data.augment.affine import turned

pytestmark = pytest.mark.usefixtures("rows")


def values(run: Path) -> dict[str, np.ndarray]:
    return pl.load(run).state_dict()


def start_from(run: object, *more: str) -> tuple[str, ...]:
    return ("train", "rows.npz", "--model", str(run), "--epochs", "1", "--no-report", *more)


def other_classes(path: str, classes: tuple[str, ...]) -> None:
    labels = small_run.DATA.labels % len(classes)
    np.savez(path, images=small_run.DATA.images, labels=labels, classes=np.array(classes))


def test_the_weights_of_a_run_are_the_start(pellucid: Command, run: Path) -> None:
    status, out, err = pellucid(*start_from(run, "--lr", "1e-12", "--out", "on"))
    assert (status, err) == (0, "")
    assert "Model" in out
    for name, value in values(run).items():
        if "running" not in name and "batches" not in name:
            np.testing.assert_allclose(values(Path("on"))[name], value, atol=1e-6)
    assert "--model" in Config.load(Path("on")).command()


def test_other_classes_get_a_new_last_layer_and_all_else_stays(
    pellucid: Command, run: Path
) -> None:
    other_classes("pair.npz", ("left", "right"))
    command = ("train", "pair.npz", *start_from(run, "--lr", "1e-12", "--out", "on")[2:])
    status, _, err = pellucid(*command)
    assert status == 0
    assert re.search(r"The last layer is new, for 2 classes; \d+ of \d+ parameters", err)
    before, after = values(run), values(Path("on"))
    assert after["fc.weight"].shape == (2, before["fc.weight"].shape[1])
    np.testing.assert_allclose(after["0.weight"], before["0.weight"], atol=1e-6)
    assert pl.load("on").classes == ("left", "right")


def test_as_many_classes_with_other_names_get_a_new_last_layer_too(
    pellucid: Command, run: Path
) -> None:
    other_classes("three.npz", ("x", "y", "z"))
    pellucid("train", "three.npz", *start_from(run, "--lr", "1e-12", "--out", "on")[2:])
    assert not np.allclose(values(Path("on"))["fc.weight"], values(run)["fc.weight"], atol=1e-3)
    np.testing.assert_allclose(values(Path("on"))["0.weight"], values(run)["0.weight"], atol=1e-6)


def test_frozen_layers_stay_to_the_last_bit(pellucid: Command, run: Path) -> None:
    status, out, _ = pellucid(*start_from(run, "--freeze", "0,1", "--lr", "0.1", "--out", "on"))
    assert status == 0
    assert re.search(r"Model .* parameters, \d+ of them trained", out)
    before, after = values(run), values(Path("on"))
    for name in before:
        if name.startswith("0."):
            np.testing.assert_array_equal(after[name], before[name])
    assert not np.allclose(after["fc.weight"], before["fc.weight"])


def test_a_pattern_that_freezes_nothing_or_all_is_told(pellucid: Command, run: Path) -> None:
    _, _, err = pellucid(*start_from(run, "--freeze", "conv9*"))
    assert "there is no layer 'conv9*'. Those that learn: 0, 1, fc" in err
    assert (
        "freezes all parameters: none is left to train"
        in pellucid(*start_from(run, "--freeze", "*"))[2]
    )


def test_images_of_another_size_are_told(pellucid: Command, run: Path) -> None:
    np.savez("wide.npz", images=np.zeros((9, 1, 9, 9), np.uint8), labels=np.arange(9) % 3)
    status, _, err = pellucid("train", "wide.npz", *start_from(run)[2:])
    assert status == 2
    assert "was trained on images of 1×6×6, and these are 1×9×9" in err


def test_a_finished_run_trains_on_to_more_epochs(pellucid: Command, run: Path) -> None:
    status, out, _ = pellucid("resume", run, "--epochs", "5", "--no-report")
    assert status == 0
    assert "4/5" in out
    assert "5/5" in out
    with (run / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == list("12345")
    assert json.loads((run / "config.json").read_text())["epochs"] == 5
    assert "has done 5 epochs already" in pellucid("resume", run, "--epochs", "2")[2]


def test_a_share_of_the_images_is_a_quick_trial_with_all_classes(pellucid: Command) -> None:
    _, out, _ = pellucid(*short("--fraction", "0.5", "--out", "part"))
    assert "27 training, 3 validation, 20 test" in out
    parts = Parts.load(Config.load(Path("part")))
    assert (parts.train.counts > 0).all()
    assert "--fraction is a share above 0" in pellucid(*short("--fraction", "0"))[2]


def test_balanced_classes_count_alike() -> None:
    config = Config("d", "m", 1, 1, "sgd", 0.1, "constant", 0.0, "reference")
    images = np.zeros((6, 1, 2, 2), np.uint8)
    data = pl.data.DataSet(images, np.array([0, 0, 0, 1, 1, 1]), ("a", "b", "never"))
    uneven = data.subset([0, 1, 2, 3])
    assert class_weights(config, uneven) is None
    balanced = Config(*vars(config).values()).__class__(
        **{**vars(config), "class_weights": "balanced"}
    )
    found = np.array(class_weights(balanced, uneven))
    np.testing.assert_allclose(found[:2], [4 / (2 * 3), 4 / (2 * 1)])  # scikit-learn's formula
    assert found[2] == 0
    assert (found * uneven.counts).sum() == pytest.approx(len(uneven))


def test_class_weights_are_named(pellucid: Command) -> None:
    assert pellucid(*short("--class-weights", "balanced", "--out", "b"))[0] == 0
    assert "unknown kind of class weights 'even'" in pellucid(*short("--class-weights", "even"))[2]


def test_whether_a_batch_can_be_learned_is_told_and_nothing_is_saved(pellucid: Command) -> None:
    before = sorted(Path().iterdir())
    status, out, _ = pellucid(*short("--overfit-batch", "--lr", "0.01"))
    assert status == 0
    assert "It memorises the batch" in out
    status, out, _ = pellucid(*short("--overfit-batch", "--lr", "1e-9"))
    assert status == 1
    assert "It does not memorise the batch" in out
    assert sorted(Path().iterdir()) == before


def test_predictions_are_averaged_over_views(pellucid: Command) -> None:
    pellucid(*short("--augment", "crop:1", "--out", "shifted"))
    told = json.loads(pellucid("evaluate", "shifted", "--tta", "--json")[1])
    model, test = pl.load("shifted"), small_run.VALIDATION
    bordered = np.pad(test.images, ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")
    moved = [bordered[..., 2:, 2:], bordered[..., :-2, :-2]]
    own, *others = (np.log(pl.predict(model, x)) for x in (test.images, *moved))
    mean = np.exp((own + np.mean(others, axis=0)) / 2)
    mean /= mean.sum(axis=1, keepdims=True)
    assert told["accuracy"] == pytest.approx((mean.argmax(axis=1) == test.labels).mean())
    chosen = mean[np.arange(len(test.labels)), test.labels]
    assert told["loss"] == pytest.approx(-np.log(chosen).mean(), rel=1e-4)


def test_views_are_changes_that_the_network_can_be_expected_to_ignore(
    pellucid: Command, run: Path
) -> None:
    """In an image of 6×6, a shift by a pixel changes much, unless the network has learned it."""
    plain = pellucid("evaluate", run, "--json")[1]
    status, out, err = pellucid("evaluate", run, "--tta", "--json")
    assert (status, out) == (0, plain)
    assert err.startswith("--tta changes nothing here: in images of 6×6")
    config = Config.load(run)
    for augment, shape, views, flip in (
        ("none", (1, 6, 6), 0, False),
        ("none", (1, 28, 28), 2, False),
        ("flip,scale:0.1", (3, 8, 8), 0, True),
        ("flip,rotate:5", (3, 8, 8), 2, True),
        ("affine:10:0.1:5:0.1", (1, 28, 28), 4, False),
        ("crop:1,flip", (3, 8, 8), 2, True),
        ("translate:0.1", (3, 8, 8), 2, False),
    ):
        dataclasses.replace(config, augment=augment).save(run)
        found = trained.views(run, shape)
        assert (len(found["views"]), found["flip"]) == (views, flip), augment


def test_views_are_turned_half_as_far_as_in_training(run: Path) -> None:
    dataclasses.replace(Config.load(run), augment="rotate:20").save(run)
    image = np.eye(9)[None, None, ::3]
    for view, degrees in zip(trained.views(run, (1, 9, 9))["views"], (-10, 10), strict=True):
        assert np.array_equal(view(image), turned(degrees)(image))
