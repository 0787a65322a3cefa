"""``pellucid explain``: which pictures it leaves, what it says, what it answers to mistakes."""

from functools import partial
from pathlib import Path

import pytest
from PIL import Image

import small_run
from commands import Command
from pellucid import interchange, optim, training
from pellucid.cli.config import Config


@pytest.fixture
def explain(pellucid: Command, rows: None) -> Command:
    """Run ``pellucid explain`` beside a run and an image; return exit status, stdout and stderr."""
    del rows
    train = small_run.DATA
    model = small_run.network()
    adam = optim.Adam(model.parameters(), lr=0.01)
    for _ in training.train(model, train, optimizer=adam, epochs=8, batch_size=8):
        pass
    Path("run").mkdir()
    interchange.safetensors.save(model, "run/model.safetensors")
    Config("rows.npz", "net", 8, 8, "adam", 0.01, "constant", 0.0, "reference").save(Path("run"))
    Image.fromarray(train.images[0, 0]).save("row.png")
    return partial(pellucid, "explain")


def pictures(folder: str) -> list[str]:
    found = sorted(Path(folder).iterdir())
    for path in found:
        with Image.open(path) as image:
            image.verify()
    return [path.name for path in found]


def test_it_leaves_its_pictures_in_the_run_and_says_what_they_show(explain: Command) -> None:
    status, out, err = explain("run", "row.png")
    assert (status, err) == (0, "")
    names = ["feature-maps.png", "grad-cam.png", "methods.png", "occlusion.png"]
    assert pictures("run/explained/row") == names
    truth = small_run.DATA.classes[small_run.DATA.labels[0]]
    assert out.startswith(f"row.png: {truth}, ")
    for name in names:
        assert f"run/explained/row/{name}\n  W" in out
    assert "by 7 methods" in out
    assert "What 2 convolutions make of the image" in out


def test_what_is_asked_for_is_all_there_is(explain: Command) -> None:
    wanted = small_run.DATA.classes[small_run.DATA.labels[0] - 1]
    chosen = ("--method", "grad-cam", "--layer", "relu1", "--class", wanted, "--out", "here")
    status, out, err = explain("run", "row.png", *chosen)
    assert (status, err) == (0, "")
    assert pictures("here") == ["feature-maps-relu1.png", f"methods-for-{wanted}.png"]
    assert f"The pictures look for {wanted}, " in out
    assert "by 1 method:" in out


def test_another_class_does_not_overwrite_the_pictures(explain: Command) -> None:
    both = ("--method", "saliency", "--method", "grad-cam", "--out", "here")
    for chosen in ((), ("--class", "top"), ("--class", "bottom")):
        assert explain("run", "row.png", *both, *chosen)[0] == 0
    found = [name for name in pictures("here") if "feature" not in name]
    suffixes = ("", "-for-bottom", "-for-top")
    assert found == sorted(f"{kind}{s}.png" for kind in ("grad-cam", "methods") for s in suffixes)


def test_several_classes_stand_below_one_another_in_one_picture(explain: Command) -> None:
    chosen = ("--method", "saliency", "--method", "grad-cam", "--out", "here")
    status, out, err = explain("run", "row.png", *chosen, "--class", "top", "--class", "bottom")
    assert (status, err) == (0, "")
    assert pictures("here") == ["methods-for-top-and-bottom.png"]
    assert "What top, bottom depend on in the same image, a row for each." in out
    with Image.open("here/methods-for-top-and-bottom.png") as several:
        high = several.height
    assert explain("run", "row.png", *chosen, "--class", "top")[0] == 0
    with Image.open("here/grad-cam-for-top.png") as one:
        assert high == pytest.approx(one.height, rel=0.3)  # two rows in both


def test_filters_are_shown_by_the_runs_own_images(explain: Command) -> None:
    chosen = ("--method", "saliency", "--filters", "pool1", "--class", "2")
    status, out, err = explain("run", "row.png", *chosen)
    assert (status, err) == (0, "")
    assert "filters-pool1.png" in pictures("run/explained/row")
    assert "What 4 filters of 'pool1' respond to" in out
    assert "the parts of 54 training images" in out
    assert "4 of 4 respond more to the image made for them than to any part." in out


def test_the_filters_of_the_last_layer_are_the_classes(explain: Command) -> None:
    chosen = ("--method", "saliency", "--filters", "fc", "--out", "here")
    status, out, err = explain("run", "row.png", *chosen)
    assert (status, err) == (0, "")
    assert "filters-fc.png" in pictures("here")
    assert "3 of 3 respond more" in out


def test_mistakes_are_answered_in_one_line(explain: Command) -> None:
    for arguments, answer in [
        (("--method", "gradcam"), "unknown method 'gradcam'; did you mean 'grad-cam'?"),
        (
            ("--class", "topp"),
            "unknown class 'topp'; did you mean 'top'? Known: top, middle, bottom",
        ),
        (("--layer", "conv9"), "unknown layer 'conv9'; did you mean 'conv"),
        (("--filters", "conv9"), "unknown layer 'conv9'; did you mean 'conv"),
        (("--method", "grad-cam", "--layer", "fc"), "the layer 'fc' has no maps"),
    ]:
        status, _, err = explain("run", "row.png", *arguments)
        assert status == 2, arguments
        assert err.startswith(f"Error: {answer}"), err
        assert err.count("\n") == 1
    status, _, err = explain("run/model.safetensors", "row.png", "--filters", "conv1")
    assert (status, err) == (
        2,
        "Error: run/model.safetensors is a model and no run, so it has no training images for "
        "--filters\n",
    )
