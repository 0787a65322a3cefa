"""The command: what it leaves behind, what it says, and what it answers to what cannot be done."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import small_run
from pellucid import cli, evaluate, load, training
from pellucid.cli import running
from pellucid.cli.config import Config, Parts

Command = Callable[..., tuple[int, str, str]]

NETWORK = """
layers = [
  { type = "Conv2d", out_channels = 4, kernel_size = 3 },
  { type = "BatchNorm2d" },
  { type = "ReLU" },
  { type = "Flatten" },
  { type = "Dropout", p = 0.1 },
  { name = "fc", type = "Linear", out_features = "classes" },
]
"""


@pytest.fixture
def pellucid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run the command in an empty folder; return its exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PELLUCID_DEBUG", raising=False)
    save_rows(Path("rows.npz"))
    Path("net.toml").write_text(NETWORK)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            cli.main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        said = shown.err.splitlines(keepends=True)
        heard = "".join(line for line in said if "compiling for this machine" not in line)
        return int(exit_.value.code or 0), shown.out, heard

    return run


def save_rows(path: Path) -> None:
    train, test = small_run.DATA, small_run.VALIDATION
    arrays = {"x_train": train.images, "y_train": train.labels}
    arrays |= {"x_test": test.images, "y_test": test.labels, "classes": np.array(train.classes)}
    np.savez(path, **arrays)


def short(*more: str) -> tuple[str, ...]:
    """Return a training that takes no time."""
    options = ("--model", "net.toml", "--epochs", "3", "--batch-size", "8", "--no-report")
    return ("train", "rows.npz", *options, *more)


# train


def test_a_run_leaves_the_model_the_history_the_choices_and_the_checkpoint(
    pellucid: Command,
) -> None:
    status, out, err = pellucid(*short())
    assert (status, err) == (0, "")
    run = Path("runs/rows-net-1")
    assert sorted(path.name for path in run.iterdir()) == [
        *("checkpoint", "config.json", "gradients.csv", "history.csv", "model.safetensors"),
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


def test_the_same_seed_gives_the_same_file_and_another_seed_another(pellucid: Command) -> None:
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        pellucid(*short("--out", out, "--seed", seed, "--augment", "crop:1"))
    a, b, c = (Path(out, "model.safetensors").read_bytes() for out in "abc")
    assert a == b
    assert a != c


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
    assert "Validation (there is no test part) accuracy" in out
    status, out, _ = pellucid("train", "one.npz", *short("--validation", "0")[2:])
    assert status == 0
    assert "accuracy 0" not in out


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


# resume


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Press Ctrl-C in the middle of the second epoch, once."""
    show, presses = training.show_progress, iter([True])

    def press(records: Iterator[training.Record], **wanted: bool) -> Iterator[training.Record]:
        for n, record in enumerate(show(records, **wanted), start=1):
            if n == 11 and next(presses, False):
                os.kill(os.getpid(), signal.SIGINT)
            yield record

    monkeypatch.setattr(training, "show_progress", press)
    return


@pytest.mark.parametrize("more", [(), ("--ema", "0.9", "--augment", "crop:1", "--patience", "2")])
@pytest.mark.usefixtures("interrupted")
def test_an_interrupted_run_is_resumed_to_the_same_bits(
    pellucid: Command, more: tuple[str, ...]
) -> None:
    status, out, err = pellucid(*short("--out", "cut", *more))
    assert status == 130
    assert err == "Stopped and saved. Resume with: pellucid resume cut\n"
    assert " 1/3 " in out
    assert " 2/3 " not in out
    status, _, err = pellucid("evaluate", "cut")
    assert status == 2
    assert "pellucid resume cut" in err
    status, out, _ = pellucid("resume", "cut", "--no-report")
    assert status == 0
    assert " 1/3 " not in out
    assert "Test accuracy" in out
    assert pellucid(*short("--out", "whole", *more))[0] == 0
    cut, whole = (Path(run, "model.safetensors").read_bytes() for run in ("cut", "whole"))
    assert cut == whole


def test_a_finished_run_that_is_resumed_says_how_it_ended(pellucid: Command) -> None:
    pellucid(*short("--out", "run"))
    before = Path("run/model.safetensors").read_bytes()
    status, out, _ = pellucid("resume", "run", "--no-report")
    assert status == 0
    assert "3 of 3 epochs" in out
    assert "Test accuracy" in out
    assert Path("run/model.safetensors").read_bytes() == before


@pytest.mark.usefixtures("interrupted")
def test_a_run_is_resumed_from_another_folder_and_only_on_its_own_data(
    pellucid: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pellucid(*short("--out", "run"))[0] == 130
    np.savez("rows.npz", images=small_run.DATA.images[::-1], labels=small_run.DATA.labels)
    status, _, err = pellucid("resume", "run")
    assert status == 2
    assert "data" in err
    save_rows(Path("rows.npz"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert pellucid("resume", tmp_path / "run", "--no-report")[0] == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_ends_the_process(
    pellucid: Command, number: signal.Signals, status: int
) -> None:
    arguments = short("--epochs", "100000", "--out", "run")
    process = subprocess.Popen(
        [sys.executable, "-m", "pellucid", *arguments], stderr=subprocess.PIPE, text=True
    )
    for _ in range(1200):
        if Path("run/checkpoint/state.safetensors").exists():
            break
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert err.endswith("Resume with: pellucid resume run\n")


# evaluate and predict


@pytest.fixture
def run(pellucid: Command) -> Path:
    pellucid(*short("--out", "run"))
    return Path("run")


def test_evaluate_says_what_train_said(pellucid: Command) -> None:
    _, out, _ = pellucid(*short("--out", "run"))
    status, again, _ = pellucid("evaluate", "run")
    assert status == 0
    assert again in out


def test_evaluate_takes_other_data_with_classes_in_another_order(
    pellucid: Command, run: Path
) -> None:
    test = small_run.VALIDATION
    other = {"images": test.images, "labels": (test.labels + 1) % 3}
    np.savez("other.npz", **other, classes=np.array(["bottom", "top", "middle"]))
    _, own, _ = pellucid("evaluate", run)
    status, out, _ = pellucid("evaluate", run / "model.safetensors", "other.npz")
    assert status == 0
    assert out.removeprefix("other ") == own.removeprefix("Test ")


def test_evaluate_shows_the_confusion_and_the_mistakes_when_asked(
    pellucid: Command, run: Path
) -> None:
    _, plain, _ = pellucid("evaluate", run)
    _, out, _ = pellucid("evaluate", run, "--confusion", "--mistakes", "2")
    assert out.startswith(plain)
    assert re.search(r"prediction +top +middle +bottom", out)
    assert "probability" in out


def test_predict_names_the_most_probable_classes(pellucid: Command, run: Path) -> None:
    images = [f"{i}.png" for i in range(3)]
    for i, name in enumerate(images):
        Image.fromarray(small_run.DATA.images[i, 0]).save(name)
    status, out, _ = pellucid("predict", run, *images, "--top", "2")
    assert status == 0
    heading, *rows = (line.split() for line in out.splitlines())
    assert heading == ["image", "class", "or"]
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


# What bad input gets


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "mnst"), "did you mean 'mnist'?"),
        (("train", "nowhere/"), "there is no file or folder 'nowhere/'"),
        (("train", "rows.npz", "--model", "resne20"), "did you mean 'resnet20'?"),
        (("train", "rows.npz", "--model", "absent.toml"), "absent.toml: No such file"),
        (("train", "rows.npz", "--model", "lenet5"), "lenet5 needs at least 12×12"),
        (("train", "rows.npz", "--optimizer", "adm"), "did you mean 'adam'?"),
        (("train", "rows.npz", "--schedule", "cosin"), "did you mean 'cosine'?"),
        (("train", "rows.npz", "--augment", "crp"), "did you mean 'crop'?"),
        (("train", "rows.npz", "--engine", "compild"), "did you mean 'compiled'?"),
        (("train", "rows.npz", "--momentum", "0.9"), "adamw takes no momentum"),
        (("train", "rows.npz", "--patience", "2", "--validation", "0"), "--validation"),
        (("train", "rows.npz", "--size", "8"), "'rows.npz' takes no --size"),
        (("train", "rows.npz", "--size", "8by8"), "such as 28x28, not '8by8'"),
        (("train", "rows.npz", "--model", "mlp", "--out", "rows.npz/x"), "Not a directory"),
        (("resume", "nowhere"), "nowhere is no run"),
        (("evaluate", "nowhere"), "there is no run 'nowhere'"),
        (("evaluate", "rows.npz"), "rows.npz"),
        (("predict", "nowhere", "a.png"), "there is no run 'nowhere'"),
        (("summary", "lenet"), "did you mean 'lenet5'?"),
        (("summary", "vgg", "--input", "28x28"), "such as 1x28x28"),
        (("data", "digit"), "did you mean 'digits'?"),
        (("algorithms", "--groups", "5"), "5 groups"),
        (("algorithms", "--padding", "sam"), "'same' or 'valid'"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line_and_leaves_nothing(
    pellucid: Command, arguments: tuple[str, ...], said: str
) -> None:
    before = sorted(Path().rglob("*"))
    status, out, err = pellucid(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert said in err
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluat", "run"),
        ("train",),
        ("train", "rows.npz", "--batch-size", "0"),
        ("train", "rows.npz", "--lr", "fast"),
        ("train", "rows.npz", "--epoch", "3"),
    ],
)
def test_wrong_usage_has_the_same_status(pellucid: Command, arguments: tuple[str, ...]) -> None:
    status, out, err = pellucid(*arguments)
    assert (status, out) == (2, "")
    assert "Usage: pellucid" in err


def test_images_that_cannot_be_read_are_named(pellucid: Command, run: Path) -> None:
    Path("text.png").write_text("no image")
    status, _, err = pellucid("predict", run, "text.png")
    assert (status, "text.png" in err) == (2, True)
    Image.new("L", (6, 6)).save("grey.png")
    status, _, err = pellucid("predict", run, "grey.png", "--drawn-digit")
    assert status == 2


@pytest.mark.parametrize(
    "damage", ["{", '{"epochs": 3}', '{"data": "digits", "unknown": 1}', "[1]", "\ufeff"]
)
def test_a_damaged_config_is_told(pellucid: Command, run: Path, damage: str) -> None:
    (run / "config.json").write_text(damage)
    status, _, err = pellucid("resume", run)
    assert status == 2
    assert "config.json is damaged" in err


def test_a_loss_that_is_no_number_ends_the_run_with_its_place(pellucid: Command) -> None:
    status, _, err = pellucid(*short("--optimizer", "sgd", "--lr", "1e30"))
    assert status == 2
    assert re.search(r"epoch 1, step \d+: the loss is", err)
    assert "--clip-norm" in err


def test_with_pellucid_debug_the_traceback_is_there(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    del pellucid
    monkeypatch.setenv("PELLUCID_DEBUG", "1")
    with pytest.raises(ValueError, match="mnst"):
        cli.main(["train", "mnst"])


@pytest.mark.parametrize(("no_color", "red"), [(None, True), ("1", False)])
def test_errors_are_red_on_a_terminal_that_wants_colour(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch, no_color: str | None, red: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    assert pellucid("data", "digit")[2].startswith("\033[31mError") is red


def test_without_the_extra_the_command_says_what_to_install(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "typer", None)
    for name in [name for name in sys.modules if name.startswith("pellucid.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    status, _, err = pellucid("--help")
    assert status == 2
    assert 'pip install "pellucid[app]"' in err


# summary, data, algorithms


def test_summary_lists_the_networks(pellucid: Command) -> None:
    assert "resnet20" in pellucid("summary")[1].split()


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        (("lenet5",), "244,362"),
        (("resnet20",), "272,474"),
        (("resnet18",), "11,689,512"),
        (("mlp", "--input", "1x2x2", "--classes", "3"), "1,027"),
        (("net.toml", "--data", "rows.npz"), "243"),
    ],
)
def test_summary_counts(pellucid: Command, arguments: tuple[str, ...], parameters: str) -> None:
    status, out, _ = pellucid("summary", *arguments)
    assert status == 0
    assert re.search(rf"Parameters +{parameters} learned", out)


def test_summary_of_a_run_is_of_its_own_images(pellucid: Command, run: Path) -> None:
    assert "for an image of 1×6×6" in pellucid("summary", run)[1]


def test_a_network_shown_as_toml_is_a_model_again(pellucid: Command) -> None:
    _, text, _ = pellucid("summary", "mlp", "--toml", "--data", "rows.npz")
    Path("again.toml").write_text(text)
    assert pellucid(*short("--model", "again.toml"))[0] == 0


def test_data_counts_classes_and_names_what_is_odd(pellucid: Command) -> None:
    Path("table.csv").write_text("label,a,b,c,d\n0,1,2,3,4\n1,1,2,3,4\n1,9,,9,9\n")
    status, out, _ = pellucid("data", "table.csv")
    assert status == 0
    assert re.search(r"^1 +1$", out, re.MULTILINE)
    assert re.search(r"several classes +2$", out, re.MULTILINE)
    assert "row 3" in out


def test_algorithms_compares_costs(pellucid: Command) -> None:
    status, out, _ = pellucid("algorithms", "--shape", "2x32x8x8", "--kernel", "64x3x3")
    assert status == 0
    definition = 2 * 32 * 64 * 8 * 8 * 9
    assert re.search(rf"loops .* {definition:,} ", out)
    assert "winograd" in out
    assert "cannot" not in out
    _, out, _ = pellucid("algorithms", "--stride", "2")
    assert "winograd4 cannot do this" in out


# The process


@pytest.mark.parametrize("on_path", [True, False])
def test_what_to_do_next_is_told_so_that_it_can_be_typed(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch, on_path: bool
) -> None:
    script = Path("bin/pellucid")
    script.parent.mkdir()
    script.write_text("")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", str(script.parent.resolve()) if on_path else "")
    name = "pellucid" if on_path else str(script)
    assert f"\n  {name} evaluate run" in pellucid(*short("--out", "run"))[1]


def test_the_version(pellucid: Command) -> None:
    assert pellucid("--version")[1] == "pellucid 0.1.0\n"


def test_help_needs_none_of_the_large_packages() -> None:
    program = (
        "import sys; import pellucid.cli.app;"
        "print(sorted({'pandas', 'sklearn', 'matplotlib', 'numba', 'PIL'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert found.stdout.split() == [b"[]"]


def test_parts_of_a_run_never_meet(pellucid: Command, run: Path) -> None:
    del pellucid
    parts = Parts.load(Config.load(run))
    assert parts.validation is not None
    assert len(parts.train) + len(parts.validation) == len(small_run.DATA)
    train, validation = (
        {image.tobytes() for image in p.images} for p in (parts.train, parts.validation)
    )
    assert not train & validation
