"""Many runs: listed, compared, and made by a sweep."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from commands import short
from pellucid.cli import lock

NET = ("--model", "net.toml", "--batch-size", "8")


@pytest.fixture
def two(pellucid, rows):
    """Two runs that differ in their learning rate."""
    pellucid(*short("--out", "runs/one", "--lr", "0.01"))
    pellucid(*short("--out", "runs/two", "--lr", "0.0001"))


@pytest.mark.usefixtures("two")
def test_runs_are_listed_with_the_choices_in_which_they_differ(pellucid):
    code, out, _ = pellucid("runs")
    head, one, two = out.splitlines()
    assert code == 0
    assert head.split()[:5] == ["run", "data", "model", "lr", "epochs"]
    assert one.split()[:5] == ["one", "rows", "net", "0.01", "3/3"]
    assert two.split()[3] == "0.0001"
    assert "finished" in one


@pytest.mark.usefixtures("two")
def test_runs_as_json_and_as_csv_hold_the_figures_of_the_files(pellucid):
    told = json.loads(pellucid("runs", "--json", "--sort", "accuracy")[1])
    evaluation = json.loads(Path("runs/one/evaluation.json").read_text())
    by_name = {Path(run["folder"]).name: run for run in told}
    assert by_name["one"]["test"] == evaluation["accuracy"]
    assert by_name["one"]["config"]["lr"] == 0.01
    assert told[0]["test"] >= told[1]["test"]
    table = list(csv.DictReader(io.StringIO(pellucid("runs", "--csv")[1])))
    assert [row["run"] for row in table] == ["one", "two"]


@pytest.mark.usefixtures("two")
def test_runs_are_filtered_and_their_state_is_told(pellucid):
    assert pellucid("runs", "--model", "lenet5")[1] == ""
    Path("runs/two/model.safetensors").unlink()
    with lock.locked(Path("runs/one")):
        lines = pellucid("runs")[1].splitlines()
    assert "running" in lines[1]
    assert "interrupted" in lines[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("runs", "nowhere"), "there is no folder nowhere"),
        (("runs", ".", "--sort", "best"), "unknown order 'best'"),
        (("compare", "lenet5", "mnist", "elsewhere"), "one of these is no run"),
    ],
)
def test_what_is_no_run_is_said(pellucid, arguments, said):
    code, _, err = pellucid(*arguments)
    assert code == 2
    assert said in err


@pytest.mark.usefixtures("two")
def test_two_runs_are_compared_image_by_image(pellucid):
    code, out, _ = pellucid("compare", "runs/one", "runs/two", "--json")
    found = json.loads(out)
    (pair,) = found["differences"]
    one, two = (run["evaluation"] for run in found["runs"])
    assert code == 0
    assert len(pair["won"]) - len(pair["lost"]) == two["correct"] - one["correct"]
    assert np.isclose(pair["accuracy"], two["accuracy"] - one["accuracy"])
    out = pellucid("compare", "runs/one", "runs/two")[1]
    assert "McNemar" in out
    assert out.endswith("The page: compare-one-two/compare.html\n")


@pytest.mark.usefixtures("two")
def test_the_page_about_two_runs_shows_what_the_files_say(pellucid):
    pair = json.loads(pellucid("compare", "runs/one", "runs/two", "--json")[1])["differences"][0]
    assert pellucid("compare", "runs/one", "runs/two", "--out", "page")[0] == 0
    page = Path("page/compare.html").read_text()
    for text in ("Choices", "Curves", "Speed and size", "two instead of one", "0.0001"):
        assert text in page
    assert f"<h3>Only two is right: {len(pair['won'])}</h3>" in page
    assert f"<h3>Only one is right: {len(pair['lost'])}</h3>" in page
    shown = page.count('class="pixels"')
    assert shown == min(len(pair["won"]), 12) + min(len(pair["lost"]), 12) > 0
    figures = {path.name for path in Path("page/figures").iterdir()}
    assert figures == {"loss.svg", "loss.png", "accuracy.svg", "accuracy.png"}
    size = Path("runs/one/model.safetensors").stat().st_size
    assert f"{size / 1e6:.2f} MB" in page


def test_a_sweep_trains_each_combination_once_and_goes_on(pellucid, rows):
    sweep = ("sweep", "rows.npz", "--out", "s", "--model", "net.toml", "--epochs", "1,2")
    code, out, err = pellucid(*sweep, "--lr", "0.01,0.001")
    assert code == 0
    assert "4 of 4" in err
    names = sorted(path.name for path in Path("s").iterdir() if path.is_dir())
    assert len(names) == 4
    assert "lr=0.01" in names[0]
    before = {name: Path("s", name, "model.safetensors").stat().st_mtime_ns for name in names}
    Path("s", names[2], "model.safetensors").unlink()
    code, out, err = pellucid(*sweep, "--lr", "0.01,0.001")
    assert code == 0
    assert err.count(" of 4: ") == 1
    for name in (names[0], names[1], names[3]):
        assert Path("s", name, "model.safetensors").stat().st_mtime_ns == before[name]
    assert len(out.splitlines()[-4:]) == 4


def test_a_sweep_over_networks_with_options(pellucid, rows):
    models = "mlp:hidden=(3, 4),activation='tanh';mlp:hidden=5"
    code, out, _ = pellucid("sweep", "rows.npz", "--out", "s", "--model", models, "--epochs", "1")
    assert code == 0
    assert "mlp:hidden=5" in out
    found = sorted(path.name for path in Path("s").iterdir() if path.is_dir())
    assert found == [
        "01-model=mlp_hidden=_3__4__activation=_tanh_-epochs=1",
        "02-model=mlp_hidden=5-epochs=1",
    ]


def test_another_sweep_in_the_same_folder_is_refused(pellucid, rows):
    sweep = ("sweep", "rows.npz", "--out", "s", "--model", "net.toml", "--epochs", "1")
    assert pellucid(*sweep, "--lr", "0.01")[0] == 0
    code, _, err = pellucid(*sweep, "--lr", "0.02")
    assert code == 2
    assert "another sweep" in err
    code, _, err = pellucid("sweep", "rows.npz", "--out", "t", "--lr", "fast")
    assert code == 2
    assert "--lr takes numbers" in err


def test_a_folder_of_images_is_predicted_as_table_csv_and_json(pellucid, run):
    from PIL import Image

    source = np.random.default_rng(0)
    Path("photos/inside").mkdir(parents=True)
    for name in ("b.png", "a.png", "inside/c.png"):
        Image.fromarray(source.integers(0, 255, (6, 6), np.uint8)).save(Path("photos", name))
    told = json.loads(pellucid("predict", run, "photos", "--json")[1])
    assert [Path(row["image"]).name for row in told] == ["a.png", "b.png", "c.png"]
    assert all(abs(sum(row["probabilities"].values()) - 1) < 1e-5 for row in told)
    rows = list(csv.DictReader(io.StringIO(pellucid("predict", run, "photos", "--csv")[1])))
    assert [row["class"] for row in rows] == [row["class"] for row in told]
    head = pellucid("predict", run, "photos")[1].splitlines()[0].split()
    assert head[:5] == ["image", "prediction", "probability", "2nd", "guess"]
    Path("empty").mkdir()
    code, _, err = pellucid("predict", run, "empty")
    assert (code, "no image files" in err) == (2, True)


def test_an_evaluation_as_json_holds_the_figures(pellucid, run):
    told = json.loads(pellucid("evaluate", run, "--json")[1])
    assert told["correct"] / told["images"] == told["accuracy"]
    low, high = told["accuracy_interval"]
    assert low < told["accuracy"] <= high
    assert sum(map(sum, told["confusion"])) == told["images"]
