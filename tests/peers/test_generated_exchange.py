"""Networks drawn from a seed, read from PyTorch and from ONNX files, written again, and compared.

Each day has its own seeds; a failure names its own, and `Network(seed)` makes that network again.
"""

import datetime
import warnings

import numpy as np
import onnxruntime
import pytest
import torch

from generated_networks import Network
from pellucid.errors import PellucidError
from pellucid.interchange import onnx
from pellucid.interchange.torch import from_torch

_COUNT = 20
FOUND = (23, 159)
"""Seeds that once found something: a scale between corners, and padding as wide as a kernel."""
_FIRST = datetime.date.today().toordinal() * _COUNT
SEEDS = (*FOUND, *range(_FIRST, _FIRST + _COUNT))


def exact(network, x):
    """PyTorch's outputs in float64."""
    with torch.no_grad():
        y = network.double()(x.double()).numpy()
    network.float()
    return y


def agree(ours, theirs, tolerance):
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * max(np.abs(theirs).max(), 1e-6)


def compared(check, *arguments):
    """How many of the networks were compared, and not refused by us or by others."""
    count = 0
    for seed in SEEDS:
        try:
            count += check(Network(seed), *arguments)
        except BaseException as error:
            error.add_note(f"Network({seed})")
            raise
    return count


def read_as_it_is(network):
    x = torch.randn(3, *network.shape)
    y = exact(network, x)
    try:
        ours = from_torch(network.double(), network.shape)
    except PellucidError:
        return False
    agree(ours(x.double().numpy()), y, 1e-6)
    return True


def read_and_written(network, path):
    x = torch.randn(3, *network.shape)
    try:
        torch.onnx.export(
            network, (x,), str(path), dynamo=False, input_names=["x"],
            opset_version=(11, 13, 16, 18)[len(network.said) % 4],
            dynamic_axes={"x": {0: "n"}} if network.shape[1] % 3 else None,
        )  # fmt: skip
        (theirs,) = _run(path, x)
    except Exception:  # what others cannot write or run is no matter of ours
        return False
    rounding = np.abs(theirs - exact(network, x)).max() / max(np.abs(theirs).max(), 1e-6)
    tolerance = max(2e-4, 20 * rounding)
    try:
        graph = onnx.load(path, layout="NCHW")
    except PellucidError:
        return False
    ours = graph(x.numpy())
    agree(ours, theirs, tolerance)
    onnx.save(graph, path, network.shape)
    agree(_run(path, x)[0], ours, tolerance)
    return True


def test_modules_are_read_as_they_are() -> None:
    assert compared(read_as_it_is) >= 0.6 * len(SEEDS)


@pytest.mark.filterwarnings("ignore")
def test_files_are_read_as_onnxruntime_runs_them_and_written_again(tmp_path) -> None:
    assert compared(read_and_written, tmp_path / "m.onnx") >= 0.6 * len(SEEDS)


def _run(path, x):
    with warnings.catch_warnings():
        session = onnxruntime.InferenceSession(path)
        return session.run(None, {session.get_inputs()[0].name: x.numpy()})
