"""Which layers the compiled engine computes, captures and fuses, found by running them.

``PYTHONPATH=tests/helpers python -m engine_coverage`` writes the table into the documentation.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.pages import between_markers
from layer_table import ROWS
from pellucid import engine, execution
from pellucid import layers as nn
from pellucid.execution.blocks import Block
from pellucid.execution.capture import AFTER
from pellucid.losses import LOSSES
from pellucid.runtime.recording import Recording
from pellucid.runtime.workspace import Workspace

PAGE = Path(__file__).parents[2] / "docs" / "compiled-engine.md"
WITH_OTHERS_INSIDE = {"Sequential", "Residual", "Concat", "Graph"}


class Coverage(NamedTuple):
    """What is found for a layer; forward and backward are "compiled", "NumPy", "partly" or "–"."""

    forward: str
    backward: str
    captured: str
    fused: str


@contextmanager
def _watched(found: dict[str, bool]) -> Iterator[None]:
    """Note whether kernels, and whether functions of the reference engine, compute something."""
    recording = Recording(Workspace())

    def notice(frame, event, _):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("pellucid.reference"):
            found["numpy"] |= module != "pellucid.reference.memory"

    with recording.capturing():
        sys.setprofile(notice)
        try:
            yield
        finally:
            sys.setprofile(None)
    called = [getattr(function, "dispatcher", function) for function, _ in recording._calls]
    found["kernels"] = any(hasattr(function, "py_func") for function in called)


def _by_whom(run: Callable[..., Any], *given: Any) -> tuple[str, Any]:
    """Return who computes it once its tables are made, and the result."""
    run(*given)
    found = {"numpy": False, "kernels": False}
    with _watched(found):
        result = run(*given)
    if found["kernels"]:
        return ("partly" if found["numpy"] else "compiled"), result
    y = result[0] if isinstance(result, tuple) else result
    same = isinstance(y, np.ndarray) and np.shares_memory(y, given[0])
    return ("–" if same and not found["numpy"] else "NumPy"), result


def coverage_of(name: str) -> Coverage:
    """Return what is found for a row of the table of layers."""
    row = ROWS[name]
    shape = (max(row.shape[0], row.smallest_batch, 2), *row.shape[1:])
    layer = nn.initialize(row.make(), 1)
    x = np.random.default_rng(0).uniform(0.5, 2.0, shape).astype(np.float32)
    context = nn.StepContext(seed=1, epoch=1, step=1)
    forward, (y, cache) = _by_whom(layer.forward, x, context)
    backward, _ = _by_whom(layer.backward, np.array(y), cache)
    C = shape[1]
    before = {2: nn.Linear(C, C), 4: nn.Conv2d(C, C, 1)}.get(len(shape), nn.Identity())
    model = nn.initialize(nn.Sequential(before, row.make()), 1)
    parts = execution.fuse(model).part_for(x).children().values()
    fused = any(isinstance(part, Block) for part in parts)
    run = execution.for_training(model)
    for step in range(AFTER + 2):
        y, cache = run.forward(x, nn.StepContext(seed=1, epoch=1, step=step))
        model.zero_grad()
        run.backward(np.zeros_like(y), cache, input_gradient=False)
    return Coverage(forward, backward, "yes" if run.captured else "no", "yes" if fused else "no")


def losses_by_whom() -> str:
    """Return who computes each loss and its gradient, for outputs as a model returns them."""
    random = np.random.default_rng(0)
    outputs = np.asfortranarray(random.normal(size=(32, 10)).astype(np.float32))
    found = {}
    for name, loss in LOSSES.items():
        given = random.integers(0, 10, 32) if name == "CrossEntropy" else abs(outputs) / 10
        found[name], _ = _by_whom(partial(loss(), targets=given), outputs)
    return (
        "Losses and their gradients: " + ", ".join(f"`{n}` {by}" for n, by in found.items()) + "."
    )


def table() -> str:
    """Return the table, a sentence on losses, and one on the layers that NumPy computes eagerly."""
    names = [n for n in ROWS if isinstance(ROWS[n].shape[0], int) and n not in WITH_OTHERS_INSIDE]
    with engine.using("compiled"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = {name: coverage_of(name) for name in names if not name.startswith("Residual")}
        losses = losses_by_whom()
    in_numpy = [n for n, c in found.items() if "compiled" not in c[:2] and c.captured == "no"]
    lines = ["| layer | forward | backward | captured | fused |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {n} | {' | '.join(c)} |" for n, c in found.items() if n not in in_numpy]
    rest = "; ".join(f"`{name}`" for name in in_numpy)
    return "\n".join([*lines, "", losses, "", f"NumPy computes, and no capture contains: {rest}."])


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(between_markers(text, "coverage", table()), encoding="utf-8")
