"""How training processes agree with each other, and continue when one of them is lost."""

from __future__ import annotations

import hashlib
import json
import math
import platform

import numpy as np

import pellucid
from pellucid import engine
from pellucid.errors import LostProcessError, TrainingError
from pellucid.execution import Lockstep
from pellucid.parallel import Team
from pellucid.training import checkpoint
from pellucid.training.checkpoint_contents import setup
from pellucid.training.records import Epoch
from pellucid.training.state import TrainingState


def check_whole(state: TrainingState) -> None:
    """Raise an error if the run splits its batches into shards, which it has to continue to do."""
    if state.shards is not None:
        raise TrainingError(
            f"this run splits each batch into {state.shards} shards; pass "
            f"parallel=pellucid.parallel.Team(shards={state.shards}), or more processes"
        )


def take_shards(state: TrainingState, team: Team) -> None:
    """Set the number of shards of a new run from the team; check that of an old run."""
    if state.selection is not None:
        raise TrainingError("a run that selects samples is computed by one process; omit parallel")
    if state.epoch == state.step == 0 and state.shards is None:
        state.shards, state.sync_batch_norm = team.shards, team.sync_batch_norm
    if state.shards is None:
        raise TrainingError(
            "this run was started by one process, without shards, and must continue so: omit "
            "parallel"
        )
    if state.shards != team.shards:
        raise TrainingError(
            f"this run splits each batch into {state.shards} shards, not {team.shards}"
        )
    if state.sync_batch_norm != team.sync_batch_norm:
        has = "has" if state.sync_batch_norm else "does not have"
        raise TrainingError(
            f"this run {has} sync_batch_norm: pass the same to pellucid.parallel.mpi or Team"
        )
    if state.sync_batch_norm:
        Lockstep(state.model)  # raises an error if it cannot run the model


def check_same_run(state: TrainingState, team: Team) -> None:
    """Raise an error in all processes if their data, settings, weights or versions differ."""
    if "tuned" in engine.setting():
        raise TrainingError("processes would choose different algorithms by timing; omit --tune")
    settings = {f"{name} of the run": json.dumps(value) for name, value in _settings(state).items()}
    data = {f"{part} data": json.dumps(value) for part, value in (state.data or {}).items()}
    team.check_same(
        {
            "version of Pellucid": pellucid.__version__,
            "version of Python": platform.python_version(),
            "version of NumPy": np.__version__,
            "engine": engine.setting(),
            **data,
            **settings,
            "position in the run": f"epoch {state.epoch + 1}, step {state.step + 1}",
        },
        patience=math.inf,  # the others may still read their data
    )
    check_same_weights(state, team)


def check_same_weights(state: TrainingState, team: Team) -> None:
    """Raise an error in all processes if a parameter or buffer differs between them.

    The message names the process and the value. All processes compute the same updates from the
    same gradients, so a difference means that a machine or the program is faulty.
    """
    team.check_same({f"value of {name}": value for name, value in _digests(state).items()})


def recover(state: TrainingState, team: Team, error: LostProcessError) -> Epoch | None:
    """Continue without processes that have ended, from the newest state of the others.

    When a process ends, some of the others may have finished the step that needed it.

    Returns
    -------
    Epoch
        The record of the epoch, if this process missed its end.

    Raises
    ------
    LostProcessError
        Continuing is not possible: `error`, or the problem that occurred.
    """
    epoch = state.epoch
    for _ in range(team.size):  # further processes may end meanwhile
        if not (error.has_ended and team.communicator.can_shrink):
            raise error
        try:
            team.communicator.shrink()
            _catch_up(state, team)
            return state.history[-1] if state.epoch > epoch else None
        except LostProcessError as another:
            error = another
    raise error


def _catch_up(state: TrainingState, team: Team) -> None:
    positions = team.gather([state.epoch, state.step])
    newest = positions.index(max(positions))
    if min(positions) == max(positions):
        return
    mine = checkpoint.packed(state) if team.rank == newest else b""
    data = team.gather_bytes(mine)[newest]
    if positions[team.rank] != positions[newest]:
        checkpoint.unpack(state, data)


def _settings(state: TrainingState) -> dict[str, object]:
    return setup(state) | {"epochs": state.epochs}


def _digests(state: TrainingState) -> dict[str, str]:
    """Return a hash of each value of the model."""
    return {
        name: hashlib.blake2b(np.ascontiguousarray(item.value).data, digest_size=8).hexdigest()
        for name, item in state.model.named_state()
    }
