"""Selective backprop: train on the samples that a small network finds hard."""

from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

import pellucid as pl
from pellucid import engine, losses, models, optim, training
from pellucid.errors import FileError, PellucidError, TrainingError
from pellucid.layers import Layer, StepContext
from pellucid.training.batches import ArraySource
from pellucid.training.data import Batch
from pellucid.types import Array

CLASSES, FEATURES = 5, 7


def samples(count: int = 96) -> tuple[Array, Array]:
    random = np.random.default_rng(3)
    x = random.standard_normal((count, FEATURES))
    return x.astype(np.float32), random.integers(0, CLASSES, count)


def network(seed: int = 0, hidden: int = 6) -> Layer:
    model = models.mlp((FEATURES,), CLASSES, hidden=(hidden,))
    pl.layers.initialize(model, seed)
    return model


def selecting(keep: float = 0.5, interval: int = 4, lr: float = 0.1) -> training.SelectiveBackprop:
    selector = network(seed=1, hidden=4)
    return training.SelectiveBackprop(
        selector, optim.SGD(selector.parameters(), lr=lr), keep, interval
    )


def in_torch(model: Layer) -> torch.nn.Sequential:
    """The same network in PyTorch."""
    weights = [p.value for p in model.parameters()]
    parts: list[torch.nn.Module] = []
    for weight, bias in zip(weights[::2], weights[1::2], strict=True):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        linear.weight.data, linear.bias.data = torch.tensor(weight), torch.tensor(bias)
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


def test_the_chosen_samples_have_the_largest_losses_and_the_selector_learns_from_them() -> None:
    selection = selecting(keep=0.3, interval=1, lr=0.4)
    selection.selector.astype("float64")
    x, targets = samples(20)
    x = x.astype(np.float64)
    other = in_torch(selection.selector)
    loss = losses.CrossEntropy(label_smoothing=0.2)
    kept, labels = selection.hardest((x, targets), loss, StepContext(), number=0, rate=0.25)

    outputs, wanted = other(torch.tensor(x)), torch.tensor(targets)
    each = torch.nn.functional.cross_entropy(outputs, wanted, reduction="none", label_smoothing=0.2)
    hardest = each.topk(6).indices.sort().values
    np.testing.assert_array_equal(kept, x[hardest])
    np.testing.assert_array_equal(labels, targets[hardest])

    each[hardest].mean().backward()
    for ours, theirs in zip(selection.selector.parameters(), other.parameters(), strict=True):
        assert theirs.grad is not None
        expected = theirs.detach() - 0.4 * 0.25 * theirs.grad
        np.testing.assert_allclose(ours.value, expected.numpy(), rtol=1e-12, atol=1e-14)


class Chosen:
    """The batches of a run, of each the samples that a fixed selector finds hardest."""

    def __init__(self, selector: Layer, batch_size: int) -> None:
        self.selector, self.source = selector, ArraySource(*samples(), batch_size)

    def __len__(self) -> int:
        return len(self.source)

    def batches(self, epoch: int, seed: int) -> Iterator[Batch]:
        for x, targets, *_ in self.source.shuffled(epoch, seed):
            logits = self.selector(x).astype(np.float64)
            each = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(x)), targets]
            half = np.sort(np.argsort(-each)[: len(x) // 2])
            yield x[half], targets[half]


def test_the_model_is_trained_as_on_these_samples_alone() -> None:
    model, expected = network(), network()
    selection = selecting(interval=10**6, lr=1e-12)
    pl.fit(model, samples(), batch_size=24, epochs=3, selection=selection)
    pl.fit(expected, Chosen(selection.selector, 24), epochs=3)
    for ours, theirs in zip(model.parameters(), expected.parameters(), strict=True):
        np.testing.assert_allclose(ours.value, theirs.value, rtol=1e-5, atol=1e-7)


def test_keeping_all_is_training_as_usual() -> None:
    model, expected = network(), network()
    found = pl.fit(model, samples(), batch_size=24, epochs=2, selection=selecting(keep=1.0))
    usual = pl.fit(expected, samples(), batch_size=24, epochs=2)
    assert [epoch.loss for epoch in found] == [epoch.loss for epoch in usual]
    for ours, theirs in zip(model.parameters(), expected.parameters(), strict=True):
        np.testing.assert_array_equal(ours.value, theirs.value)


def test_weights_of_samples_go_with_them() -> None:
    x, targets = samples(10)
    weights = np.arange(1.0, 11.0)
    chosen = selecting().hardest(
        (x, targets, weights), losses.cross_entropy, StepContext(), number=0, rate=1.0
    )
    numbers = [int(np.flatnonzero((x == row).all(axis=1))[0]) for row in chosen[0]]
    np.testing.assert_array_equal(chosen[2], weights[numbers])  # type: ignore[misc]


@pytest.mark.parametrize(("keep", "samples", "kept"), [(0.5, 9, 5), (0.01, 9, 2), (0.5, 1, 1)])
def test_the_share_is_rounded_up_and_leaves_two_for_batch_normalisation(
    keep: float, samples: int, kept: int
) -> None:
    assert selecting(keep).kept(samples) == kept


def images_state() -> training.TrainingState:
    model, selector = (models.airbench((1, 12, 12), 3, widths) for widths in ((4, 8, 8), (2, 4, 4)))
    for number, part in enumerate((model, selector)):
        pl.layers.initialize(part, number)
    return training.TrainingState(
        model,
        optim.Muon(model.parameters(), lr=0.05),
        batch_size=16,
        epochs=3,
        selection=training.SelectiveBackprop(selector, optim.Adam(selector.parameters(), lr=0.01)),
    )


def images() -> pl.data.DataSet:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (112, 1, 12, 12), np.uint8)
    return pl.data.from_arrays(pixels, random.integers(0, 3, 112))


@pytest.mark.parametrize("steps", [3, 9, 14])
def test_an_interrupted_run_continues_with_the_same_samples(tmp_path: Path, steps: int) -> None:
    whole, part = images_state(), images_state()
    for _ in training.records(whole, images()):
        pass
    for record in islice(training.records(part, images()), steps):
        assert record is not None
    training.save_checkpoint(part, tmp_path)
    resumed = training.resume(tmp_path, images())
    for _ in training.records(resumed, images()):
        pass
    assert whole.selection is not None
    assert resumed.selection is not None
    expected = whole.model.state_dict() | whole.selection.optimizer.state_dict()
    found = resumed.model.state_dict() | resumed.selection.optimizer.state_dict()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_a_run_with_another_selection_is_not_continued(tmp_path: Path) -> None:
    state = images_state()
    training.save_checkpoint(state, tmp_path)
    assert state.selection is not None
    state.selection.keep = 0.25
    with pytest.raises(FileError, match="a different selection of samples"):
        training.restore(state, tmp_path)


def test_steps_of_both_networks_are_replayed() -> None:
    state = images_state()
    with engine.using("compiled"):
        for _ in training.records(state, images()):
            pass
    assert state.selection is not None
    assert state.selection._program is not None
    assert state.selection._program.captured == [(16, 1, 12, 12)]
    assert deepcopy(state.selection)._program is None


def test_what_cannot_be_selected_from_is_refused() -> None:
    with pytest.raises(PellucidError, match="keep is a share above 0"):
        selecting(keep=0.0)
    with pytest.raises(PellucidError, match="interval"):
        selecting(interval=0)
    with pytest.raises(TrainingError, match="one process; omit parallel"):
        pl.fit(network(), samples(), selection=selecting(), parallel=pl.parallel.Team(shards=2))
    model, alien = network(), network(seed=1, hidden=4)
    sgd = optim.SGD(model.parameters())
    narrow = models.mlp((FEATURES,), 3, hidden=(4,))
    for selector, optimizer, said in (
        (model, sgd, "the selector shares parameters with the model"),
        (alien, sgd, r"updates '.*', which is not a parameter of the selector"),
        (narrow, optim.SGD(narrow.parameters()), r"\(64, 5\), but those of the selector \(64, 3\)"),
        (alien.astype("float64"), optim.SGD(alien.parameters()), "the model is float32, but"),
    ):
        selection = training.SelectiveBackprop(selector, optimizer)
        with pytest.raises(PellucidError, match=said):
            pl.fit(model, samples(), optimizer=sgd, selection=selection)
    with pytest.raises(PellucidError, match="takes a layer and an optimiser"):
        training.SelectiveBackprop("mlp", sgd)  # type: ignore[arg-type]
    broken = selecting()
    broken.selector.parameters()[0].value[...] = np.nan
    with pytest.raises(TrainingError, match=r"selector's loss is NaN or infinite; lower the rate"):
        pl.fit(network(), samples(), selection=broken)
