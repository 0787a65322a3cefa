"""Record the size of each layer's gradient, and how far each step moves the weights."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from pellucid.errors import FileError
from pellucid.files import atomic_write
from pellucid.parameter import Parameter
from pellucid.training.records import Record, Step
from pellucid.training.state import TrainingState
from pellucid.types import Array

R = TypeVar("R", bound=Record)

COLUMNS = ("step", "weight", "gradient_norm", "weight_norm", "update_norm")


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """The norms that `record_gradients` wrote, of S steps and L weights in the network's order.

    Attributes
    ----------
    steps
        Numbers of the steps, (S,), counted from 1 over the whole run.
    names
        Names of the L weights.
    gradient, weight, update
        Euclidean norms ``‖∂L/∂w‖``, ``‖w‖`` before the step, and ``‖Δw‖`` of each weight, (S, L).
    """

    steps: Array
    names: tuple[str, ...]
    gradient: Array
    weight: Array
    update: Array

    @property
    def ratio(self) -> Array:
        """Relative update ``‖Δw‖ / ‖w‖``, (S, L); 0 where w is 0."""
        return np.divide(
            self.update, self.weight, out=np.zeros_like(self.update), where=self.weight > 0
        )


def is_recorded(step: int) -> bool:
    """Return whether the norms of this step are recorded: 16 steps in each doubling.

    So all of the first 32 steps are recorded, when most happens, and the record stays short for
    long runs. The result only depends on the number of the step, so a resumed run records the same
    steps.

    >>> [step for step in range(1, 80) if is_recorded(step)][-10:]
    [52, 54, 56, 58, 60, 62, 64, 68, 72, 76]
    """
    return step % (1 << max(0, step.bit_length() - 5)) == 0


def record_gradients(records: Iterable[R], state: TrainingState, path: str | Path) -> Iterator[R]:
    """Write the gradient norms of a run to a CSV file, one row per weight and recorded step.

    See `is_recorded` for the steps. Only parameters of the kind "weight" are recorded. Gradients
    are those used by the optimiser, after clipping. When a run is resumed, rows after its
    checkpoint are removed first, because those steps are repeated.

    Examples
    --------
    >>> import tempfile
    >>> from pellucid import layers as nn, optim
    >>> from pellucid.training import records
    >>> model = nn.Sequential(fc=nn.Linear(2, 2))
    >>> state = TrainingState(model, optim.SGD(model.parameters(), lr=0.1), epochs=3)
    >>> data = np.eye(2, dtype=np.float32), np.array([0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "gradients.csv"
    ...     for _ in record_gradients(records(state, data), state, path):
    ...         pass
    ...     flow = read_gradients(path)
    >>> flow.steps, flow.names
    (array([1, 2, 3]), ('fc.weight',))
    >>> np.allclose(flow.update, 0.1 * flow.gradient)
    True
    """
    path, weights = Path(path), _weights(state)
    _begin(path, state.optimizer.steps)
    before = _before_next(weights, state)
    for record in records:
        if isinstance(record, Step) and before is not None:
            _append(path, state.optimizer.steps, weights, before)
        yield record
        if isinstance(record, Step):
            before = _before_next(weights, state)


def read_gradients(path: str | Path) -> GradientFlow:
    """Read the norms that `record_gradients` wrote.

    Raises
    ------
    FileError
        The file does not exist or is not a record of gradients.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if None not in row.values()]
        names = tuple(dict.fromkeys(row["weight"] for row in rows))
        whole = len(rows) // max(1, len(names)) * len(names)
        numbers = [[float(row[column]) for column in COLUMNS[2:]] for row in rows[:whole]]
        steps = np.array([int(row["step"]) for row in rows[: whole : max(1, len(names))]], int)
        norms = np.array(numbers, float).reshape(len(steps), len(names), 3)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, OverflowError, csv.Error) as error:
        raise FileError(f"{path} is not a record of gradients: {error!s:.300}") from error
    return GradientFlow(steps, names, *np.moveaxis(norms, 2, 0))


def _weights(state: TrainingState) -> dict[str, Parameter]:
    """Return the optimiser's parameters of the kind "weight", by their path in the model."""
    learned = {id(parameter) for parameter in state.optimizer.learned}
    return {
        name: parameter
        for name, parameter in state.model.named_parameters().items()
        if parameter.kind == "weight" and id(parameter) in learned
    }


def _before_next(weights: dict[str, Parameter], state: TrainingState) -> list[Array] | None:
    """Return copies of the weights if the next step is recorded."""
    if not is_recorded(state.optimizer.steps + 1):
        return None
    return [weight.value.copy() for weight in weights.values()]


def _begin(path: Path, steps: int) -> None:
    """Keep only the rows of the first `steps` steps in the file."""
    kept = []
    if steps and path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            kept = [row for row in file.readlines()[1:] if _is_of(row, steps)]
    atomic_write(path, (",".join(COLUMNS) + "\n" + "".join(kept)).encode())


def _is_of(row: str, steps: int) -> bool:
    number = row.partition(",")[0]
    return row.endswith("\n") and number.isdecimal() and int(number) <= steps


def _append(path: Path, step: int, weights: dict[str, Parameter], before: list[Array]) -> None:
    rows = []
    for (name, weight), old in zip(weights.items(), before, strict=True):
        norms = _norm(weight.grad), _norm(old), _norm(np.subtract(weight.value, old, out=old))
        rows.append([step, name, *(f"{norm:.4g}" for norm in norms)])
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _norm(values: Array) -> float:
    flat = values.ravel(order="K")  # no copy, whatever the order in memory
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.dot(flat, flat)))
