"""Training by several processes: the numbers are right, and the same for any number of them."""

import numpy as np
import pytest

import pellucid as pl
from parallel_run import data, new_state, told
from pellucid import layers as nn
from pellucid import losses, optim, training
from pellucid.data import augment
from pellucid.errors import DataError, FileError, TrainingError
from pellucid.parallel import Team
from pellucid.training.batches import ArraySource
from threads_as_processes import Delivery, run_as


def trained(team):
    team.bucket_bytes = 256
    with pl.engine.using("reference"):
        state = new_state()
        for _ in training.records(state, data(333), data(70, seed=1), team):
            pass
        return told(state)


@pytest.fixture(scope="module")
def alone():
    return trained(Team(shards=8))


@pytest.mark.parametrize("processes", [2, 3, 8])
def test_any_number_of_processes_gives_the_same_bits(processes, alone):
    assert run_as(processes, trained) == [alone] * processes


def test_another_number_of_shards_is_another_run(alone):
    assert trained(Team(shards=4))["weights"] != alone["weights"]


LOSSES = {
    "plain": (losses.CrossEntropy(), False),
    "weights of samples": (losses.CrossEntropy(label_smoothing=0.1), True),
    "weights of classes": (losses.CrossEntropy(class_weights=(1.0, 5.0, 0.5)), True),
    "ignored": (losses.CrossEntropy(ignore_index=2, class_weights=(1.0, 2.0, 3.0)), False),
    "values": (losses.MeanSquaredError(), True),
    "bits": (losses.BinaryCrossEntropy(), False),
}


@pytest.mark.parametrize(("loss", "weighted"), LOSSES.values(), ids=LOSSES)
def test_shards_add_up_to_the_batch(loss, weighted):
    """Without batch statistics and dropout a batch in shards is the batch, up to rounding."""
    drawn = np.random.default_rng(1)
    x, targets = drawn.normal(size=(50, 4)), drawn.integers(0, 3, 50)
    if not isinstance(loss, losses.CrossEntropy):
        targets = np.eye(3)[targets]
    arrays = (x, targets, drawn.uniform(0.1, 3, 50)) if weighted else (x, targets)

    def weights(parallel):
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).astype(np.float64)
        sgd = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
        history = pl.fit(
            model, arrays, optimizer=sgd, loss=loss, batch_size=19, epochs=3, parallel=parallel
        )
        return history, model.state_dict()

    (history, whole), (cut_history, cut) = weights(None), weights(Team(shards=4))
    for epoch, same in zip(history, cut_history, strict=True):
        assert epoch.loss == pytest.approx(same.loss, rel=1e-12)
        assert epoch.accuracy == same.accuracy
    for name, value in whole.items():
        np.testing.assert_allclose(cut[name], value, rtol=1e-9, atol=1e-12)


def test_data_that_give_batches_are_cut_too():
    class Given:
        def __len__(self):
            return 3

        def batches(self, epoch, seed):
            for step in range(3):
                drawn = np.random.default_rng([epoch, step])
                yield drawn.normal(size=(9, 4)).astype(np.float32), drawn.integers(0, 3, 9)

    def weights(team):
        with pl.engine.using("reference"):
            model = nn.Sequential(nn.Linear(4, 3))
            sgd = optim.SGD(model.parameters(), lr=0.5)
            given = Given()
            *_, last = pl.train(model, given, validation=given, optimizer=sgd, parallel=team)
            return model.state_dict()["0.weight"].tobytes(), last.loss

    assert len(set(run_as(3, weights, shards=4))) == 1
    assert run_as(3, weights, shards=4)[0] == weights(Team(shards=4))


def test_a_run_says_how_many_shards_it_has(tmp_path):
    state = new_state()
    drawn = training.records(state, data(100), parallel=Team(shards=4))
    next(drawn)
    training.save_checkpoint(state, tmp_path)
    aug = state.augment
    resumed = training.resume(tmp_path, data(100), augment=aug)
    assert resumed.shards == 4
    with pytest.raises(TrainingError, match="4 shards; pass parallel="):
        training.records(resumed, data(100))
    with pytest.raises(TrainingError, match="into 4 shards, not 8"):
        training.records(resumed, data(100), parallel=Team(shards=8))
    with pytest.raises(FileError, match="number of shards: 4, not None"):
        training.restore(new_state(), tmp_path)


def test_a_run_without_shards_takes_no_processes(tmp_path):
    state = new_state()
    next(training.records(state, data(100)))
    with pytest.raises(TrainingError, match="without shards"):
        training.records(state, data(100), parallel=Team())


def test_a_run_resumed_by_another_number_of_processes_ends_the_same(tmp_path, alone):
    def half(team):
        with pl.engine.using("reference"):
            state = new_state()
            for record in training.records(state, data(333), data(70, seed=1), team):
                if record.epoch == 2 and getattr(record, "step", None) == 4:
                    break
            if team.leads:
                training.save_checkpoint(state, tmp_path)

    def rest(team):
        with pl.engine.using("reference"):
            parts = data(333), data(70, seed=1)
            state = training.resume(tmp_path, *parts, augment=new_state().augment)
            for _ in training.records(state, *parts, team):
                pass
            return told(state)

    run_as(2, half)
    assert run_as(3, rest) == [alone] * 3


def test_an_error_in_one_process_is_one_in_all():
    class Broken:
        def __len__(self):
            return 2

        def __init__(self, rank):
            self.rank = rank

        def batches(self, epoch, seed):
            yield np.zeros((8, 4), np.float32), np.zeros(8, int)
            if self.rank == 1:
                raise DataError("photo.jpg is damaged")
            yield np.zeros((8, 4), np.float32), np.zeros(8, int)

    def train(team):
        model = nn.Sequential(nn.Linear(4, 3))
        sgd = optim.SGD(model.parameters(), lr=0.5)
        return list(pl.train(model, Broken(team.rank), optimizer=sgd, parallel=team))

    errors = run_as(3, train)
    assert [f"{error}" for error in errors] == ["photo.jpg is damaged"] * 3
    assert [type(error) for error in errors] == [TrainingError, DataError, TrainingError]


def test_a_loss_that_is_not_finite_is_told_by_all_and_changes_nothing():
    def train(team):
        with pl.engine.using("reference"):
            model = nn.Sequential(nn.Linear(4, 3))
            before = model.state_dict()["0.weight"].copy()
            x = np.ones((16, 4), np.float32)
            x[9] = 3e38
            sgd = optim.SGD(model.parameters(), lr=0.5)
            try:
                list(pl.train(model, (x, np.arange(16) % 3), optimizer=sgd, parallel=team))
            except TrainingError as error:
                assert np.array_equal(model.state_dict()["0.weight"], before)
                return f"{error}"

    first, *others = run_as(3, train)
    assert "epoch 1, step 1: the loss is" in first
    assert others == [first] * 2


@pytest.mark.parametrize("what", ["weights", "data", "seed"])
def test_processes_that_differ_are_told_before_the_first_step(what):
    def train(team):
        other = team.rank == 2
        model = nn.Sequential(nn.Linear(4, 3))
        nn.initialize(model, int(other and what == "weights"))
        sgd = optim.SGD(model.parameters(), lr=0.5)
        arrays = np.full((8, 4), float(other and what == "data"), np.float32), np.arange(8) % 3
        seed = int(other and what == "seed")
        return pl.train(model, arrays, optimizer=sgd, seed=seed, parallel=team)

    said = {"weights": "value of 0.weight", "data": "training data", "seed": "seed of the run"}
    for error in run_as(3, train):
        assert f"{error}".startswith(f"process 2 has another {said[what]} than process 0")


def test_weights_that_drift_apart_stop_the_run():
    def train(team):
        with pl.engine.using("reference"):
            model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3))
            sgd = optim.SGD(model.parameters(), lr=0.5)
            arrays = np.ones((8, 4), np.float32), np.arange(8) % 3
            state = training.TrainingState(model, sgd, batch_size=4)
            try:
                for record in training.records(state, arrays, parallel=team):
                    if team.rank == 1 and record.step == 1:
                        model[1].bias.value[0] += 1e-6
            except pl.errors.PellucidError as error:
                return f"{error}"

    for said in run_as(2, train):
        assert said.startswith("process 1 has another value of 1.bias than process 0")


def test_once_training_has_begun_nothing_waits_without_end_for_a_process(monkeypatch):
    waited, wait = [], Delivery.wait

    def noted(delivery, patience=None):
        waited.append(patience)
        wait(delivery, patience)

    def train(team):
        model, x = nn.Sequential(nn.Linear(4, 3)), np.ones((16, 4), np.float32)
        sgd = optim.SGD(model.parameters(), lr=0.1)
        for epoch in pl.train(
            model, (x, np.arange(16) % 3), optimizer=sgd, epochs=3, parallel=team
        ):
            if epoch.epoch == 1:
                waited.clear()

    monkeypatch.setattr(Delivery, "wait", noted)
    assert run_as(2, train) == [None, None]
    assert waited
    assert set(waited) == {None}


def test_shards_draw_their_own_random_numbers():
    drawn = [
        nn.StepContext(1, 2, 3, shard).draw("dropout", (4,)).tolist() for shard in (None, 0, 1)
    ]
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]
    again = nn.StepContext(1, 2, 3, 1).again()
    assert again.draw("dropout", (4,)).tolist() == drawn[2]


def test_shards_are_augmented_each_in_its_own_way():
    """What a shard's images become depends on the shard, and not on the process it is in."""
    images = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8).repeat(8, axis=0)
    source = ArraySource(
        images, np.zeros(8, int), batch_size=8, augment=augment.parse("crop:3"), classes=2
    )

    def seen(team):
        (sharded,) = source.sharded(0, 7, 0, team)
        return {number: np.asarray(x).tobytes() for number, (x, _) in sharded.mine.items()}

    together = seen(Team(shards=4))
    assert len(set(together.values())) == 4
    first, second = run_as(2, seen, shards=4)
    assert first | second == together
    assert not first.keys() & second.keys()


def test_an_alternating_flip_is_the_same_in_any_shard():
    images = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8).repeat(8, axis=0)
    alternating = augment.parse("flip-alternating")
    source = ArraySource(images, np.arange(8), batch_size=8, augment=alternating, classes=8)
    (whole,) = source.shuffled(1, 7)
    (sharded,) = source.sharded(1, 7, 0, Team(shards=4))
    by_label = dict(zip(whole[1].tolist(), whole[0], strict=True))
    for x, labels in sharded.mine.values():
        for image, label in zip(x, labels.tolist(), strict=True):
            np.testing.assert_array_equal(image, by_label[label])


def test_running_statistics_follow_the_mean_over_the_samples():
    x = np.random.default_rng(0).normal(size=(5, 2, 3, 3)).astype(np.float32)  # shards of 3 and 2
    model = nn.Sequential(nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(18, 2))
    sgd = optim.SGD(model.parameters(), lr=0.1)
    arrays = x, np.arange(5) % 2
    state = training.TrainingState(model, sgd, batch_size=5, epochs=2, seed=1)
    records = training.records(state, arrays, parallel=Team(shards=2))
    next(records)
    ((drawn, _),) = ArraySource(*arrays, batch_size=5).shuffled(epoch=0, seed=1)
    parts = drawn[:3], drawn[3:]
    mean = sum(len(part) * part.mean(axis=(0, 2, 3)) for part in parts) / 5
    var = sum(len(part) * part.var(axis=(0, 2, 3), ddof=1) for part in parts) / 5
    values = model.state_dict()
    np.testing.assert_allclose(values["0.running_mean"], 0.1 * mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(values["0.running_var"], 0.9 + 0.1 * var, rtol=1e-5)
    assert values["0.num_batches_tracked"] == 1
    assert len(list(records)) == 3
    assert model.state_dict()["0.num_batches_tracked"] == 2
