"""Training ends with a report, which can be made anew, and which never costs a run."""

import dataclasses
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

import small_run
from commands import Command
from pellucid.cli import running
from pellucid.cli.config import Config
from pellucid.training import read_gradients, read_history

TRAIN = ("train", "rows.npz", "--model", "net.toml", "--epochs", "2", "--batch-size", "8")

pytestmark = pytest.mark.usefixtures("rows")


def test_training_ends_with_a_report_that_can_be_made_anew(pellucid: Command) -> None:
    status, out, err = pellucid(*TRAIN, "--out", "run")
    assert (status, err) == (0, "")
    assert "report.html" in out
    assert max(map(len, out.splitlines())) <= 80
    page, figures = Path("run/report.html"), Path("run/figures")
    text, files = page.read_text(encoding="utf-8"), sorted(figures.iterdir())
    assert "net on rows" in text
    assert "gradient-flow.svg" in {file.name for file in files}
    assert shlex.split(Config.load(Path("run")).command())[:2] == ["pellucid", "train"]
    page.unlink()
    status, out, err = pellucid("report", "run")
    assert (status, err) == (0, "")
    assert "run/report.html" in out
    assert page.read_text(encoding="utf-8") == text
    assert sorted(figures.iterdir()) == files


def test_no_report_is_made_where_none_is_wanted(pellucid: Command) -> None:
    status, out, _ = pellucid(*TRAIN, "--out", "run", "--no-report")
    assert status == 0
    assert "report" not in out
    assert not Path("run/report.html").exists()


def test_a_report_that_fails_costs_nothing_else(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("out of ink")

    monkeypatch.setattr("pellucid.cli.reporting.write", fail)
    status, out, err = pellucid(*TRAIN, "--out", "run")
    assert status == 0
    assert "out of ink" in err
    assert "pellucid report run" in err
    assert "Test accuracy" in out
    assert "model.safetensors" in out
    assert "report.html" not in out
    assert Path("run/model.safetensors").exists()


def test_a_run_without_validation_and_test_has_a_report(pellucid: Command) -> None:
    np.savez("one.npz", images=small_run.DATA.images, labels=small_run.DATA.labels)
    status, _, err = pellucid("train", "one.npz", *TRAIN[2:], "--validation", "0", "--out", "run")
    assert (status, err) == (0, "")
    assert "It was not evaluated" in Path("run/report.html").read_text(encoding="utf-8")
    assert pellucid("report", "run")[0] == 0


def test_a_network_without_convolutions_has_a_report(pellucid: Command) -> None:
    status, _, err = pellucid(*TRAIN, "--model", "mlp", "--out", "run")
    assert (status, err) == (0, "")
    assert 'id="filters"' not in Path("run/report.html").read_text(encoding="utf-8")


def test_an_unfinished_run_has_no_report_yet(pellucid: Command) -> None:
    pellucid(*TRAIN, "--out", "run", "--no-report")
    Path("run/model.safetensors").unlink()
    status, _, err = pellucid("report", "run")
    assert status == 2
    assert "pellucid resume run" in err
    assert pellucid("report", "nowhere")[0] == 2


def test_what_the_run_left_reads_back(pellucid: Command) -> None:
    pellucid(*TRAIN, "--out", "run", "--no-report")
    history = read_history("run/history.csv")
    assert [epoch.epoch for epoch in history] == [1, 2]
    assert all(isinstance(epoch.best, bool) for epoch in history)
    assert read_gradients("run/gradients.csv").names == ("0.weight", "fc.weight")


def test_the_command_in_the_report_makes_the_same_choices(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Config] = []
    monkeypatch.setattr(running, "carry_on", lambda *given, **wanted: seen.append(given[1]))
    more = ("--optimizer", "rmsprop", "--lr", "0.3", "--schedule", "warmup:0.1,cosine", "--precise")
    more += ("--augment", "none", "--ema", "0.9", "--clip-norm", "2", "--patience", "4")
    more += ("--tune", "--threads", "1", "--seed", "3", "--validation", "0.25")
    more += ("--label-smoothing", "0.1")
    pellucid(*TRAIN, "--channels-first", *more)
    again = shlex.split(seen[0].command())
    pellucid(*again[1:])
    first, second = (dataclasses.asdict(config) for config in seen)
    for choices in (first, second):
        del choices["environment"]
    assert first == second
    assert first["momentum"] == 0.0
    assert json.dumps(first)


def test_that_nothing_is_augmented_is_told_in_the_command() -> None:
    config = Config("cifar-10", "vgg", 1, 8, "sgd", 0.1, "constant", 0.0, "reference")
    assert config.augment is None
    assert "--augment none" in config.command()


def test_how_a_table_is_read_is_told_in_the_command() -> None:
    config = Config("t.csv", "vgg", 1, 8, "sgd", 0.1, "constant", 0.0, "reference")
    reading = {"shape": [3, 8, 9], "label": -1, "header": False, "skip_bad": True}
    words = shlex.split(dataclasses.replace(config, reading=reading).command())
    said = " ".join(words)
    assert all(part in said for part in ("--size 8x9", "--channels 3", "--label -1"))
    assert {"--no-header", "--skip-bad"} <= set(words)
