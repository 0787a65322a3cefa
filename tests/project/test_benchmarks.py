"""The benchmark: that it compares the same things, and tells what it found."""

import json
from argparse import Namespace
from dataclasses import asdict, replace

import numpy as np
import pytest

from benchmarks import footprint, pages, picture, report, run
from benchmarks import measure as measuring
from benchmarks import results as results_of
from benchmarks.contestants import BF16, CONTESTANTS, TASKS, invited
from benchmarks.frameworks.description import channels_last
from benchmarks.measure import Settings, measure
from benchmarks.networks import (
    FEW_IMAGES,
    NETWORKS,
    OTHER_LAYERS,
    PHOTOGRAPHS,
    flattened_shapes,
    initial_state,
)
from benchmarks.results import Entry, Results, Row, Start, Turn, geometric_mean
from pellucid import layers as nn

PARAMETERS = {
    "lenet": 7434,
    "mnist-bn": 421738,
    "vgg-small": 307946,
    "resnet20": 272474,
    "inception": 52954,
    "mobilenet": 136778,
}


def turns(*seconds):
    return [Turn(calls=10, seconds=s, shortest=s, others=0.01) for s in seconds]


def row(**seconds):
    """A row in which each contestant takes as long in its turns as given."""
    names = {name: name.replace("_", "-") for name in seconds}
    entries = {names[name]: Entry(turns=turns(*each)) for name, each in seconds.items()}
    return Row("training", "lenet", 64, entries)


@pytest.fixture
def results():
    everybody = {name.replace("-", "_"): (2.0, 2.0, 2.0) for name in CONTESTANTS}
    rows = [
        row(**everybody | {"pellucid": (1.0, 0.8, 1.25)}),
        replace(row(pellucid=(1.0,), torch=(8.0,)), network="resnet20"),
        replace(row(pellucid=(1.0,), torch=(3.0,), onnxruntime=(1.5,)), task="inference", batch=1),
    ]
    machine = {"processor": "Example 3000", "processors": 4, "system": "Linux"}
    return Results(
        "2026-01-31",
        machine,
        {"python": "3.11.0", "torch": "2.13.0"},
        {"threads": 2, "turns": 3, "seconds": 1.0},
        left_out={"jax": "jax not installed"},
        rows=rows,
        imports={"Pellucid": [0.2, 0.1, 0.3], "PyTorch": [2.0]},
        starts={"pellucid": [Start(1.0, 50_000_000, 150_000_000)]},
        installed={"Pellucid": 250_000_000, "PyTorch": 900_000_000},
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_fit_their_images_and_have_their_size(name):
    input_shape, build = NETWORKS[name]
    model = build()
    assert model.output_shape((2, *input_shape)) == (2, 10)
    assert sum(p.value.size for p in model.parameters()) == PARAMETERS[name]
    assert nn.build(model.describe()).describe() == model.describe()


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_networks_for_photographs_fit_their_images(name):
    input_shape, build = PHOTOGRAPHS[name]
    assert name.endswith(f"-{input_shape[1]}")
    assert build().output_shape((2, *input_shape)) == (2, 10)


def test_the_rows_of_a_task_are_those_of_the_networks_asked_for():
    asked = Namespace(networks=["lenet", "gelu"], batch=[64, 8], inference_batch=[1])
    assert run.rows("training", asked) == [(64, "lenet")]
    assert run.rows("batches", asked) == [(8, "lenet")]
    assert run.rows("other layers", asked) == [(64, "gelu")]
    assert run.rows("few images", asked) == [
        (batch, name) for name, batch in FEW_IMAGES if name == "lenet"
    ]


def test_values_to_begin_with_fit_the_model_and_leave_nothing_at_its_default():
    model = NETWORKS["resnet20"].build()
    state = initial_state(model)
    model.load_state_dict(state)
    learned = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    assert all(v.std() > 0 and v.dtype == np.float32 for v in learned.values())


def test_who_keeps_channels_last_computes_the_same_after_flattening():
    input_shape, build = NETWORKS["lenet"]
    flattened = flattened_shapes(build(), input_shape)
    assert flattened == {"7": (16, 5, 5)}
    random = np.random.default_rng(0)
    weight, x = random.normal(size=(10, 400)), random.normal(size=(2, 16, 5, 5))
    kernel = random.normal(size=(8, 3, 5, 4))
    last = channels_last({"7.weight": weight, "0.weight": kernel, "7.bias": x}, flattened)
    np.testing.assert_allclose(
        x.transpose(0, 2, 3, 1).reshape(2, 400) @ last["7.weight"], x.reshape(2, 400) @ weight.T
    )
    assert last["0.weight"].shape == (5, 4, 3, 8)
    assert last["0.weight"][1, 2, 0, 7] == kernel[7, 0, 1, 2]


def test_contestants_are_timed_and_who_fails_is_told():
    there = CONTESTANTS["reference"]
    failing = replace(there, name="torch", options={"engine": "nonsense"})
    found = measure("training", "lenet", 2, [there, failing], Settings(1, turns=2, seconds=0.0))
    entry = found.entries["reference"]
    assert entry.problem is None
    assert len(entry.losses) == 5
    assert [turn.calls for turn in entry.turns] == [2, 2]
    assert entry.turns[0].shortest <= entry.turns[0].seconds
    assert entry.start is not None
    assert 0 < entry.start.seconds < 60
    assert "nonsense" in (found.entries["torch"].problem or "")
    assert not found.entries["torch"].turns


@pytest.mark.parametrize("wrong", [2.001, 1.999])
def test_who_computes_something_else_does_not_count(wrong):
    found = row(pellucid=(1.0,), torch=(2.0,), jax=(3.0,))
    for name, loss in {"pellucid": wrong, "torch": 2.0, "jax": 2.0}.items():
        found.entries[name].losses = [2.5, loss]
    found.compare({name: np.ones((2, 2)) for name in found.entries})
    assert found.best("Pellucid") is None
    assert "losses differ" in (found.entries["pellucid"].problem or "")
    assert found.best("PyTorch") == "torch"
    assert not found.ratios("Pellucid", "PyTorch")


def test_a_loss_that_is_no_number_does_not_count():
    found = row(torch=(1.0,), jax=(1.0,), tensorflow=(1.0,))
    for entry in found.entries.values():
        entry.losses = [1.0]
    outputs = {name: np.zeros(3) for name in found.entries}
    found.entries["jax"].losses = [float("nan")]
    found.compare(outputs)
    assert found.best("JAX") is None
    assert found.best("TensorFlow") == "tensorflow"


def test_the_best_of_a_family_is_that_of_the_smallest_median_and_ratios_are_per_turn():
    found = row(pellucid=(1.0, 2.0, 1.0), torch=(9.0, 1.0, 9.0), torch_compile=(4.0, 4.0, 5.0))
    assert found.best("PyTorch") == "torch-compile"
    assert found.ratios("Pellucid", "PyTorch") == [4.0, 2.0, 5.0]
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)


def test_who_is_far_behind_takes_no_further_turns_and_is_not_the_best(monkeypatch):
    times = {"torch": 1.4, "torch-cl": 1.0, "torch-compile": 1.2, "jax": 9.0}

    def take_turn(_, entry, seconds):
        name = next(name for name in times if entry.losses == [times[name]])
        # the slow one would have the best second turn
        entry.turns += turns(0.1 if name == "torch" and entry.turns else times[name])

    class Ready:
        started = 0.0

        def __init__(self, name):
            self.name = name

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def ready(self):
            return {"first": 1.0, "outputs": [0.0], "losses": [times[self.name]]}

    monkeypatch.setattr(measuring, "start", lambda name, *_: Ready(name))
    monkeypatch.setattr(measuring, "_take_turn", take_turn)
    monkeypatch.setitem(results_of.TOLERANCE, "training", {"losses": 99.0, "outputs": 1.0})
    some = [CONTESTANTS[name] for name in times]
    found = measure("training", "lenet", 2, some, Settings(1, turns=3, seconds=0.0))
    counts = {name: len(entry.turns) for name, entry in found.entries.items()}
    assert counts == {"torch": 1, "torch-cl": 3, "torch-compile": 3, "jax": 3}
    assert found.best("PyTorch") == "torch-cl"


def test_each_task_has_usual_contestants_that_can_do_it():
    for task in TASKS:
        usual = invited(task, None)
        does = task if task == "inference" else "training"
        assert all(does in each.tasks for each in usual)
        assert {"Pellucid", "PyTorch"} <= {each.family for each in usual}
    everybody = invited("footprint", CONTESTANTS)
    assert {each.name for each in everybody} >= {"torch", "jax", "reference"}
    assert not any(each.family == BF16 for each in everybody)


def test_results_come_back_from_their_file(results, tmp_path):
    results.save(tmp_path / "new" / "results.json")
    again = Results.load(tmp_path / "new" / "results.json")
    assert again == results
    assert json.loads((tmp_path / "new" / "results.json").read_text())["rows"][0] == asdict(
        results.rows[0]
    )


def test_the_report_tells_ratios_means_and_what_does_not_count(results):
    results.rows[1].entries["torch"].turns[0].others = 0.4
    results.rows[0].entries["jax"].problem = "its losses differ by 1.0e-01"
    text = report.markdown(results)
    ratio = "**2.00×** (1.60–2.50)"
    assert f"| lenet | 64 | 1000 | 2000 | 2000 | 2000 | 2000 | {ratio} | {ratio} |" in text
    assert "| resnet20 | 64 | 1000 | 8000 | – | – | – | **8.00×** (8.00–8.00) | – |" in text
    assert "| *geometric mean* | 64 |  |  |  |  |  | **4.00×** | – |" in text
    assert "| lenet | 1 | 1000 | 3000 | 1500 | **3.00×** (3.00–3.00) | **1.50×**" in text
    assert "| Pellucid | 0.20 s | 1.0 s | 150 MB | 100 MB | 250 MB |" in text
    assert "JAX was left out: jax not installed." in text
    assert "JAX does not count at lenet, batch 64, training**: its losses differ" in text
    assert "not quiet**: in 1 of 41 turns other programs took more than 5%" in text
    assert "40% at most" in text


def test_the_report_stands_between_the_markers_and_nowhere_else():
    text = "before\n<!-- speed:begin -->\nold\n<!-- speed:end -->\nafter\n"
    new = pages.between_markers(text, "speed", "new")
    assert new == "before\n<!-- speed:begin -->\nnew\n<!-- speed:end -->\nafter\n"
    assert pages.between_markers(new, "speed", "new") == new
    with pytest.raises(SystemExit, match="no markers"):
        pages.between_markers(text, "size", "new")


def test_the_same_results_give_the_same_picture(results, tmp_path):
    picture.draw(results, tmp_path / "a")
    picture.draw(results, tmp_path / "b")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_the_size_of_a_package_counts_what_it_needs():
    needed = footprint.closure("pellucid")
    assert {"pellucid", "numpy", "safetensors"} <= needed.keys()
    assert "pytest" not in needed
    assert footprint.size(needed["pellucid"]) > 100_000
    assert footprint.size(needed["numpy"]) > footprint.size(needed["pellucid"])
    assert not footprint.closure("there-is-no-such-package")


@pytest.mark.parametrize("name", OTHER_LAYERS)
def test_networks_of_other_layers_fit_their_images(name):
    input_shape, build = OTHER_LAYERS[name]
    assert build().output_shape((2, *input_shape)) == (2, 10)


def test_bf16_counts_for_itself_and_has_no_vote():
    row = Row("training", "lenet", 2, {n: Entry() for n in ("pellucid", "torch", "torch-bf16")})
    outputs = {"pellucid": 1.0, "torch": 1.0, "torch-bf16": 1.1}
    for name, value in outputs.items():
        row.entries[name].losses = [value]
    row.compare({name: np.array([value]) for name, value in outputs.items()})
    assert [entry.problem for entry in row.entries.values()] == [None] * 3
    assert row.entries["torch-bf16"].differences == pytest.approx([0.1, 0.1])
    row.entries["torch-bf16"].losses = [np.nan]
    row.compare({"torch-bf16": np.array([np.nan]), "torch": np.array([1.0])})
    assert row.entries["torch-bf16"].problem is not None
