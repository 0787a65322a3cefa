"""Calls of kernels that are noted, and made later as one call, do what they would have done."""

import sys
import threading

import numba
import numpy as np
import pytest

import pellucid as pl
from pellucid import engine
from pellucid import layers as nn
from pellucid.compiled.jit import jit, jit_sized
from pellucid.compiled.launched import Launched
from pellucid.compiled.parallel import WORK_OF_ONE, share_of
from pellucid.runtime import threads
from pellucid.runtime.recording import Recording, copy
from pellucid.runtime.workspace import Workspace, empty
from programs import run_python

MUCH = WORK_OF_ONE + 1


@jit_sized
def add(mine, x, number):
    for i in share_of(mine, len(x)):
        x[i] += number


@jit
def multiply(mine, pair, by):
    x, y = pair
    for i in share_of(mine, len(x)):
        y[i] = x[i] * by[0]


@jit_sized
def count_threads(mine, found):
    for i in share_of(mine, len(found)):
        found[i] = mine[1]


def recorded(calls):
    recording = Recording(Workspace())
    with recording.capturing():
        calls()
    recording.bind(recording.workspace)
    return recording


def test_calls_that_follow_each_other_become_one():
    x, y, by = np.zeros(1000), np.zeros(1000), np.array([3.0])

    def calls():
        add(1, x, 2)
        multiply((x, y), by)
        add(MUCH, y, 0.5)

    recording = recorded(calls)
    assert len(recording._ready) == 1
    x[:] = y[:] = 0
    recording.bind(recording.workspace)
    assert not x.any()  # they are noted, and not made
    recording.replay()
    np.testing.assert_array_equal(x, 2)
    np.testing.assert_array_equal(y, 6.5)
    by[:] = 10  # the numbers in the arrays are those of the replay
    recording.replay()
    np.testing.assert_array_equal(y, 40.5)


def test_what_is_no_kernel_keeps_its_place_among_them():
    x = np.zeros(8)

    def calls():
        add(MUCH, x, 1)
        copy(x, np.full(8, 5.0))
        add(MUCH, x, 1)
        add(1, x, 1)

    recording = recorded(calls)
    assert len(recording._ready) == 3
    recording.replay()
    np.testing.assert_array_equal(x, 7)


@pytest.mark.parametrize(("work", "most"), [(1, 1), (MUCH, numba.config.NUMBA_NUM_THREADS)])
def test_replays_use_as_many_threads_as_are_asked_for_then(work, most):
    found = np.zeros(64, np.int64)
    recording = recorded(lambda: count_threads(work, found))
    for asked in (1, most):
        with threads.limited(asked):
            recording.replay()
        assert set(found) == {asked}


WAITS = """
import numpy as np
from pellucid.compiled.jit import jit_sized
from pellucid.compiled.parallel import WORK_OF_ONE, share_of
from pellucid.runtime.recording import Recording
from pellucid.runtime.workspace import Workspace

@jit_sized
def turn(mine, x, y):
    for i in share_of(mine, len(x)):
        y[i] = x[len(x) - 1 - i] + 1

x, y = np.arange(300.0), np.empty(300)
recording = Recording(Workspace())
with recording.capturing():
    for k in range(25):
        for a, b in ((x, y), (y, x)):
            turn(1 if k % 5 == 3 else WORK_OF_ONE + 1, a, b)
recording.bind(recording.workspace)
x[:] = np.arange(300)
for k in range(1, 1001):
    recording.replay(alone=k % 7 == 0)
    assert (x == np.arange(300) + 50 * k).all(), k
print("right")
"""


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"OMP_THREAD_LIMIT": "1"},
        {"NUMBA_NUM_THREADS": "5"},
        {"NUMBA_THREADING_LAYER": "workqueue"},
        {"NUMBA_THREADING_LAYER": "workqueue", "NUMBA_NUM_THREADS": "3"},
        {"PELLUCID_NUM_THREADS": "1"},
    ],
    ids=str,
)
def test_each_call_waits_for_all_shares_of_the_one_before(settings):
    assert run_python(WAITS, **settings)[0] == "right"


def test_a_kernel_that_is_called_uses_as_many_threads():
    found = np.zeros(64, np.int64)
    for asked in (1, numba.config.NUMBA_NUM_THREADS):
        with threads.limited(asked):
            count_threads(MUCH, found)
            assert set(found) == {asked}
            count_threads(1, found)
            assert set(found) == {1}


def test_arrays_in_a_workspace_are_those_of_the_memory_that_it_handed_over():
    workspace, target = Workspace(), np.zeros(4096, np.float32)
    recording = Recording(workspace)
    with recording.capturing():
        within = empty((4096,), np.float32)
        add(MUCH, within, 1)
        multiply((within, target), np.array([2.0], np.float32))
    place = workspace.place(within)
    del within
    memory = workspace.hand_over()
    recording.bind(memory)
    memory.at(place)[:] = 4
    recording.replay()
    np.testing.assert_array_equal(target, 10)


def test_a_missing_array_is_an_argument_like_others():
    @jit_sized
    def fill(mine, x, other):
        for i in share_of(mine, len(x)):
            x[i] = 1 if other is None else other[i]

    x = np.zeros(10)
    recorded(lambda: fill(1, x, None)).replay()
    np.testing.assert_array_equal(x, 1)


def test_other_threads_of_python_run_while_one_thread_makes_a_list_of_calls():
    x, ticks, over = np.zeros(1 << 16), [], threading.Event()

    def tick():
        while not over.wait(0.001):
            ticks.append(1)

    recording = recorded(lambda: [add(MUCH, x, 1) for _ in range(10_000)])
    other, before = threading.Thread(target=tick), sys.getswitchinterval()
    sys.setswitchinterval(10)  # Python itself interrupts nobody
    try:
        other.start()
        counted = len(ticks)
        recording.replay(alone=True)
        assert len(ticks) > counted + 3
    finally:
        sys.setswitchinterval(before)
        over.set()
        other.join()


def test_an_argument_whose_memory_nobody_would_keep_is_refused():
    @jit_sized
    def read(mine, x, names):
        for i in share_of(mine, len(x)):
            x[i] = len(names)

    with pytest.raises(Exception, match="whose memory nobody keeps"):
        read(1, np.zeros(3), "abc")


def test_a_note_that_is_too_long_is_refused():
    @jit_sized
    def first(mine, many):
        for i in share_of(mine, 1):
            many[0][i] = 1

    with pytest.raises(Exception, match="a note of"):
        first(1, (np.zeros(1),) * 100)


def test_no_kernel_is_called_through_python_where_a_frozen_network_is_replayed():
    body = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Residual(body),
        nn.Flatten(),
        nn.Linear(36, 3),
    )
    frozen, x = pl.freeze(model), np.zeros((1, 1, 8, 8), np.float32)
    with engine.using("compiled"):
        for _ in range(6):
            frozen(x)
    (known,) = frozen._thread.inference._shapes._known.values()
    recording = known.captured._recording
    assert all(isinstance(function, Launched) for function, _ in recording._calls)
    assert len(recording._ready) == 1
