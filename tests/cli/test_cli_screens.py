"""What a user sees on a terminal: nothing cut, words whole, any encoding, completion in shells."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

from commands import NETWORK, Command, save_rows, short

if find_spec("pyte") is None or not hasattr(os, "fork"):
    pytest.skip("needs pyte, and a system with terminals", allow_module_level=True)

import pellucid as pl
from pellucid.cli.app import app
from screens import Screen, after_tab, bash, command

SIZES = [(24, 80), (40, 120)]
COMMANDS = [name for c in app.registered_commands if (name := c.callback.__name__) != "_"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_rows(Path("rows.npz"))
    Path("net.toml").write_text(NETWORK)
    return tmp_path


@pytest.mark.parametrize(("lines", "columns"), SIZES)
def test_the_test_accuracy_is_the_last_thing_on_the_screen(folder, lines, columns) -> None:
    screen = Screen(command(*short("--out", "run")), lines, columns)
    assert screen.status == 0
    written = [line for line in screen.last if line]
    assert written[-1].startswith("Test accuracy ")
    assert any("model.safetensors" in line for line in written)
    assert "validation loss" in screen.text


def test_whoever_waits_for_the_report_is_told_and_the_line_goes_away(folder) -> None:
    screen = Screen(command(*short("--out", "run", "--report")), 40, 80)
    assert "Making the report …" in screen.raw.decode()
    assert "Making the report" not in screen.text


@pytest.mark.parametrize(("lines", "columns"), SIZES)
@pytest.mark.parametrize("model", ["resnet20", "mobilenet_v2", "densenet"])
def test_names_that_other_commands_take_are_never_cut(lines, columns, model) -> None:
    screen = Screen(command("summary", model, "--input", "3x32x32"), lines, columns)
    assert screen.status == 0
    assert "…" not in screen.text
    heads = {line.split()[0] for line in screen.lines if line.split()}
    shape = (3, 32, 32)
    for row in pl.summary(pl.models.build(model, shape, 10), shape).rows:
        assert row.path.rpartition(".")[2] in heads


@pytest.mark.parametrize(("lines", "columns"), SIZES)
@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_no_types_of_flags_and_cuts_nothing(lines, columns, name) -> None:
    screen = Screen(command(name.replace("_", "-"), "--help"), lines, columns)
    assert screen.status == 0
    assert "<bool>" not in screen.text
    assert "<str>" not in screen.text
    assert "…" not in screen.text.replace(",…", "").replace("…|", "").replace(";…", "").replace(
        "RUN…", ""
    ).replace("csv…", "")


def test_words_of_help_wrap_whole() -> None:
    wide = Screen(command("train", "--help"), 40, 240).text.split()
    narrow = Screen(command("train", "--help"), 24, 80).text.split()
    lost = {word for word in narrow if word not in wide and not set(word) <= set("─╭╮╰╯│")}
    assert not lost


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "utf-8"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--help"),
        ("algorithms",),
        ("summary", "resnet20"),
        ("data", "digits"),
        ("train", "imaginary"),
        ("draw",),
        ("learn",),
    ],
)
def test_every_encoding_of_a_terminal_will_do(folder, encoding, arguments) -> None:
    screen = Screen(command(*arguments), 24, 80, PYTHONIOENCODING=encoding, LANG="C")
    assert "UnicodeEncodeError" not in screen.text
    assert "Traceback" not in screen.text
    assert screen.status == (2 if "imaginary" in arguments else 0)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_run_and_its_predictions_are_told_in_every_encoding(folder, encoding) -> None:
    screen = Screen(command(*short("--out", "run")), 24, 80, PYTHONIOENCODING=encoding, LANG="C")
    assert screen.status == 0, screen.text
    assert "Test accuracy" in screen.text
    told = Screen(command("evaluate", "run"), 24, 80, PYTHONIOENCODING=encoding, LANG="C")
    assert told.status == 0


def complete(folder: Path, words: str) -> list[str]:
    """Return what bash offers after `words` and the Tab key."""
    script = f"""
    eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 pellucid --show-completion bash)"
    COMP_WORDS=({words}); [[ "{words}" == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_LINE="{words}"; COMP_POINT=${{#COMP_LINE}}
    _pellucid_completion pellucid
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return bash(script, folder).split()


@pytest.mark.skipif(
    not (Path(sys.executable).parent / "pellucid").exists(), reason="needs the command installed"
)
def test_bash_completes_commands_data_sets_models_runs_and_layers(
    pellucid: Command, folder: Path
) -> None:
    pellucid(*short("--out", "runs/first"))
    assert "train" in complete(folder, "pellucid tr")
    assert complete(folder, "pellucid train cifar") == ["cifar-10", "cifar-100"]
    assert {"resnet18", "resnet20"} <= set(complete(folder, "pellucid train digits --model resn"))
    assert complete(folder, "pellucid evaluate runs/f") == ["runs/first"]
    assert complete(folder, "pellucid evaluate ") == ["runs/first"]
    layers = complete(folder, "pellucid explain runs/first photo.png --layer ")
    assert {"0", "1", "fc"} <= set(layers)
    assert "--epochs" in complete(folder, "pellucid train digits --ep")


def install(shell: str, home: Path) -> None:
    """Install completion for a shell of a user with this home folder."""
    environment = {**os.environ, "HOME": str(home)}
    environment["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"
    run = subprocess.run(
        command("--install-completion", shell),
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert f"{shell} completion installed" in run.stdout


@pytest.mark.skipif(which("zsh") is None, reason="needs zsh")
def test_zsh_completes_at_the_first_tab(pellucid: Command, folder: Path) -> None:
    pellucid(*short("--out", "runs/first"))
    install("zsh", folder)
    assert "pellucid train cifar-10" in after_tab("zsh", "pellucid train cifar", folder)
    assert "pellucid evaluate runs/first" in after_tab("zsh", "pellucid evaluate runs/f", folder)
    assert " fc" in after_tab("zsh", "pellucid explain runs/first a.png --layer ", folder)


@pytest.mark.skipif(which("fish") is None, reason="needs fish")
def test_fish_completes_commands_data_sets_runs_and_layers(pellucid: Command, folder: Path) -> None:
    pellucid(*short("--out", "runs/first"))
    install("fish", folder)

    def offered(words: str) -> list[str]:
        environment = {**os.environ, "HOME": str(folder)}
        environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        arguments = ["fish", "-c", f"complete -C '{words}'"]
        run = subprocess.run(
            arguments, env=environment, cwd=folder, capture_output=True, text=True, check=True
        )
        return [line.partition("\t")[0] for line in run.stdout.splitlines()]

    assert offered("pellucid tr") == ["train"]
    assert offered("pellucid train cifar") == ["cifar-10", "cifar-100"]
    assert offered("pellucid evaluate runs/f") == ["runs/first"]
    assert {"0", "1", "fc"} <= set(offered("pellucid explain runs/first a.png --layer "))


def test_completion_is_installed_for_bash(tmp_path: Path) -> None:
    install("bash", tmp_path)
    (script,) = tmp_path.rglob("pellucid.sh")
    assert "_pellucid_completion" in script.read_text()
    assert str(script) in (tmp_path / ".bashrc").read_text()
