"""A short training run with the library and with PyTorch."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

import pellucid as pl
from pellucid import engine, losses, optim
from pellucid import layers as nn
from pellucid.optim import schedules
from random_networks.drawing import Case
from random_networks.node import make
from random_networks.runs import Arrays, Data, Diverges, Way, model_of, single
from random_networks.torch_twin import Noise, Twin

EPOCHS, STEPS = 2, 4
MOST_IMAGES = 9
"""Maximum number of images in a batch; `runs` covers larger ones for a single step."""
DECAY = 0.8

Batch = tuple[np.ndarray, ...]


class Batches:
    """The batches of a run; the last one of an epoch has fewer images than the others."""

    def __init__(self, case: Case, data: Data, dtype: str) -> None:
        self.case, self.data, self.dtype = case, data, dtype

    def __len__(self) -> int:
        return STEPS

    def batches(self, epoch: int, seed: int) -> Iterator[Any]:
        for x, targets, *weights in _drawn(self.case.seed, epoch, self.case.shape, *self._targets):
            given = targets.astype(self.dtype) if targets.dtype.kind == "f" else targets
            yield x.astype(self.dtype), given, *weights

    @property
    def _targets(self) -> tuple[int, str, bool]:
        settings = self.case.training
        return self.data.dy.shape[1], settings["loss"]["type"], settings["weights"]


@lru_cache(maxsize=2 * EPOCHS)
def _drawn(
    seed: int, epoch: int, shape: tuple[int, ...], classes: int, loss: str, weighted: bool
) -> list[Batch]:
    """Return an epoch's batches of images, targets and, if `weighted`, weights of images."""
    random, batches = np.random.default_rng([seed, epoch]), []
    full = min(shape[0], MOST_IMAGES)
    for step in range(STEPS):
        count = full - 1 if step == STEPS - 1 and full > 3 else full
        x = single(random.normal(size=(count, *shape[1:])))
        targets = _drawn_targets(random, (count, classes), loss)
        weights = (single(random.uniform(0.2, 2, count)),) if weighted else ()
        batches.append((x, targets, *weights))
    return batches


def _drawn_targets(random: np.random.Generator, shape: tuple[int, ...], loss: str) -> np.ndarray:
    if loss == "CrossEntropy":
        targets = random.integers(0, shape[1], shape[0])
        targets[0] = 1  # class 1 is never ignored, so at least one target counts
        return targets
    return single(random.normal(size=shape) if loss == "MeanSquaredError" else random.random(shape))


def trained(case: Case, data: Data, dtype: str) -> Arrays:
    """Return the values after training with the library."""
    settings, model = case.training, model_of(case, data, dtype)
    averages = None
    if settings["average"]:
        averages = optim.ExponentialMovingAverage(dict(model.named_state()), decay=DECAY)
    epochs = pl.train(
        model,
        Batches(case, data, dtype),
        optimizer=optim.build(settings["optimizer"], model.parameters()),
        schedule=schedules.build(settings["schedule"]),
        loss=losses.build(settings["loss"]),
        epochs=EPOCHS,
        averages=averages,
        seed=case.seed,
    )
    for _ in epochs:
        pass
    found = {name: item.value for name, item in model.named_state()}
    if averages is not None:
        found |= {f"{name}, averaged": value for name, value in averages.values.items()}
    return found


def training_ways() -> Iterator[Way]:
    """Yield all ways to train a network."""
    for by, dtype in (("reference", "float64"), ("reference", "float32"), ("compiled", "float32")):

        def run(case: Case, data: Data, by: str = by, dtype: str = dtype) -> Arrays:
            with engine.using(by):
                return trained(case, data, dtype)

        yield Way(f"{by} {dtype}, trained", run, dtype, "trained")


# PyTorch


def trained_by_torch(
    case: Case, data: Data, dtype: torch.dtype, noise: Noise | None = None
) -> Arrays:
    """Return the values after training with PyTorch."""
    settings, kind = case.training, str(dtype).removeprefix("torch.")
    twin = Twin(make(case.node, case.shape), data.state, dtype, noise)
    optimizer, factor = (
        _optimizer(settings["optimizer"], twin),
        schedules.build(settings["schedule"]),
    )
    averages: dict[str, torch.Tensor] = {}
    source = Batches(case, data, kind)
    for epoch in range(EPOCHS):
        for step, (x, targets, *weights) in enumerate(source.batches(epoch, case.seed)):
            for group in optimizer.param_groups:
                rate = factor(epoch * STEPS + step, EPOCHS * STEPS)
                group["lr"] = settings["optimizer"]["lr"] * rate
            context = nn.StepContext(case.seed, epoch, step)
            outputs = twin(torch.tensor(x), context)
            loss = _loss(settings["loss"], outputs, torch.tensor(targets), weights)
            if not loss.isfinite():
                raise Diverges
            optimizer.zero_grad(set_to_none=False)
            loss.backward()
            if "clip_norm" in settings["optimizer"]:
                torch.nn.utils.clip_grad_norm_(
                    twin.parameters().values(), settings["optimizer"]["clip_norm"]
                )
            optimizer.step()
            _average(averages, twin.values)
    found = {name: value.detach().numpy() for name, value in twin.values.items()}
    if settings["average"]:
        found |= {f"{name}, averaged": value.numpy() for name, value in averages.items()}
    return found


def _average(averages: dict[str, torch.Tensor], values: dict[str, torch.Tensor]) -> None:
    for name, value in values.items():
        now = value.detach().clone()
        if name in averages and now.is_floating_point():
            now = DECAY * averages[name] + (1 - DECAY) * now
        averages[name] = now


def _optimizer(settings: dict[str, Any], twin: Twin) -> torch.optim.Optimizer:
    given = {k: v for k, v in settings.items() if k not in ("type", "decay_kinds", "clip_norm")}
    decay = given.pop("weight_decay", 0.01 if settings["type"] == "AdamW" else 0.0)
    kinds = settings.get("decay_kinds", ("weight", "bias", "norm"))
    named = twin.model.named_parameters()
    groups = [
        {"params": [value], "weight_decay": decay * (named[name].kind in kinds)}
        for name, value in twin.parameters().items()
    ]
    for value in twin.parameters().values():
        value.grad = torch.zeros_like(value)  # parameters without a gradient decay too
    found: torch.optim.Optimizer = getattr(torch.optim, settings["type"])(groups, **given)
    return found


def _loss(
    settings: dict[str, Any], outputs: torch.Tensor, targets: torch.Tensor, weights: Any
) -> torch.Tensor:
    share = torch.tensor(weights[0], dtype=outputs.dtype) if weights else torch.ones(len(outputs))
    share = share.to(outputs.dtype)
    match settings["type"]:
        case "CrossEntropy":
            ignored = settings.get("ignore_index", -100)
            each = F.cross_entropy(
                outputs,
                targets,
                reduction="none",
                label_smoothing=settings.get("label_smoothing", 0.0),
                ignore_index=ignored,
            )
            return (each * share).sum() / (share * (targets != ignored)).sum()
        case "MeanSquaredError":
            each = F.mse_loss(outputs, targets, reduction="none").mean(1)
        case _:
            each = F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(1)
    return (each * share).sum() / share.sum()
