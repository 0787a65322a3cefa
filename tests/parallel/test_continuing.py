"""When a process is lost, the others meet at the state of the newest, or say why they cannot."""

from types import SimpleNamespace

import pytest

import small_run
from pellucid.errors import LostProcessError, TrainingError
from pellucid.parallel import Team, communicator
from pellucid.training import agreement, checkpoint, records
from pellucid.training.agreement import recover, take_shards
from threads_as_processes import run_as

LOST = LostProcessError("process 3 has ended")


def advanced(count):
    """Return a run that has done so many of its records: 4 steps an epoch, then its end."""
    state = small_run.simple_state(epochs=3)
    drawn = records(state, small_run.DATA, small_run.VALIDATION)
    for _ in range(count):
        next(drawn)
    return state


@pytest.fixture(scope="module")
def states():
    return {count: checkpoint.packed(advanced(count)) for count in (2, 3, 4, 5)}


def at(states, count):
    state = small_run.simple_state(epochs=3)
    checkpoint.unpack(state, states[count])
    return state


@pytest.mark.parametrize(
    "counts", [(2, 2, 2), (2, 3, 2), (3, 2, 3), (4, 5, 5), (5, 4, 4), (4, 3, 3)]
)
def test_all_continue_from_the_newest_state(counts, states):
    expected = at(states, max(counts))

    def action(team):
        team.communicator.can_shrink, team.communicator.shrink = True, lambda: None
        state = at(states, counts[team.rank])
        return state, recover(state, team, LOST)

    for (state, epoch), count in zip(run_as(3, action), counts, strict=True):
        assert (state.epoch, state.step) == (expected.epoch, expected.step)
        assert small_run.equal(state.model.state_dict(), expected.model.state_dict())
        assert small_run.equal(state.optimizer.state_dict(), expected.optimizer.state_dict())
        missed = max(counts) == 5 and count == 4
        assert epoch == (state.history[-1] if missed else None)


def test_the_state_is_sent_only_by_the_process_that_has_it(states, monkeypatch):
    packed = []
    pack = checkpoint.packed
    monkeypatch.setattr(checkpoint, "packed", lambda state: packed.append(state) or pack(state))

    def action(team):
        team.communicator.can_shrink, team.communicator.shrink = True, lambda: None
        state = at(states, (2, 3, 2)[team.rank])
        recover(state, team, LOST)
        return state

    found = run_as(3, action)
    assert packed == [found[1]]


class Alone:
    """One of two processes, of which the other is lost; it shrinks after some attempts."""

    rank, size = 0, 2

    def __init__(self, attempts=1, can_shrink=True):
        self.can_shrink, self._left, self.tried = can_shrink, attempts, 0

    def shrink(self):
        self.tried += 1
        if self.tried < self._left:
            raise LostProcessError(f"attempt {self.tried} failed", has_ended=self.tried < 5)
        self.size = 1


def test_further_processes_may_end_meanwhile(states):
    communicator = Alone(attempts=2)
    assert recover(at(states, 2), Team(communicator, 8), LOST) is None
    assert communicator.tried == 2


def test_it_is_tried_as_often_as_there_are_processes(states):
    communicator = Alone(attempts=9)
    with pytest.raises(LostProcessError, match="attempt 2 failed"):
        recover(at(states, 2), Team(communicator, 8), LOST)
    assert communicator.tried == 2


@pytest.mark.parametrize(("ended", "can_shrink"), [(False, True), (True, False), (False, False)])
def test_without_a_process_that_may_still_answer_nothing_continues(ended, can_shrink, states):
    communicator = Alone(can_shrink=can_shrink)
    error = LostProcessError("process 1 does not answer", has_ended=ended)
    with pytest.raises(LostProcessError, match="process 1 does not answer"):
        recover(at(states, 2), Team(communicator, 8), error)
    assert communicator.tried == 0


@pytest.mark.parametrize("can_shrink", [False, True])
def test_a_finished_process_needs_no_others_unless_they_can_go_on_without_one(can_shrink):
    met, shrunk = [], []

    def meet(failed):
        met.append(failed)
        if len(met) == 1:
            raise LOST
        return False

    class Last(communicator.Alone):
        @property
        def can_shrink(self):
            return can_shrink

        def shrink(self):
            shrunk.append(True)

    several = Team(Last(), shards=2)
    several.meet = meet
    state = small_run.simple_state(epochs=1)
    assert len(list(records(state, small_run.DATA, parallel=several))) == 5
    assert (met, shrunk) == (([False, False], [True]) if can_shrink else ([False], []))


# Before the first step


def team(shards=4, sync_batch_norm=False):
    return Team(shards=shards, sync_batch_norm=sync_batch_norm)


def test_a_new_run_takes_the_shards_of_its_team_and_keeps_them():
    state = small_run.simple_state()
    take_shards(state, team(4, True))
    assert (state.shards, state.sync_batch_norm) == (4, True)
    take_shards(state, team(4, True))
    for other, said in ((team(8, True), "into 4 shards, not 8"), (team(4), "has sync_batch_norm")):
        with pytest.raises(TrainingError, match=said):
            take_shards(state, other)
    plain = small_run.simple_state()
    take_shards(plain, team())
    with pytest.raises(TrainingError, match="does not have sync_batch_norm"):
        take_shards(plain, team(4, True))


@pytest.mark.parametrize(("epoch", "step"), [(0, 1), (1, 0)])
def test_a_run_begun_without_shards_takes_none(epoch, step):
    state = small_run.simple_state()
    state.epoch, state.step = epoch, step
    with pytest.raises(TrainingError, match="without shards, and must continue so"):
        take_shards(state, team())


def test_algorithms_chosen_by_timing_would_differ(monkeypatch):
    monkeypatch.setattr(agreement, "engine", SimpleNamespace(setting=lambda: "compiled, tuned"))
    with pytest.raises(TrainingError, match="would choose different algorithms"):
        agreement.check_same_run(small_run.simple_state(), team())
