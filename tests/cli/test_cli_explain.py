"""``pellucid explain``: which pictures it leaves, what it says, what it answers to mistakes."""

import shutil
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
    truth = small_run.DATA.classes[small_run.DATA.labels[0]]
    kinds = ("grad-cam", "methods", "occlusion")
    names = ["feature-maps.png", *(f"{kind}-for-{truth}.png" for kind in kinds)]
    assert pictures("run/explained/row") == names
    assert out.startswith(f"row.png: {truth}, ")
    for name in names:
        assert f"run/explained/row/{name}\n  " in out
    assert "by 7 methods" in out
    assert "Feature maps of 2 convolutions: red where" in out


def test_what_is_asked_for_is_all_there_is(explain: Command) -> None:
    wanted = small_run.DATA.classes[small_run.DATA.labels[0] - 1]
    chosen = ("--method", "grad-cam", "--layer", "relu1", "--class", wanted, "--out", "here")
    status, out, err = explain("run", "row.png", *chosen)
    assert (status, err) == (0, "")
    assert pictures("here") == ["feature-maps-relu1.png", f"grad-cam-at-relu1-for-{wanted}.png"]
    assert f"The pictures look for {wanted}, " in out
    assert "by 1 method, alone and over the image:" in out


def test_another_class_does_not_overwrite_the_pictures(explain: Command) -> None:
    both = ("--method", "saliency", "--method", "grad-cam", "--out", "here")
    for chosen in ("top", "bottom"):
        assert explain("run", "row.png", *both, "--class", chosen)[0] == 0
    found = [name for name in pictures("here") if "feature" not in name]
    kinds = ("grad-cam", "saliency-and-grad-cam")
    assert found == sorted(f"{kind}-for-{s}.png" for kind in kinds for s in ("bottom", "top"))


def test_no_choice_overwrites_the_pictures_of_another(explain: Command) -> None:
    """Images with the same name in two folders, methods and layers have files of their own."""
    for folder in ("a", "b"):
        Path(folder).mkdir()
        shutil.copy("row.png", folder)
    seen: set[Path] = set()
    chosen = ("--method", "grad-cam", "--class", "top")
    for more in (
        ("a/row.png",),
        ("b/row.png",),
        ("a/row.png", "--layer", "relu1"),
        ("a/row.png", "--method", "saliency"),
        ("a/row.png", "--class", "bottom"),
    ):
        assert explain("run", more[0], *chosen, *more[1:])[0] == 0
        made = {path for path in Path("run/explained").rglob("*.png") if "feature" not in path.name}
        assert made > seen, more
        seen = made


def test_several_classes_stand_side_by_side_in_one_picture(explain: Command) -> None:
    chosen = ("--method", "saliency", "--method", "grad-cam", "--out", "here")
    status, out, err = explain("run", "row.png", *chosen, "--class", "top", "--class", "bottom")
    assert (status, err) == (0, "")
    assert pictures("here") == ["saliency-and-grad-cam-for-top-and-bottom.png"]
    assert "What top and bottom depend on in the same image: bright places matter" in out
    with Image.open("here/saliency-and-grad-cam-for-top-and-bottom.png") as two:
        size = two.size
    more = ("--class", "top", "--class", "bottom", "--class", "middle")
    assert explain("run", "row.png", *chosen, *more)[0] == 0
    with Image.open("here/saliency-and-grad-cam-for-top-and-bottom-and-middle.png") as three:
        assert three.width > 1.2 * size[0]  # a column more
        assert three.height == pytest.approx(size[1], rel=0.1)


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
        "Error: run/model.safetensors is a model without a run, so it has no training images for "
        "--filters\n",
    )
