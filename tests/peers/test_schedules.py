"""Schedules agree with PyTorch's where it has the same."""

import pytest
import torch
from torch.optim import lr_scheduler

from pellucid.optim.schedules import Constant, Cosine, Exponential, OneCycle, Step, Warmup

BASE, TOTAL = 0.3, 40


def one_cycle(peak, start, final):
    return lambda optimizer: lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=BASE,
        total_steps=TOTAL,
        pct_start=peak,
        div_factor=start,
        final_div_factor=final,
    )


def warm_up_then_cosine(steps):
    def make(optimizer):
        warm = lr_scheduler.LinearLR(optimizer, 1 / steps, total_iters=steps - 1)
        rest = lr_scheduler.CosineAnnealingLR(optimizer, TOTAL - steps)
        return lr_scheduler.SequentialLR(optimizer, [warm, rest], milestones=[steps])

    return make


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Constant(), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        (Step(7, 0.5), lambda o: lr_scheduler.StepLR(o, 7, 0.5)),
        (Step(0.25, 0.1), lambda o: lr_scheduler.StepLR(o, TOTAL // 4, 0.1)),
        (Exponential(0.01), lambda o: lr_scheduler.ExponentialLR(o, 0.01 ** (1 / TOTAL))),
        (Cosine(), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL)),
        (Cosine(0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL, eta_min=0.1 * BASE)),
        (OneCycle(), one_cycle(0.3, 25, 1e4)),
        (OneCycle(0.55, 10, 100), one_cycle(0.55, 10, 100)),
        (Warmup(8, Cosine()), warm_up_then_cosine(8)),
        (Warmup(0.2, Cosine()), warm_up_then_cosine(8)),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step()`")
def test_every_rate_of_a_run_is_the_same(ours, theirs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    scheduler = theirs(optimizer)
    for step in range(TOTAL):
        rate = optimizer.param_groups[0]["lr"]
        assert BASE * ours(step, TOTAL) == pytest.approx(rate, rel=1e-9), step
        optimizer.step()
        scheduler.step()
