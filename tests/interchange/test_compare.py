"""The comparison with other frameworks, as far as it needs none of them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid import models, view
from pellucid.cli import compare_page
from pellucid.errors import PellucidError, installing
from pellucid.interchange.compare import (
    Inspection,
    Settings,
    compare,
    difference,
    markdown,
    rows_of,
)
from pellucid.interchange.compare.frameworks import PELLUCID, PYTORCH, named
from pellucid.interchange.compare.inspection import Names
from pellucid.interchange.compare.page import remarks, verdict
from pellucid.interchange.compare.pellucid_ import Contestant
from pellucid.interchange.compare.process import Worker, WorkerError
from pellucid.interchange.compare.source import explained

ABSENT = replace(PYTORCH, package="no_such_package")
QUICK = Settings(batch_size=4, steps=2, threads=1, turns=1, seconds=0.0)


def small():
    """A network with a branch, a way around and a layer that is used twice."""
    act = nn.ReLU()
    return nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, padding=1, bias=False),
        bn=nn.BatchNorm2d(4),
        act=act,
        block=nn.Residual(nn.Sequential(conv1=nn.Conv2d(4, 4, 3, padding=1)), activation=nn.Tanh()),
        both=nn.Concat(left=nn.MaxPool2d(2), right=nn.AvgPool2d(2)),
        again=act,
        flatten=nn.Flatten(),
        drop=nn.Dropout(0.5),
        fc=nn.Linear(128, 3),
    )


def batch(count=8, dtype="float32"):
    random = np.random.default_rng(0)
    return random.normal(size=(count, 1, 8, 8)).astype(dtype), random.integers(0, 3, count)


def inspections(change=lambda inspection: inspection):
    """What we compute, and the same again, changed, as another framework's."""
    found = {}
    for dtype in ("float32", "float64"):
        x, targets = batch(dtype=dtype)
        inspection = Contestant(small().astype(dtype), (1, 8, 8), 1, 0.1, 0.9).inspect(x, targets)
        found[dtype] = {"pellucid": inspection, "other": change(inspection)}
    return found


def changed(kind, name, factor):
    """Return a function that multiplies one array of an inspection."""

    def change(inspection):
        arrays = dict(getattr(inspection, kind))
        arrays[name] = arrays[name] * arrays[name].dtype.type(factor)
        return replace(inspection, **{kind: arrays})

    return change


def test_what_is_equal_to_rounding_is_told_from_what_is_not():
    x = np.array([1.0, -3.0])
    assert difference(x, x + 3e-12).equal
    assert not difference(x, x + 1e-10).equal
    x = x.astype("float32")
    assert difference(x, x * np.float32(1.0001)).equal
    assert not difference(x, x * np.float32(1.01)).equal
    assert difference(np.zeros(2), np.zeros(2)).equal
    assert not difference(np.zeros(2), np.zeros(3)).equal
    assert not difference(np.array([np.nan]), np.array([np.nan])).equal


def test_every_layer_and_every_parameter_has_its_row():
    rows = rows_of(inspections(), "pellucid")
    names = {
        kind: [row.name for row in rows if row.kind == kind] for kind in ("outputs", "activation")
    }
    assert names["outputs"] == ["scores", "loss"]
    assert names["activation"] == [
        *("conv", "bn", "act", "block.conv1", "block.activation", "block"),
        *("both.left", "both.right", "both", "act (2)", "flatten", "drop", "fc"),
    ]
    assert [row.name for row in rows if row.kind == "gradient"] == list(small().named_parameters())
    assert all(row.equal("other") for row in rows)


@pytest.mark.parametrize("name", list(small().named_parameters()))
@pytest.mark.parametrize("factor", [1.001, 1 + 1e-9, 0.0, -1.0])
def test_a_wrong_gradient_is_found_and_named(name, factor):
    rows = rows_of(inspections(changed("gradients", name, factor)), "pellucid")
    assert [row.name for row in rows if not row.equal("other")] == [name]


def test_a_wrong_activation_is_found_and_named():
    rows = rows_of(inspections(changed("activations", "bn", 1.001)), "pellucid")
    assert [row.name for row in rows if not row.equal("other")] == ["bn"]


def test_where_rounding_decides_at_a_kink_gradients_are_judged_in_double_precision_alone():
    def other_side(inspection):
        activations = {name: value.copy() for name, value in inspection.activations.items()}
        if inspection.scores.dtype == np.float32:
            values = activations["conv"]
            values[np.unravel_index(abs(values).argmin(), values.shape)] *= -1
        return replace(
            inspection,
            activations=activations,
            gradients={n: g * g.dtype.type(1.05) for n, g in inspection.gradients.items()}
            if inspection.scores.dtype == np.float32
            else inspection.gradients,
        )

    rows = rows_of(inspections(other_side), "pellucid")
    assert all(row.equal("other") for row in rows if row.kind == "gradient")
    assert not all(
        row.equal("other")
        for row in rows_of(inspections(changed("gradients", "fc.weight", 1.05)), "pellucid")
    )


def test_what_was_seen_is_read_as_it_was_written(tmp_path):
    inspection = inspections()["float32"]["pellucid"]
    inspection.save(tmp_path / "look")
    again = Inspection.load(tmp_path / "look")
    assert list(again.activations) == list(inspection.activations)
    assert list(again.gradients) == list(inspection.gradients)
    for name, value in inspection.activations.items():
        np.testing.assert_array_equal(again.activations[name], value)
    assert again.loss == inspection.loss


def test_looking_changes_nothing():
    model = small()
    before = model.state_dict()
    Contestant(model, (1, 8, 8), 1, 0.1, 0.9).inspect(*batch())
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_names_number_the_uses_of_a_layer():
    model = small()
    names = Names(model)
    assert [names.next(model["act"]), names.next(model["act"])] == ["act", "act (2)"]
    assert names.next(model["block"].body) is None


def test_the_lines_that_compute_a_layer_are_those_that_run():
    found = explained(small(), batch(2, "float64")[0])
    by_kind = {entry.kind: entry for entry in found}
    assert [line.function for line in by_kind["ReLU"].backward] == ["relu_gradient"]
    assert "dy * (y > 0)" in by_kind["ReLU"].backward[0].text
    assert by_kind["ReLU"].paths == ["act"]
    convolution = by_kind["Conv2d"]
    assert {"conv2d", "forward"} <= {line.function for line in convolution.forward}
    assert {"weight_gradient", "input_gradient"} <= {line.function for line in convolution.backward}
    assert all(line.where.startswith("pellucid/reference/") for line in convolution.forward)
    assert "y = y + around" in by_kind["Residual"].forward[0].text
    assert "ops.concatenate" in by_kind["Concat"].forward[0].text


def test_every_network_of_the_library_is_explained():
    for name in ("lenet5", "resnet20"):
        model = models.build(name, (1, 28, 28), 10)
        entries = explained(model, np.zeros((2, 1, 28, 28)))
        assert all(entry.forward and entry.backward for entry in entries)


@pytest.fixture(scope="module")
def alone():
    """A comparison for which only this library is there."""
    said = []
    x, targets = batch()
    found = compare(
        small(), x, targets, settings=QUICK, frameworks=(PELLUCID, ABSENT), progress=said.append
    )
    assert said
    return found


def test_a_framework_that_is_not_installed_is_named_with_what_to_install(alone):
    assert alone.others == []
    assert remarks(alone) == [f"PyTorch is not installed; install it with: {installing('torch')}"]
    assert verdict(alone) == "There is no other framework to compare with."


def test_the_loss_curve_is_that_of_training(alone):
    entry = alone.entries["pellucid"]
    assert len(entry.losses) == 2
    assert np.isfinite(entry.losses).all()
    assert entry.memory > 0
    assert entry.seconds[0] > 0


def test_the_page_shows_numbers_and_code(alone):
    drawn = view.comparison({}, {}, {"Pellucid": [2.0, 1.0]}, {"Pellucid": [0.1]})
    made = compare_page.page(alone, drawn)
    text, page = markdown(alone, "picture.svg"), made.html
    for shown in (text, page):
        assert "Conv2d" in shown
        assert "pellucid/reference/conv/__init__.py:" in shown
        assert "relu_gradient" in shown
    assert "![differences, losses and seconds](picture.svg)" in text
    assert set(made.files) == {"compare.svg", "compare.png"}
    assert page.count("<table>") == page.count("</table>")
    for shown in (text, page):
        assert shown.count("def relu_gradient") == 1
    assert "def take_step(" in page


def test_a_comparison_is_plain_data(alone):
    described = json.loads(json.dumps(alone.describe()))
    assert described["equal"] is True
    assert described["entries"]["pellucid"]["losses"] == alone.entries["pellucid"].losses
    assert described["rows"][0]["name"] == "scores"


def test_too_few_images_are_told():
    x, targets = batch(2)
    with pytest.raises(PellucidError, match="batch size is 4, but there are only"):
        compare(small(), x, targets, settings=QUICK, frameworks=(PELLUCID,))


def test_what_goes_wrong_with_us_is_told_in_one_line():
    x, targets = batch()
    with pytest.raises(PellucidError, match=r"^pellucid: Linear expects"):
        compare(
            nn.Sequential(nn.Flatten(), nn.Linear(7, 3)),
            x,
            targets,
            settings=QUICK,
            frameworks=(PELLUCID,),
        )


def test_an_unknown_framework_is_told():
    with pytest.raises(PellucidError, match="pellucid, pytorch, tensorflow"):
        named("caffe")


def test_the_picture_has_a_dot_for_each_quantity_and_a_curve_for_each_framework():
    losses = {"Pellucid": [2.0, 1.0], "PyTorch": [2.0, 1.0]}
    drawn = view.comparison(
        {"float32": {"PyTorch": [0.0, 1e-7]}, "float64": {"PyTorch": [1e-16, float("inf")]}},
        {"float32": 1e-3, "float64": 1e-12},
        losses,
        {"Pellucid": [0.1], "PyTorch": [0.2, 0.3]},
        {"float32": {"PyTorch": [False, True]}},
    )
    apart, learned, spent = drawn.axes
    dots = [len(line.get_xdata()) for line in apart.lines if line.get_linestyle() == "None"]
    assert dots == [1, 1, 2, 0]  # full and hollow, in float32 and in float64
    assert len(learned.lines) == 2
    assert [bar.get_width() for bar in spent.patches] == pytest.approx([100, 250])


def test_no_module_is_taken_from_the_folder_in_which_it_is_called(tmp_path, monkeypatch):
    for name in ("json", "numpy", "torch", "pellucid"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'w'); raise SystemExit")
    monkeypatch.chdir(tmp_path)
    worker = Worker("w", "pellucid.interchange.compare.worker", "no JSON", tmp_path, {})
    with worker, pytest.raises(WorkerError, match="Expecting value"):  # it came as far as its job
        worker.ready()
    assert not (tmp_path / "executed").exists()
