"""Files that version 0.1.0 wrote before parameters were named by the model that is used first.

The networks are a convolution with batch normalisation and a linear layer, and a linear layer
alone, whose name is now another. Each was trained for an epoch of two steps, with Adam.
"""

from pathlib import Path

import numpy as np
import pytest

import pellucid as pl
from pellucid import engine, optim, training
from pellucid import layers as nn

FOLDER = Path(__file__).parent / "written_before"
X, TARGETS = (
    np.random.default_rng(0).normal(size=(10, 1, 6, 6)).astype(np.float32),
    np.arange(10) % 3,
)

pytestmark = pytest.mark.parametrize("name", ["net", "one"])


def saved(name):
    """Return the outputs for X, and the state of the optimiser."""
    arrays = dict(np.load(FOLDER / f"{name}.npz"))
    return arrays.pop("y"), {key.replace("|", "/"): value for key, value in arrays.items()}


def test_a_model_computes_what_it_did(name):
    with engine.using("reference"):
        np.testing.assert_array_equal(pl.load(FOLDER / f"{name}.safetensors")(X), saved(name)[0])


def test_an_onnx_file_computes_what_it_did(name):
    onnx = pytest.importorskip("pellucid.interchange.onnx")
    pytest.importorskip("onnx")
    y = onnx.load(FOLDER / f"{name}.onnx")(X)
    np.testing.assert_allclose(y, saved(name)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "parameters",
    [
        lambda model: model.parameters(),
        lambda model: model.named_parameters(),
        lambda model: nn.Sequential(nn.Identity(), wrapped=model).named_parameters(),
    ],
    ids=["a list", "by name", "in a wrapper"],
)
def test_an_optimisers_state_fits(name, parameters):
    adam = optim.Adam(parameters(pl.load(FOLDER / f"{name}.safetensors")))
    adam.load_state_dict(saved(name)[1])
    assert adam.steps == 2


def test_a_run_goes_on_from_its_checkpoint(name):
    with engine.using("reference"):
        state = training.resume(FOLDER / f"{name}-run", (X, TARGETS))
        np.testing.assert_array_equal(state.model(X), saved(name)[0])
        records = list(training.records(state, (X, TARGETS)))
    assert len(records) == 6  # two epochs of two steps
