"""Training that one looks at: the same run for the same seed, and a way back to each moment."""

import threading
import time

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid import predict, training
from pellucid.errors import PellucidError
from pellucid.explorer import Session
from pellucid.explorer.live import Choices, begin
from small_run import data_set

NETWORK = """layers = [
  { type = "Conv2d", out_channels = 4, kernel_size = 3 },
  { type = "BatchNorm2d" },
  { type = "ReLU" },
  { type = "Flatten" },
  { type = "Dropout", p = 0.2 },
  { type = "Linear", out_features = "classes" },
]"""
CHOICES = {"network": NETWORK, "epochs": 3, "batch_size": 10, "augment": "crop:1", "seed": 3}


@pytest.fixture
def session():
    data = {"test": data_set(20, seed=1), "training": data_set(60)}
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    return Session(nn.initialize(model), data, "a run")


def train(session, does, **words):
    return session.answer({"ask": "train", "does": does, **words}).words


def until(session, condition):
    end = time.monotonic() + 20
    while not condition(status := session.answer({"ask": "choices"}).words["run"]):
        assert time.monotonic() < end, status
        time.sleep(0.01)
    return status


def weights(session):
    return [value.copy() for value in session.model.state_dict().values()]


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_run_gives_what_the_training_loop_gives(session):
    train(session, "begin", **CHOICES)
    train(session, "go", steps=1000)
    status = until(session, lambda run: run["finished"])
    state = begin(Choices(**CHOICES), session.data["training"])
    for _ in training.records(state, session.data["training"], session.data["test"]):
        pass
    assert status["step"] == 18
    assert len(status["validation"]) == 3
    assert equal(weights(session), state.model.state_dict().values())


def test_what_is_wound_back_and_trained_again_is_the_same(session):
    train(session, "begin", **CHOICES)
    train(session, "go", steps=1000)
    until(session, lambda run: run["finished"])
    once = weights(session)
    for step in (0, 7, 12):
        status = train(session, "rewind", step=step)
        assert status["step"] == step
        assert all(point["step"] <= step for point in status["points"])
        train(session, "go", steps=1000)
        until(session, lambda run: run["finished"])
        assert equal(weights(session), once)


def test_one_batch_and_one_epoch_stop_by_themselves(session):
    train(session, "begin", **CHOICES)
    train(session, "go", steps=1)
    assert until(session, lambda run: not run["running"])["step"] == 1
    train(session, "epoch")
    status = until(session, lambda run: not run["running"])
    assert (status["step"], status["epoch"]) == (6, 1)


def test_a_pause_ends_the_steps(session):
    train(session, "begin", **CHOICES | {"epochs": 1000})
    train(session, "go", steps=100_000)
    train(session, "pause")
    step = until(session, lambda run: not run["running"])["step"]
    time.sleep(0.1)
    assert session.answer({"ask": "choices"}).words["run"]["step"] <= step + 1


def test_the_rate_can_be_changed_on_the_way(session):
    train(session, "begin", **CHOICES)
    train(session, "rate", rate=0.0)
    before = session.model.state_dict()["0.weight"]
    train(session, "go", steps=2)
    until(session, lambda run: not run["running"])
    assert np.array_equal(before, session.model.state_dict()["0.weight"])


def test_many_moments_are_thinned_and_the_first_is_kept(session):
    train(session, "begin", **CHOICES | {"epochs": 30})
    train(session, "go", steps=1000)
    snapshots = until(session, lambda run: run["finished"])["snapshots"]
    assert snapshots[0] == 0
    assert len(snapshots) <= 40
    assert snapshots == sorted(set(snapshots))


def test_passes_during_training_see_whole_weights(session):
    train(session, "begin", **CHOICES | {"epochs": 200})
    image = session.data["test"].images[0]
    train(session, "go", steps=100_000)
    for _ in range(20):
        session.answer({"ask": "trace"}, [image])
    train(session, "pause")
    until(session, lambda run: not run["running"])
    shown = session.answer({"ask": "trace"}, [image]).words["probabilities"]
    np.testing.assert_allclose(shown, predict(session.model, image[None])[0], rtol=1e-5)


def test_listeners_hear_of_the_run_from_another_thread(session):
    heard, done = [], threading.Event()

    def listen(status):
        heard.append(status)
        if status.get("finished"):
            done.set()

    leave = session.listen(listen)
    train(session, "begin", **CHOICES)
    train(session, "go", steps=1000)
    assert done.wait(20)
    leave()
    assert heard[-1]["event"] == "training"


@pytest.mark.parametrize(
    ("does", "words", "said"),
    [
        ("begin", {"network": "layers = ["}, "network"),
        ("begin", {"model": "lenet"}, "unknown model"),
        ("begin", {"network": NETWORK, "optimizer": "best"}, "unknown optimizer"),
        ("begin", {"network": NETWORK, "batch_size": "many"}, "train"),
        ("go", {"steps": 1}, "no run has begun"),
    ],
)
def test_what_does_not_work_is_said(session, does, words, said):
    with pytest.raises(PellucidError, match=said):
        train(session, does, **words)


def test_shapes_are_checked_while_one_types(session):
    fits = session.answer({"ask": "check", "network": NETWORK}).words
    assert fits == {"problem": "", "parameters": 4 * 9 + 4 + 8 + 64 * 3 + 3}
    wrong = NETWORK.replace("kernel_size = 3", "kernel_size = 30")
    assert "too small" in session.answer({"ask": "check", "network": wrong}).words["problem"]
