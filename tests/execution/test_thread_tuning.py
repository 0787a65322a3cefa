"""The number of threads follows what steps take."""

import numpy as np
import pytest

from pellucid import engine, optim, training
from pellucid import layers as nn
from pellucid.execution.thread_tuning import ThreadTuner


class Machine:
    """A clock that steps turn on, by how many threads are used and how busy the machine is."""

    def __init__(self):
        self.now, self.threads, self.busy, self.steps = 0.0, 2, False, []
        self.scale = 1  # of all times

    def use(self, count):
        self.threads = count

    def used(self):
        return self.threads

    def work(self, tuner, seconds):
        end = self.now + seconds
        while self.now < end:
            with tuner.step():
                self.step()

    def step(self, result=None):
        self.steps.append(self.threads)
        taken = 0.1 if self.threads == 1 else 1.0 if self.busy else 0.05
        self.now += taken * self.scale
        return result


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def tuner(machine):
    return ThreadTuner(2, clock=lambda: machine.now, use=machine.use, used=machine.used)


def test_a_quiet_machine_uses_all_threads_nearly_always(machine, tuner):
    machine.work(tuner, 600)
    assert tuner.threads == machine.threads == 2
    assert machine.steps.count(1) < 0.02 * len(machine.steps)


def test_a_busy_machine_uses_one(machine, tuner):
    machine.busy = True
    machine.work(tuner, 600)
    assert tuner.threads == machine.threads == 1
    assert machine.steps.count(2) < 0.02 * len(machine.steps)


def test_it_follows_when_a_machine_becomes_busy_and_quiet_again(machine, tuner):
    machine.work(tuner, 60)
    machine.busy = True
    machine.work(tuner, 60)
    assert tuner.threads == 1
    machine.busy = False
    machine.work(tuner, 60)
    assert tuner.threads == 2


@pytest.mark.parametrize("scale", [1, 10, 50])
def test_trials_take_little_time_of_long_steps_too(machine, tuner, scale):
    machine.scale = scale
    machine.work(tuner, 1200)
    assert tuner.threads == 2
    assert 1 <= machine.steps.count(1) < 0.03 * len(machine.steps)


@pytest.mark.parametrize("busy", [False, True])
def test_the_other_number_is_tried_again_at_least_every_half_minute(machine, tuner, busy):
    machine.busy, tried = busy, []
    for _ in range(40):
        machine.steps.clear()
        machine.work(tuner, 31)
        tried.append(set(machine.steps) == {1, 2})
    assert all(tried)


def test_afterwards_the_threads_are_as_they_were(machine, tuner):
    machine.busy = True
    machine.work(tuner, 20)
    tuner.close()
    assert machine.threads == 2


def test_the_first_steps_decide_nothing(machine, tuner):
    for _ in range(4):  # kernels are compiled, and a step is captured
        with tuner.step():
            machine.now += 100
    machine.work(tuner, 1)
    assert tuner.threads == 2


@pytest.mark.parametrize("busy", [False, True])
def test_a_function_runs_on_the_faster_number_and_leaves_the_threads_as_they_were(
    machine, tuner, busy
):
    machine.busy = busy
    for _ in range(200):
        assert tuner.run(machine.step, "argument") == "argument"
        assert machine.threads == 2
    assert tuner.threads == (1 if busy else 2)
    rarer = 2 if busy else 1
    assert 1 <= machine.steps.count(rarer) < 0.1 * len(machine.steps)


def test_a_limit_that_is_set_later_holds(machine, tuner):
    machine.busy = True
    for number in (2, 1, 2):
        machine.threads = number
        machine.steps.clear()
        for _ in range(2000):
            tuner.run(machine.step)
            assert machine.threads == number
        assert max(machine.steps) == number


def test_one_thread_is_not_tried_for_long_functions(machine):
    tuner = ThreadTuner(
        2, longest=0.04, clock=lambda: machine.now, use=machine.use, used=machine.used
    )
    for _ in range(200):
        tuner.run(machine.step)
    assert set(machine.steps) == {2}


def test_an_error_in_a_step_passes_and_leaves_the_threads_as_they_were(machine, tuner):
    machine.work(tuner, 20)
    with pytest.raises(ZeroDivisionError), tuner.step():
        raise ZeroDivisionError
    assert machine.threads == 2
    with pytest.raises(ZeroDivisionError):
        tuner.run(lambda: 1 / 0)
    assert machine.threads == 2


def test_one_thread_is_left_alone():
    tuner = ThreadTuner(1, use=None)
    with tuner.step():
        pass
    assert tuner.threads == 1


def test_the_weights_are_the_same_whatever_is_tried(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 1, 12, 12)).astype(np.float32), rng.integers(0, 3, 400)
    found = []
    for most in (1, 2):
        tried = []
        monkeypatch.setattr(
            "pellucid.training.loop.ThreadTuner",
            lambda most=most, tried=tried: ThreadTuner(most, use=tried.append),
        )
        model = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1600, 3))
        with engine.using("compiled"):
            list(
                training.train(
                    model, (x, y), optimizer=optim.SGD(model.parameters()), batch_size=16
                )
            )
        found.append(model.state_dict())
    assert {1, 2} <= set(tried)
    for name, value in found[0].items():
        np.testing.assert_array_equal(value, found[1][name])
