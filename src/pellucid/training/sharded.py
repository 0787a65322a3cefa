"""Compute the gradients of a step from shards in several processes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from time import perf_counter
from typing import Any, NoReturn

import numpy as np

from pellucid.errors import LostProcessError, PellucidError, TrainingError
from pellucid.execution import Lockstep, ThreadTuner, for_training
from pellucid.layers import StepContext
from pellucid.parallel import Team
from pellucid.parallel.pending import Pending
from pellucid.parallel.tree import TreeSum
from pellucid.parameter import Buffer
from pellucid.training.accuracy import count_correct
from pellucid.training.batches import Sharded
from pellucid.training.data import Batch
from pellucid.training.divergence import non_finite_gradient, non_finite_loss
from pellucid.training.gradient_sum import GradientSum, buckets
from pellucid.training.metrics import measured
from pellucid.training.state import TrainingState
from pellucid.types import Array


@dataclass(frozen=True)
class Outcome:
    """Results of a step's batch before the update; the gradients are in the parameters."""

    training: StepContext
    loss: float
    correct: int | None
    samples: int
    counted: float
    weight: float
    metrics: dict[str, float]


class ShardedGradients:
    """Compute the gradients of a step together with the other processes of a team.

    With L̄ₛ the mean loss of shard s and mₛ its weight (see `Loss.total_weight`), loss and gradient
    of the batch are::

        L = Σ mₛ·L̄ₛ / Σ mₛ        ∂L/∂w = Σ mₛ·∂L̄ₛ/∂w / Σ mₛ

    with sums over the shards in the order of `TreeSum`. Batch statistics are those of a shard; the
    running statistics follow their mean, weighted by the shards' numbers of samples. With
    ``sync_batch_norm``, batch statistics are those of all shards.
    """

    def __init__(self, state: TrainingState, team: Team, tuner: ThreadTuner) -> None:
        self._state, self._team, self._tuner = state, team, tuner
        self._program = for_training(state.model, state.recompute, announces=team.size > 1)
        self._learned = state.optimizer.learned
        self._buckets = buckets(self._learned, team.bucket_bytes)
        named = {id(item): item for _, item in state.model.named_state()}
        self._notes = _Notes(
            [item for item in named.values() if isinstance(item, Buffer)], len(state.metrics)
        )
        self._lockstep = Lockstep(state.model, self._shared) if state.sync_batch_norm else None

    def __call__(self, batches: Iterator[Sharded]) -> Outcome:
        """Compute the gradients for the next batch.

        Raises
        ------
        LostProcessError
            A process has ended or does not answer. Nothing is changed.
        TrainingError
            The loss or a gradient is not finite, or another process has failed.
        """
        started, state, team = perf_counter(), self._state, self._team
        self._meeting: Pending[bool] | None = None
        failed: Exception | None = None
        try:
            shards = next(batches)
            self._count = shards.count
            gradients = GradientSum(team, self._buckets, shards.count, state.dtype)
            notes = TreeSum(shards.count)
            compute = self._each if self._lockstep is None else self._together
            with self._tuner.step(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                compute(shards.mine, gradients, notes)
        except LostProcessError:
            raise
        except Exception as error:  # tell the other processes, which are waiting
            failed = error
        computed = perf_counter()
        if isinstance(failed, _OthersFailed):
            self._fail(None)
        meeting = self._meeting or team.start_meeting(failed is not None)
        if meeting.wait():
            self._fail(failed)
        if failed is not None:  # after this process said that it has not
            gradients.give_up(shards.mine)
            notes = self._notes.of_failure(shards)
        noted = team.sum(notes, shards.count, self._notes.length, np.float64)
        met, weight = perf_counter(), noted[_WEIGHT] or 1.0
        gradients.finish(weight)
        if noted[_FAILED]:
            self._fail(failed)
        team.measure(started, computed, met)
        training = StepContext(state.seed, state.epoch, state.step)
        if (wrong := non_finite_gradient(self._learned, training)) is not None:
            raise wrong
        self._notes.note(noted, training)
        return Outcome(
            training,
            float(noted[_LOSS] / weight),
            None if noted[_UNKNOWN] else int(noted[_CORRECT]),
            shards.samples,
            float(noted[_COUNTED]),
            float(noted[_WEIGHT]),
            {
                name: float(value / (noted[_COUNTED] or 1.0))
                for name, value in zip(state.metrics, noted[_SUMS:], strict=False)
            },
        )

    def _each(self, shards: Mapping[int, Batch], gradients: GradientSum, notes: TreeSum) -> None:
        """Add the gradients and notes of this process's shards, computed one after the other."""
        state = self._state
        for number, batch in shards.items():
            training = StepContext(state.seed, state.epoch, state.step, number)
            state.optimizer.zero_grad()
            outputs, cache = self._program.forward(batch[0], training)
            weight, gradient, sums = self._judged(batch, outputs, training)
            if number < max(shards):
                self._program.backward(gradient, cache, input_gradient=False)
                gradients.add(number, {p: p.grad for p in self._learned}, weight)
            else:
                self._meeting = self._team.start_meeting()
                with gradients.adding_last(number, weight, self._meeting):
                    self._program.backward(gradient, cache, input_gradient=False)
            notes.add((0, number), self._notes.of(training, len(batch[1]), sums))
            training.forget()

    def _together(
        self, shards: Mapping[int, Batch], gradients: GradientSum, notes: TreeSum
    ) -> None:
        """Do the same layer by layer, with batch statistics of all shards.

        Their gradients depend on those of all shards, which are weighted before the backward pass.
        """
        state, lockstep = self._state, self._lockstep
        assert lockstep is not None
        steps = [StepContext(state.seed, state.epoch, state.step, number) for number in shards]
        state.optimizer.zero_grad()
        outputs, cache = lockstep.forward([batch[0] for batch in shards.values()], steps)
        weighted = []
        for (number, batch), output, step in zip(shards.items(), outputs, steps, strict=True):
            weight, gradient, sums = self._judged(batch, output, step)
            weighted.append(np.multiply(gradient, weight, dtype=gradient.dtype))
            notes.add((0, number), self._notes.of(step, len(batch[1]), sums))
        for number, found in zip(shards, lockstep.backward(weighted, cache), strict=True):
            gradients.add(number, found, 1.0)

    def _judged(
        self, batch: Batch, outputs: Array, training: StepContext
    ) -> tuple[float, Array, list[Any]]:
        """Return the weight of a shard, the gradient of its mean loss, and its sums."""
        state = self._state
        x, targets, *weights = batch
        loss, gradient = state.loss(outputs, targets, *weights)
        if not math.isfinite(loss):
            raise non_finite_loss(state.model, x, training, loss)
        weight = state.loss.total_weight(targets, *weights)
        correct = count_correct(state.loss, outputs, targets)
        counted = state.loss.counted(targets)
        sums = [weight * loss, weight, counted, correct or 0, correct is None]
        sums.append(False)  # has not failed
        values = measured(state.metrics, outputs, targets, state.loss)
        sums += [counted * value for value in values.values()]
        return weight, gradient, sums

    def _shared(self, rows: Array) -> Array:
        """Return the rows of all shards, unless a process has failed and cannot share its own."""
        if self._team.meet(failed=False):
            raise _OthersFailed
        return self._team.all_rows(rows, self._count)

    def _fail(self, failed: Exception | None) -> NoReturn:
        """Raise the error of the first failed process, in all processes."""
        messages = self._team.gather(None if failed is None else f"{failed}")
        first = next(rank for rank, message in enumerate(messages) if message is not None)
        if failed is not None and (
            self._team.rank == first or not isinstance(failed, PellucidError)
        ):
            raise failed
        raise TrainingError(messages[first]) from failed


class _OthersFailed(Exception):  # noqa: N818, not an error of its own
    """Another process has failed, as all processes know by now."""


_LOSS, _WEIGHT, _COUNTED, _CORRECT, _UNKNOWN, _FAILED, _SUMS = range(7)
"""Position of the sums in a shard's notes; the metrics and the buffers follow."""


class _Notes:
    """Values summed over shards in addition to gradients: sums, and the next values of buffers.

    A buffer is preceded by the number of samples for which it changed, which is its weight. Counts
    are represented by their increase.
    """

    def __init__(self, buffers: Sequence[Buffer], metrics: int) -> None:
        self._buffers, self._sums = buffers, _SUMS + metrics
        ends = list(accumulate((1 + math.prod(b.shape) for b in buffers), initial=self._sums))
        self._places = [slice(a, b) for a, b in pairwise(ends)]
        self.length = ends[-1]

    def of(self, training: StepContext, samples: int, sums: Sequence[Any]) -> Array:
        """Return the notes of one shard as a vector."""
        noted = np.zeros(self.length)
        noted[: self._sums] = sums
        pending = training.pending_updates()
        for buffer, place in zip(self._buffers, self._places, strict=True):
            if buffer in pending:
                value = pending[buffer]
                value = value - buffer.value if _counts(buffer) else value
                noted[place.start] = samples
                noted[place.start + 1 : place.stop] = samples * np.ravel(value).astype(np.float64)
        return noted

    def of_failure(self, shards: Sharded) -> TreeSum:
        """Return the notes of a process that has failed."""
        notes = TreeSum(shards.count)
        for number in shards.mine:
            notes.add((0, number), np.eye(1, self.length, _FAILED)[0])
        return notes

    def note(self, noted: Array, training: StepContext) -> None:
        """Record the buffers' next values, combined over the shards, in the step's context."""
        for buffer, place in zip(self._buffers, self._places, strict=True):
            samples, values = noted[place.start], noted[place.start + 1 : place.stop]
            if not samples:
                continue
            mean = (values / samples).reshape(buffer.shape)
            if _counts(buffer):
                mean = buffer.value + np.rint(mean).astype(buffer.dtype)
            training.update(buffer, mean.astype(buffer.dtype))


def _counts(buffer: Buffer) -> bool:
    return not np.issubdtype(buffer.dtype, np.floating)
