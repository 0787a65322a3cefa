"""The record of gradient flow holds what happened, and a resumed run leaves the same."""

from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

import small_run
from pellucid import engine, optim
from pellucid.errors import FileError
from pellucid.losses import cross_entropy
from pellucid.training import (
    GradientFlow,
    Step,
    TrainingState,
    read_gradients,
    record_gradients,
    records,
    resume,
    save_checkpoint,
)
from pellucid.training.gradients import is_recorded

DATA, VALIDATION = small_run.DATA, small_run.VALIDATION
WEIGHTS = ("conv1.weight", "conv2.weight", "fc.weight")


def recorded(state: TrainingState, path: Path) -> GradientFlow:
    for _ in record_gradients(records(state, DATA, VALIDATION), state, path):
        pass
    return read_gradients(path)


@pytest.mark.parametrize("name", engine.NAMES)
def test_the_norms_are_those_of_the_steps(name: str, tmp_path: Path) -> None:
    """With plain gradient descent the gradient is what the weights moved by, over the rate."""
    state = small_run.simple_state()
    state.optimizer = optim.SGD(state.model.parameters(), lr=0.05)
    before: list[list[np.ndarray]] = []
    with engine.using(name):
        run = record_gradients(records(state, DATA), state, tmp_path / "g.csv")
        before.append(values(state))
        for record in run:
            if isinstance(record, Step):
                before.append(values(state))
    flow = read_gradients(tmp_path / "g.csv")
    moved = [
        [np.linalg.norm(b - a) for a, b in zip(*pair, strict=True)] for pair in pairwise(before)
    ]
    sizes = [[np.linalg.norm(value) for value in step] for step in before[:-1]]
    assert flow.names == WEIGHTS
    np.testing.assert_array_equal(flow.steps, range(1, len(before)))
    np.testing.assert_allclose(flow.update, moved, rtol=2e-3)
    np.testing.assert_allclose(flow.weight, sizes, rtol=2e-3)
    np.testing.assert_allclose(flow.gradient, np.array(moved) / 0.05, rtol=5e-3)
    np.testing.assert_allclose(flow.ratio, np.array(moved) / sizes, rtol=5e-3)


def values(state: TrainingState) -> list[np.ndarray]:
    parameters = state.model.named_parameters()
    return [parameters[name].value.astype(np.float64) for name in WEIGHTS]


def test_the_first_gradient_is_that_of_the_loss(tmp_path: Path) -> None:
    """Computed once more by itself: one batch that holds all images, forward and backward."""
    state = small_run.simple_state(batch_size=60, epochs=1)
    flow = recorded(state, tmp_path / "g.csv")
    again = small_run.simple_state(batch_size=60, epochs=1)
    assert state.model.preprocessing is not None
    x = state.model.preprocessing(DATA.images)
    outputs, cache = again.model.forward(x, small_run.nn.StepContext())
    again.model.backward(cross_entropy(outputs, DATA.labels)[1], cache)
    parameters = again.model.named_parameters()
    expected = [np.linalg.norm(parameters[name].grad) for name in WEIGHTS]
    np.testing.assert_allclose(flow.gradient[0], expected, rtol=2e-3)


def test_recording_changes_nothing_in_the_run(tmp_path: Path) -> None:
    watched, alone = small_run.new_state(), small_run.new_state()
    recorded(watched, tmp_path / "g.csv")
    for _ in records(alone, DATA, VALIDATION):
        pass
    assert small_run.equal(small_run.outcome(watched), small_run.outcome(alone))


def test_a_resumed_run_leaves_the_same_record(tmp_path: Path) -> None:
    """It was saved after 10 records, went on for 4 steps, and was killed in a line."""
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    recorded(small_run.new_state(), whole)
    state = small_run.new_state()
    run = record_gradients(records(state, DATA, VALIDATION), state, cut)
    list(islice(run, 10))
    save_checkpoint(state, tmp_path)
    list(islice(run, 4))
    with cut.open("a") as file:
        file.write("13,conv1.weig")
    continued = resume(tmp_path, DATA, VALIDATION, augment=small_run.AUGMENT)
    recorded(continued, cut)
    assert cut.read_text() == whole.read_text()


def test_a_new_run_begins_a_new_record(tmp_path: Path) -> None:
    first = recorded(small_run.simple_state(), tmp_path / "g.csv")
    again = recorded(small_run.simple_state(), tmp_path / "g.csv")
    np.testing.assert_array_equal(first.gradient, again.gradient)


def test_a_long_run_is_recorded_ever_more_rarely() -> None:
    steps = [step for step in range(1, 100_001) if is_recorded(step)]
    assert steps[:32] == list(range(1, 33))
    assert len(steps) < 250
    gaps = np.diff(steps) / steps[:-1]
    assert gaps[31:].max() <= 1 / 16


def test_what_a_run_wrote_half_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    flow = recorded(small_run.simple_state(), path)
    path.write_text(path.read_text()[: -len("fc.weight,0.1,0.1,0.1")])
    np.testing.assert_array_equal(read_gradients(path).steps, flow.steps[:-1])


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read"):
        read_gradients(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FileError, match="not a record of gradients"):
        read_gradients(tmp_path / "other.csv")


def test_a_weight_that_is_zero_has_no_ratio() -> None:
    flow = GradientFlow(np.array([1]), ("w",), *np.array([[[1.0]], [[0.0]], [[2.0]]]))
    assert flow.ratio == 0
