"""The same network here, in PyTorch and in TensorFlow: what is equal, and what would be found."""

import json
import re

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid.interchange.compare import rows_of
from pellucid.interchange.compare.frameworks import FRAMEWORKS, PELLUCID


def network():
    """A bit of everything."""
    return nn.Sequential(
        conv=nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False),
        bn=nn.BatchNorm2d(4),
        act=nn.ReLU(),
        pool=nn.MaxPool2d(3, stride=2, padding=1),
        block=nn.Residual(
            nn.Sequential(depthwise=nn.Conv2d(4, 4, 3, padding=1, groups=4), act=nn.SiLU()),
            activation=nn.ReLU(),
        ),
        both=nn.Concat(nn.Conv2d(4, 3, 1), nn.AvgPool2d(3, stride=1, padding=1)),
        flatten=nn.Flatten(),
        fc=nn.Linear(63, 5),
    )


def inspections():
    random = np.random.default_rng(0)
    x, targets = random.normal(size=(6, 2, 9, 10)), random.integers(0, 5, 6)
    found = {}
    for dtype in ("float32", "float64"):
        found[dtype] = {
            framework.name: framework.contestant()(
                network().astype(dtype), (2, 9, 10), 1, 0.1, 0.9
            ).inspect(x.astype(dtype), targets)
            for framework in FRAMEWORKS
        }
    return found


def test_outputs_activations_and_gradients_are_equal_to_rounding():
    rows = rows_of(inspections(), PELLUCID.name)
    assert {row.kind for row in rows} == {"outputs", "activation", "gradient"}
    for row in rows:
        assert set(row.differences) == {"pytorch", "tensorflow"}, row.name
        assert all(row.equal(framework) for framework in row.differences), row


@pytest.mark.parametrize("factor", [1.001, 0.999999])
def test_a_gradient_that_is_wrong_is_found_and_named(factor, monkeypatch):
    right = nn.Linear.backward

    def wrong(self, dy, cache, *, input_gradient=True):
        dx = right(self, dy, cache, input_gradient=input_gradient)
        self.weight.grad[...] *= factor
        return dx

    monkeypatch.setattr(nn.Linear, "backward", wrong)
    rows = rows_of(inspections(), PELLUCID.name)
    for framework in ("pytorch", "tensorflow"):
        assert [row.name for row in rows if not row.equal(framework)] == ["fc.weight"]


def test_the_losses_of_training_are_the_same():
    random = np.random.default_rng(0)
    x = random.normal(size=(5, 6, 2, 9, 10)).astype(np.float32)
    targets = random.integers(0, 5, (5, 6))
    losses = {}
    for framework in FRAMEWORKS:
        contestant = framework.contestant()(network(), (2, 9, 10), 1, 0.05, 0.9)
        batches = [contestant.batch(*batch) for batch in zip(x, targets, strict=True)]
        losses[framework.name] = [contestant.step(batch) for batch in batches]
    np.testing.assert_allclose(losses["pytorch"], losses["pellucid"], rtol=1e-3)
    np.testing.assert_allclose(losses["tensorflow"], losses["pellucid"], rtol=1e-3)
    assert losses["pellucid"][0] != losses["pellucid"][-1]


def test_layers_are_written_as_in_each_framework():
    calls = {f.name: f.contestant()(network(), (2, 9, 10), 1, 0.1, 0.9).calls() for f in FRAMEWORKS}
    assert calls["pellucid"]["conv"].startswith("Conv2d(in_channels=2, out_channels=4")
    assert calls["pytorch"]["conv"].startswith("torch.nn.Conv2d(2, 4, kernel_size=(3, 3)")
    pad, conv = calls["tensorflow"]["conv"].splitlines()
    assert pad == "keras.layers.ZeroPadding2D(padding=((1, 1), (1, 1)))"
    assert conv == (
        "keras.layers.Conv2D(filters=4, kernel_size=(3, 3), strides=(2, 2), use_bias=False)"
    )
    assert calls["tensorflow"]["block"] == "keras.layers.Add()"


def test_the_command_compares_prints_and_writes(pellucid, tmp_path, browser):
    short = ("--steps", 3, "--turns", 1, "--batch-size", 8, "--threads", 1)
    status, out, err = pellucid("compare", "vgg", "digits", *short, "--code")
    assert status == 0, err
    assert "PyTorch and TensorFlow: all 52 quantities agree up to rounding." in out
    assert re.search(r"features.0.weight +\S+e-\d\d .* equal", out)
    assert re.search(r"^ +3( +\d\.\d{6}){3}$", out, re.MULTILINE)
    assert "def relu_gradient" in out
    assert "keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-05)" in out
    folder = tmp_path / "compare-vgg-digits"
    names = {"compare.html", "compare.md", "figures"}
    assert {path.name for path in folder.iterdir()} == names
    assert "def relu_gradient" in (folder / "compare.md").read_text(encoding="utf-8")
    page = (folder / "compare.html").read_text(encoding="utf-8")
    step = page[page.index('id="step"') : page.index('id="code"')]
    assert step.count("<h4>") == 3
    for code in ("program.backward(", "loss.backward()", "tf.GradientTape()"):
        assert code in step
    layer = page[page.index("<h3>Conv2d: ") :].partition("<h3>")[2].partition("<h3>")[0]
    for code in ("# forward: ", "# backward: ", "_conv_forward", "ops.conv("):
        assert code in layer
    assert all(f"<h4>{name}</h4>" in layer for name in ("Pellucid", "PyTorch", "TensorFlow"))
    for width, columns in ((360, 1), (1400, 3)):
        window = browser.new_page(viewport={"width": width, "height": 800})
        window.goto((folder / "compare.html").as_uri())
        assert window.evaluate("document.documentElement.scrollWidth") <= width
        lefts = window.evaluate(
            "[...document.querySelectorAll('#step h4')].map(h => h.getBoundingClientRect().left)"
        )
        assert len(set(lefts)) == columns  # side by side where there is room


def test_a_busy_machine_is_remarked():
    from pellucid.interchange.compare.comparison import Comparison, Entry, Settings
    from pellucid.interchange.compare.page import remarks

    def of(*used):
        entry = Entry("Pellucid", "Pellucid 0", [1.0], 0, seconds=[1.0], others=list(used))
        return Comparison("net", "data", Settings(), {"pellucid": entry}, {}, [], {}, [])

    assert remarks(of(0.05, 0.1)) == remarks(of()) == []
    (said,) = remarks(of(0.1, 1.3, 1.5))
    assert said.startswith("The machine was busy: while steps were timed, other programs used 1.3")


def test_numbers_come_as_json(pellucid, tmp_path):
    short = ("--steps", 2, "--turns", 1, "--batch-size", 4, "--threads", 1, "--json")
    status, out, err = pellucid("compare", "lenet5", "noise", *short)
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["equal"] is True
    assert set(found["entries"]) == {"pellucid", "pytorch", "tensorflow"}
    assert not list(tmp_path.iterdir())


def test_a_network_that_one_framework_cannot_build_is_compared_with_the_other(pellucid, tmp_path):
    (tmp_path / "net.toml").write_text(
        'layers = [{ type = "LocalResponseNorm", size = 3 }, { type = "Flatten" },\n'
        '{ type = "Linear", out_features = "classes" }]\n'
    )
    short = ("--steps", 2, "--turns", 1, "--batch-size", 4, "--threads", 1)
    status, out, err = pellucid("compare", "net.toml", "digits", *short)
    assert status == 0, err
    assert "PyTorch: all" in out
    assert re.search(r"tensorflow: Keras has no equivalent of .*LocalResponseNorm", err)
