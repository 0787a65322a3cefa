"""The command: what it answers to what cannot be done, and what it costs to ask."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from commands import Command, short
from pellucid import cli
from pellucid.errors import installing

pytestmark = pytest.mark.usefixtures("rows")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "mnst"), "did you mean 'mnist'?"),
        (("train", "nowhere/"), "there is no file or folder 'nowhere/'"),
        (("train", "rows.npz", "--model", "resne20"), "did you mean 'resnet20'?"),
        (("train", "rows.npz", "--model", "resnet20:wdith=2"), "did you mean 'width'?"),
        (("train", "rows.npz", "--model", "resne20:width=2"), "did you mean 'resnet20'?"),
        (("train", "rows.npz", "--model", "absent.toml"), "absent.toml: No such file"),
        (("train", "rows.npz", "--model", "lenet5"), "lenet5 needs at least 12×12"),
        (("train", "rows.npz", "--optimizer", "adm"), "did you mean 'adam'?"),
        (("train", "rows.npz", "--schedule", "cosin"), "did you mean 'cosine'?"),
        (("train", "rows.npz", "--augment", "crp"), "did you mean 'crop'?"),
        (("train", "rows.npz", "--engine", "compild"), "did you mean 'compiled'?"),
        (("train", "rows.npz", "--momentum", "0.9"), "adamw takes no momentum"),
        (("train", "rows.npz", "--recipe", "fst"), "did you mean 'fast'?"),
        (
            ("train", "rows.npz", "--recipe", "fast"),
            "'fast' is for cifar-10 and mnist, not for rows",
        ),
        (("train", "rows.npz", "--optimizer-options", "eps"), "such as 'nesterov=True, eps=1e-6'"),
        (
            ("train", "rows.npz", "--model", "mlp", "--optimizer-options", "ep=1"),
            "unknown argument of AdamW 'ep'",
        ),
        (("train", "rows.npz", "--model", "mlp", "--whiten"), "whiten needs a model with a Conv2d"),
        (("train", "rows.npz", "--selector", "mpl"), "did you mean 'mlp'?"),
        (("train", "rows.npz", "--keep", "0.5"), "--keep needs --selector"),
        (("train", "rows.npz", "--selector", "mlp", "--shards", "2"), "needs a single process"),
        (("train", "rows.npz", "--selector", "mlp", "--keep", "0"), "a share above 0"),
        (("train", "rows.npz", "--patience", "2", "--validation", "0"), "--validation"),
        (("train", "rows.npz", "--size", "8"), "not (8, 8)"),
        (("train", "rows.npz", "--folders", "nested"), "'rows.npz' takes no --folders"),
        (("train", "rows.npz", "--size", "8by8"), "such as 28x28, not '8by8'"),
        (("train", "rows.npz", "--model", "mlp", "--out", "rows.npz/x"), "Not a directory"),
        (("resume", "nowhere"), "nowhere is not a run"),
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
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert re.search(r"`pellucid( \w+)? -h` shows what there is$", err.strip())


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
    assert installing("app") in err


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
    assert f"\nNext: {name} evaluate run" in pellucid(*short("--out", "run"))[1]


def test_the_version(pellucid: Command) -> None:
    assert pellucid("--version")[1] == "pellucid 0.1.0\n"


def test_help_needs_none_of_the_large_packages() -> None:
    program = (
        "import sys; import pellucid.cli.app;"
        "print(sorted({'pandas', 'sklearn', 'matplotlib', 'numba', 'PIL'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert found.stdout.split() == [b"[]"]
