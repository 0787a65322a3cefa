"""``pellucid train``: what a run leaves behind, and that every choice reaches it."""

import csv
import dataclasses
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import small_run
from commands import Command, short
from pellucid import evaluate, initializers, layers, load, optim, training
from pellucid.cli import reading, running
from pellucid.cli.config import Config, Parts
from pellucid.cli.recipes import NAMED
from pellucid.data import Splits, from_arrays
from pellucid.preprocessing import Preprocessing

pytestmark = pytest.mark.usefixtures("rows")


def test_a_run_leaves_the_model_the_history_the_choices_and_the_checkpoint(
    pellucid: Command,
) -> None:
    status, out, err = pellucid(*short())
    assert (status, err) == (0, "")
    run = Path("runs/rows-net-1")
    assert sorted(path.name for path in run.iterdir()) == [
        *("checkpoint", "config.json", "evaluation.json", "gradients.csv", "history.csv"),
        *("model.safetensors", "typical.npz"),
    ]
    with (run / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    assert json.loads((run / "config.json").read_text())["epochs"] == 3
    assert load(run / "model.safetensors").classes == ("top", "middle", "bottom")
    assert "54 training, 6 validation, 20 test" in out
    assert re.search(r"Test accuracy \d+\.\d\d %", out)
    assert re.search(r"class +precision +recall +f1 +support", out)
    assert str(run) in out


def test_what_is_printed_fits_80_columns_and_holds_no_colours_in_a_file(pellucid: Command) -> None:
    _, out, _ = pellucid(*short())
    assert max(map(len, out.splitlines())) <= 80
    assert "\033" not in out


def test_the_next_run_takes_the_next_free_name(pellucid: Command) -> None:
    Path("runs/rows-net-4").mkdir(parents=True)
    pellucid(*short("--epochs", "1"))
    assert Path("runs/rows-net-5/model.safetensors").exists()


def test_a_folder_that_is_there_is_replaced_only_by_force(pellucid: Command) -> None:
    assert pellucid(*short("--out", "mine"))[0] == 0
    Path("mine/notes.txt").write_text("mine")
    before = Path("mine/model.safetensors").read_bytes()
    status, _, err = pellucid(*short("--out", "mine", "--seed", "1"))
    assert (status, "--force" in err) == (2, True)
    assert Path("mine/model.safetensors").read_bytes() == before
    assert pellucid(*short("--out", "mine", "--seed", "1", "--force"))[0] == 0
    assert Path("mine/model.safetensors").read_bytes() != before
    assert Path("mine/notes.txt").read_text() == "mine"


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("config", [None, "{}", '{"name": "my package"}', "[1]"])
def test_force_touches_no_folder_that_is_no_run(pellucid: Command, config: str | None) -> None:
    Path("thesis/figures").mkdir(parents=True)
    Path("thesis/figures/plot.png").write_text("precious")
    Path("thesis/report.html").write_text("mine")
    if config is not None:
        Path("thesis/config.json").write_text(config)
    before = everything_in(Path("thesis"))
    status, _, err = pellucid(*short("--out", "thesis", "--force"))
    assert status == 2
    assert err.count("\n") == 1
    assert "thesis" in err
    assert everything_in(Path("thesis")) == before
    assert [path.name for path in Path().iterdir() if "thesis" in path.name] == ["thesis"]


def test_a_run_that_cannot_begin_replaces_nothing(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    pellucid(*short("--out", "mine"))
    before = everything_in(Path("mine"))
    Path("wide.toml").write_text(
        'layers = [{ type = "Flatten" }, { type = "Linear", out_features = 7 }]'
    )
    again = short("--out", "mine", "--force", "--model", "wide.toml")
    assert pellucid(*again)[0] == 2
    assert everything_in(Path("mine")) == before

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training, "save_checkpoint", full)
    assert pellucid(*short("--out", "mine", "--force"))[0] == 2
    assert everything_in(Path("mine")) == before
    assert sorted(path.name for path in Path().iterdir()) == [
        *("mine", "net.toml", "rows.npz", "wide.toml"),
    ]


def test_a_run_is_replaced_as_a_whole(pellucid: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the old run nothing is left even when the new one has only begun."""
    pellucid(*short("--out", "mine"))
    Path("mine/figures").mkdir()
    monkeypatch.setattr(running, "carry_on", lambda *given, **wanted: None)
    assert pellucid(*short("--out", "mine", "--force", "--seed", "9"))[0] == 0
    assert sorted(path.name for path in Path("mine").iterdir()) == ["checkpoint", "config.json"]
    assert json.loads(Path("mine/config.json").read_text())["seed"] == 9


def test_the_same_seed_gives_the_same_file_and_another_seed_another(pellucid: Command) -> None:
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        pellucid(*short("--out", out, "--seed", seed, "--augment", "crop:1"))
    a, b, c = (Path(out, "model.safetensors").read_bytes() for out in "abc")
    assert a == b
    assert a != c


def test_the_seed_decides_how_the_weights_begin(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[training.TrainingState] = []
    monkeypatch.setattr(running, "carry_on", lambda *given, **wanted: seen.append(given[3]))
    for seed in (0, 7):
        pellucid(*short("--seed", str(seed)))
        begun = seen.pop().model
        expected = layers.initialize(layers.build(begun.describe()), seed)
        assert small_run.equal(begun.state_dict(), expected.state_dict())


def test_every_choice_reaches_the_run(pellucid: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[training.TrainingState] = []
    monkeypatch.setattr(running, "carry_on", lambda *given, **wanted: seen.append(given[3]))
    choices = ("--optimizer", "SGD", "--lr", "0.5", "--momentum", "0.8", "--weight-decay", "0.01")
    choices += ("--schedule", "warmup:0.1,cosine", "--label-smoothing", "0.2", "--clip-norm", "3")
    choices += ("--augment", "crop:1,flip", "--ema", "0.9", "--seed", "7", "--validation", "0.2")
    pellucid(*short(*choices))
    (state,) = seen
    assert state.optimizer.describe() == {
        "type": "SGD",
        "lr": 0.5,
        "momentum": 0.8,
        "weight_decay": 0.01,
        "clip_norm": 3.0,
        "decay_kinds": ("weight",),
    }
    assert state.schedule.describe()["then"] == {"type": "Cosine"}
    assert state.loss.describe() == {"type": "CrossEntropy", "label_smoothing": 0.2}
    assert state.augment is not None
    assert len(state.augment.describe()["parts"]) == 2
    assert state.averages is not None
    assert (state.averages.decay, state.seed, state.batch_size, state.epochs) == (0.9, 7, 8, 3)


def test_the_weights_that_did_best_in_validation_are_kept(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.training.loop.better", lambda epoch, than: epoch.epoch == 2)
    _, out, _ = pellucid(*short("--out", "run"))
    assert "The weights of epoch 2 are kept" in out
    parts = Parts.load(Config.load(Path("run")))
    assert parts.validation is not None
    kept = evaluate(load("run/model.safetensors"), parts.validation).loss
    with Path("run/history.csv").open() as file:
        losses = [float(row["validation_loss"]) for row in csv.DictReader(file)]
    assert [kept == pytest.approx(loss, rel=1e-4) for loss in losses] == [False, True, False]


def test_patience_ends_a_run_early(pellucid: Command) -> None:
    options = ("--model", "mlp", "--epochs", "50", "--lr", "1e-20", "--patience", "2")
    status, out, _ = pellucid(*short(*options))
    assert status == 0
    assert " 3/50 " in out
    assert " 4/50 " not in out


def test_without_a_test_part_the_validation_part_judges(pellucid: Command) -> None:
    np.savez("one.npz", images=small_run.DATA.images, labels=small_run.DATA.labels)
    _, out, _ = pellucid("train", "one.npz", *short()[2:])
    assert "Validation (without a test part) accuracy" in out
    status, out, _ = pellucid("train", "one.npz", *short("--validation", "0")[2:])
    assert status == 0
    assert "accuracy 0" not in out


def test_the_test_images_are_left_alone_while_choices_are_tried(pellucid: Command) -> None:
    status, out, _ = pellucid(*short("--no-test", "--augment", "flip", "--tta", "--out", "run"))
    assert status == 0
    assert "54 training, 6 validation\n" in out
    assert "Validation (without a test part) accuracy" in out
    config = Config.load(Path("run"))
    assert "--no-test" in config.command()
    parts = Parts.load(config)
    assert parts.test is None
    judged = json.loads(Path("run/evaluation.json").read_text())
    assert parts.validation is not None
    expected = evaluate(load("run"), parts.validation, flip=True)
    assert judged["loss"] == pytest.approx(expected.loss)


def test_a_table_is_data(pellucid: Command) -> None:
    rows = [
        [name, *pixels.ravel()]
        for name, pixels in zip(
            np.array(small_run.DATA.classes)[small_run.DATA.labels],
            small_run.DATA.images,
            strict=True,
        )
    ]
    rows[7][3] = ""
    with Path("table.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    options = short("--epochs", "1")[2:]
    status, _, err = pellucid("train", "table.csv", *options)
    assert status == 2
    assert "row 8" in err
    assert "--skip-bad" in err
    assert not Path("runs").exists()
    status, out, err = pellucid("train", "table.csv", "--skip-bad", *options)
    assert status == 0
    assert "row 8" in err
    assert "53 training, 6 validation" in out


def test_a_folder_of_large_photos_is_brought_to_a_modest_size(pellucid: Command) -> None:
    source = np.random.default_rng(0)
    for name in ("cat", "dog"):
        Path("photos", name).mkdir(parents=True)
        for i in range(6):
            pixels = source.integers(0, 256, (150, 160, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(Path("photos", name, f"{i}.png"))
    options = ("--model", "mlp", "--epochs", "1", "--batch-size", "4", "--no-report")
    _, out, err = pellucid("train", "photos", *options)
    assert "photos, 3×64×64: " in out
    assert "--size" in err
    _, out, err = pellucid("train", "photos", *options, "--size", "8x9", "--channels", "1")
    assert "photos, 1×8×9: " in out
    assert not err


def test_parts_of_a_run_never_meet(pellucid: Command, run: Path) -> None:
    del pellucid
    parts = Parts.load(Config.load(run))
    assert parts.validation is not None
    assert len(parts.train) + len(parts.validation) == len(small_run.DATA)
    train, validation = (
        {image.tobytes() for image in p.images} for p in (parts.train, parts.validation)
    )
    assert not train & validation


def test_data_of_one_class_are_refused_before_training(pellucid: Command, tmp_path: Path) -> None:
    Path("one.csv").write_text("label,a,b,c,d\n7,1,2,3,4\n7,5,6,7,8\n")
    status, out, err = pellucid("train", "one.csv", "--epochs", "1")
    assert (status, out) == (2, "")
    assert "one.csv have one class, '7'" in err
    assert "--label names the column of the class" in err
    assert not Path("runs").exists()


def test_how_data_were_read_is_said_in_one_line_and_kept_with_the_run(pellucid: Command) -> None:
    Path("a.csv").write_text("id;a;b;c;d;kind\n" + "9;1;2;3;4;cat\n9;5;6;7;8;dog\n" * 10)
    asked = pellucid("train", "a.csv", "--epochs", "1", "--model", "mlp")
    assert asked[0] == 2
    assert "the class seems to be in 'kind'; give label= (--label)" in asked[2]
    chosen = ("--label", "kind", "--ignore", "id", "--separator", ";", "--no-report")
    status, out, err = pellucid("train", "a.csv", "--epochs", "1", "--model", "mlp", *chosen)
    assert status == 0, err
    assert "1×2×2" in out
    config = json.loads(Path("runs/a-mlp-1/config.json").read_text())
    assert config["reading"] == {"label": "kind", "ignore": ["id"], "separator": ";"}


def test_a_validation_part_of_the_data_is_used(pellucid: Command) -> None:
    lines = "train,0,9\ntrain,1,8\nval,0,7\ntest,1,6\n" * 5
    Path("parts.csv").write_text(f"split,label,a\n{lines}")
    status, out, err = pellucid("train", "parts.csv", "--epochs", "1", "--model", "mlp")
    assert status == 0, err
    assert "10 training, 5 validation, 5 test" in out


def test_images_that_stay_on_the_disk_give_the_same_model(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PELLUCID_HOME", "home")
    random = np.random.default_rng(0)
    for i in range(24):
        path = Path(f"photos/{'ab'[i % 2]}/{i}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(path)
    ways = {"memory": (), "disk": ("--memory", "1kB"), "decoded": ("--memory", "1kB", "--cache")}
    models = set()
    for name, options in ways.items():
        short_run = ("--epochs", "2", "--model", "mlp", "--batch-size", "5", "--augment", "flip")
        status, _, err = pellucid("train", "photos", *short_run, "--out", name, *options)
        assert status == 0, err
        models.add(Path(f"{name}/model.safetensors").read_bytes())
        assert (Path(name) / "report.html").exists()
        assert pellucid("evaluate", name)[0] == 0
    assert len(models) == 1
    assert len(list(Path("home/decoded").iterdir())) == 1


def begun(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[Config, training.TrainingState]:
    """Return the choices and the state of a run as it begins."""
    seen: list[tuple[Config, training.TrainingState]] = []
    monkeypatch.setattr(running, "carry_on", lambda *given, **_: seen.append((given[1], given[3])))
    status, _, err = pellucid("train", *words)
    assert (status, err) == (0, "")
    return seen.pop()


def test_options_of_the_optimiser_are_written_as_in_python(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "unit_filters=True, adam_betas=(0.8, 0.9), lr_factors={'bias': 4, 'fc.*': 0.5}"
    words = ("rows.npz", "--model", "net.toml", "--optimizer", "muon", "--optimizer-options", text)
    _, state = begun(pellucid, monkeypatch, *words)
    assert isinstance(state.optimizer, optim.Muon)
    assert state.optimizer.unit_filters
    assert state.optimizer.adam_betas == (0.8, 0.9)
    assert state.optimizer.lr_factors == (("bias", 4), ("fc.*", 0.5))


def test_a_whitened_convolution_does_not_learn(pellucid: Command) -> None:
    Path("net.toml").write_text(
        'layers = [{type = "Conv2d", out_channels = 8, kernel_size = 2}, {type = "ReLU"}, '
        '{type = "Flatten"}, {type = "Linear", out_features = "classes"}]'
    )
    assert pellucid(*short("--whiten", "--out", "run"))[::2] == (0, "")
    config = Config.load(Path("run"))
    train = Parts.load(config).train
    weight = load("run").state_dict()["0.weight"]
    whitened = initializers.whitening(Preprocessing.fit(train.images)(train.images), (2, 2))
    np.testing.assert_allclose(weight, whitened, rtol=1e-4, atol=1e-5)
    assert "--whiten" in config.command()


def test_a_selector_is_announced_and_does_not_judge_whether_a_batch_can_be_memorised(
    pellucid: Command,
) -> None:
    _, out, _ = pellucid(*short("--selector", "mlp", "--keep", "0.25"))
    assert re.search(r"^Selector  mlp, [\d,]+ parameters, keeps 25% of each batch$", out, re.M)
    words = ("train", "rows.npz", "--model", "net.toml", "--overfit-batch", "--lr", "0.01")
    assert pellucid(*words, "--selector", "mlp") == pellucid(*words)


def test_a_selector_learns_like_the_network_and_keeps_half_unless_told(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("rows.npz", "--model", "net.toml", "--lr", "0.03", "--selector", "mlp")
    config, state = begun(pellucid, monkeypatch, *words)
    assert state.selection is not None
    assert state.selection.keep == 0.5
    assert state.selection.optimizer.describe() == state.optimizer.describe()
    assert {type(layer) for _, layer in state.selection.selector.walk()} >= {layers.Linear}
    assert "--selector mlp" in config.command()
    _, state = begun(pellucid, monkeypatch, *words, "--keep", "0.25")
    assert state.selection is not None
    assert state.selection.keep == 0.25


def test_test_time_augmentation_judges_the_run(pellucid: Command) -> None:
    augmented = short("--augment", "flip", "--out", "run")
    pellucid(*augmented, "--tta")
    with_views = json.loads(Path("run/evaluation.json").read_text())
    expected = evaluate(load("run"), Parts.load(Config.load(Path("run"))).test, flip=True)
    assert with_views["loss"] == pytest.approx(expected.loss)
    pellucid(*augmented, "--force")
    assert json.loads(Path("run/evaluation.json").read_text())["loss"] != with_views["loss"]


@pytest.mark.parametrize("recipe", [(name, data) for name in NAMED for data in NAMED[name]])
def test_a_recipe_is_a_set_of_options(
    recipe: tuple[str, str], pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spelled out as options, it is the same run; what is given besides counts more."""
    name, data = recipe
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 32, 32), np.uint8)
    if "mnist" in data:
        images = images[:, :1, :28, :28]
    labels, classes = np.arange(40) % 10, [str(n) for n in range(10)]
    part = from_arrays(images, labels, classes=classes, name=data)
    monkeypatch.setattr(reading, "load_data", lambda *_: Splits(part, part))
    config, state = begun(pellucid, monkeypatch, data, "--recipe", name, "--seed", "3")
    assert config.model == NAMED[name][data].model
    words = shlex.split(config.command())[2:]
    assert "--recipe" not in words
    spelled, same = begun(pellucid, monkeypatch, *words)
    alike = {"environment": {}, "augment": config.augment or "none"}
    assert dataclasses.replace(spelled, **alike) == dataclasses.replace(config, **alike)
    assert spelled.augment == config.augment or (spelled.augment, config.augment) == ("none", None)
    assert same.optimizer.describe() == state.optimizer.describe()
    other = ("--recipe", name, "--optimizer", "sgd", "--epochs", "2")
    config, state = begun(pellucid, monkeypatch, data, *other)
    assert (config.epochs, config.lr, config.optimizer_options) == (2, 0.05, None)
    assert isinstance(state.optimizer, optim.SGD)
