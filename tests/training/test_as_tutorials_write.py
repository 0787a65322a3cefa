"""What tutorials write works: names beside objects, metrics, callbacks; what is neither is told."""

import numpy as np
import pytest

import pellucid as pl
from pellucid import layers as nn
from pellucid.data.augment import Compose, RandomCrop, RandomFlip
from pellucid.training import callbacks, read_history

DIGITS = pl.data.load("digits")
SMALL = DIGITS.train.take(160)


def network():
    return pl.models.mlp((1, 8, 8), 10, hidden=(16,))


def fit(model=None, **choices):
    return pl.fit(network() if model is None else model, SMALL, **choices)


def test_names_are_the_objects_with_their_defaults():
    named, made = network(), network()
    fit(named, optimizer="adamw", loss="cross_entropy", schedule="cosine", augment="crop:1,flip")
    fit(
        made,
        optimizer=pl.optim.AdamW(made.parameters()),
        loss=pl.losses.CrossEntropy(),
        schedule=pl.optim.schedules.Cosine(),
        augment=Compose((RandomCrop(1), RandomFlip())),
    )
    for name, value in made.state_dict().items():
        np.testing.assert_array_equal(named.state_dict()[name], value)


@pytest.mark.parametrize("name", ["CrossEntropy", "cross_entropy", "cross-entropy"])
def test_a_name_may_be_written_in_any_way(name):
    assert pl.losses.chosen(name) == pl.losses.CrossEntropy()


def test_inputs_and_targets_may_be_two_arguments():
    x, y = np.float32(SMALL.images / 16), SMALL.labels
    for train in (pl.fit, lambda *given: list(pl.train(*given))):
        together, apart = network(), network()
        train(together, (x, y))
        train(apart, x, y)
        for name, value in together.state_dict().items():
            np.testing.assert_array_equal(apart.state_dict()[name], value)
    assert pl.evaluate(apart, x, y).accuracy == pl.evaluate(apart, (x, y)).accuracy
    assert pl.evaluate(apart, x, y.tolist()).accuracy == pl.evaluate(apart, (x, y)).accuracy
    search = pl.find_rate(apart, x, y, steps=20, high=1.0)
    assert search.suggestion == pl.find_rate(apart, (x, y), steps=20, high=1.0).suggestion


def test_what_is_no_target_after_the_data_is_told():
    x, y = np.float32(SMALL.images / 16), SMALL.labels
    with pytest.raises(pl.errors.DataError, match="holds the targets, an array, not 'adam'"):
        pl.fit(network(), SMALL, "adam")
    with pytest.raises(pl.errors.DataError, match="holds the targets, an array, not"):
        pl.fit(network(), SMALL, pl.optim.Adam(network().parameters()))
    for data in (SMALL, DIGITS, (x, y)):
        with pytest.raises(pl.errors.DataError, match="the data has targets already"):
            pl.evaluate(network(), data, y)
    with pytest.raises(pl.errors.DataError, match="single array, without targets; pass both"):
        pl.fit(network(), x)


def test_metrics_are_measured_in_training_and_validation():
    def mean_of_outputs(outputs, targets):
        return outputs.mean()

    validation = DIGITS.test.take(50)
    model = network()
    (epoch,) = fit(model, metrics=["accuracy", "top_5", mean_of_outputs], validation=validation)
    assert set(epoch.metrics) == {
        *("top_5", "mean_of_outputs", "validation_top_5", "validation_mean_of_outputs")
    }
    found = pl.evaluate(model, validation).top_k_accuracy(5)
    assert epoch.metrics["validation_top_5"] == pytest.approx(found)
    outputs = model(validation_inputs(model, validation))
    assert epoch.metrics["validation_mean_of_outputs"] == pytest.approx(outputs.mean(), rel=1e-4)
    assert "top_5 " in str(epoch)


def validation_inputs(model, data):
    return pl.ops.make_batch(data.images, None, model.preprocessing)


def test_a_metric_of_training_is_the_mean_over_all_samples_of_the_epoch():
    def count(outputs, targets):
        return len(targets)  # 64, 64, 32

    (epoch,) = fit(metrics=[count])
    assert epoch.metrics["count"] == pytest.approx((64 * 64 + 64 * 64 + 32 * 32) / 160)


def test_what_is_no_metric_is_told():
    with pytest.raises(pl.errors.TrainingError, match="unknown metric 'f1'"):
        fit(metrics=["f1"])
    with pytest.raises(pl.errors.TrainingError, match="'<lambda>' must return one number"):
        fit(metrics=[lambda outputs, targets: outputs])


def test_a_callback_is_called_with_each_epoch_and_true_ends_the_run():
    seen = []

    def watch(epoch):
        seen.append(epoch.epoch)
        return epoch.epoch == 2

    history = fit(epochs=5, callbacks=[watch])
    assert seen == [1, 2]
    assert len(history) == 2


def test_ready_callbacks_stop_write_and_save(tmp_path):
    stopping = callbacks.EarlyStopping(patience=1, monitor="loss", tolerance=100.0)
    logged = callbacks.CSVLogger(tmp_path / "history.csv")
    kept = callbacks.Checkpoint(tmp_path)
    history = fit(epochs=9, metrics=["top_2"], callbacks=[stopping, logged, kept])
    assert len(history) == 2
    assert read_history(tmp_path / "history.csv")[1] == history[1]
    state = pl.training.resume(tmp_path, SMALL, metrics=["top_2"])
    assert state.history == tuple(history)
    with pytest.raises(pl.errors.FileError, match="a different list of metrics"):
        pl.training.resume(tmp_path, SMALL)


def test_what_is_no_callback_is_told():
    for wrong in ("early stopping", callbacks.EarlyStopping):
        with pytest.raises(pl.errors.TrainingError, match="a callback must be a function"):
            fit(callbacks=[wrong])


def test_data_in_parts_brings_its_validation_and_its_test_part():
    splits = pl.data.Splits(SMALL, DIGITS.test, DIGITS.test.take(30))
    model = network()
    (epoch,) = pl.fit(model, splits)
    assert epoch.validation_loss is not None
    assert len(pl.evaluate(model, splits).labels) == len(DIGITS.test)
    with pytest.raises(pl.errors.DataError, match="no test part"):
        pl.evaluate(model, pl.data.Splits(SMALL))


class Stranger:
    """An optimiser of another library."""

    __module__ = "torch.optim.adam"


WRONG = {
    "optimizer": [
        (None, "optimizer must be an object of pellucid.optim, or one of the names 'sgd'"),
        ("adm", "unknown optimizer 'adm'; did you mean 'adam'"),
        (pl.optim.Adam, r"must be an object, not the class Adam; use Adam\(model.parameters\(\)\)"),
        (Stranger(), "not a Stranger of torch"),
    ],
    "loss": [
        (lambda outputs, targets: 0, "loss must be an object of pellucid.losses"),
        ("sparse_categorical_crossentropy", "named 'cross_entropy'.*before softmax"),
        ("mse", "is named 'mean_squared_error'"),
        (
            pl.losses.CrossEntropy,
            r"must be an object, not the class CrossEntropy; use CrossEntropy\(\)",
        ),
    ],
    "schedule": [(3, "schedule must be an object"), ("cosin", "did you mean 'cosine'")],
    "augment": [(3, "augment must be"), ("crap", "did you mean 'crop'")],
    "epochs": [("3", "epochs must be an integer, not '3'"), (0, "of at least 1, not 0")],
    "batch_size": [("64", "batch_size must be an integer")],
    "seed": [("x", "seed must be an integer"), (-1, "seed must be an integer of at least 0")],
    "averages": [("much", "averages must be a number"), (2, "from 0 to 1")],
    "validation": [(0.1, r"split the data first: data.split\(0.1\)")],
}


@pytest.mark.parametrize(
    ("argument", "given", "told"),
    [(name, *case) for name, cases in WRONG.items() for case in cases],
)
def test_what_is_given_wrongly_is_told_in_the_users_terms(argument, given, told):
    with pytest.raises(pl.errors.PellucidError, match=told):
        fit(**{argument: given})


def test_what_is_no_model_and_no_data_is_told():
    with pytest.raises(pl.errors.PellucidError, match="model must be a layer"):
        pl.fit("lenet5", SMALL)
    with pytest.raises(pl.errors.DataError, match=r"load it first: pellucid.data.load\('mnist'\)"):
        pl.fit(network(), "mnist")
    with pytest.raises(pl.errors.DataError, match="are text, such as 'a'"):
        pl.fit(network(), (np.zeros((2, 1, 8, 8), np.float32), np.array(["a", "b"])))


COLOUR = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, 2))
LAST = np.zeros((2, 8, 8, 3), np.float32)
USES = {
    "call": lambda x: COLOUR(x),
    "fit": lambda x: pl.fit(COLOUR, (x, np.array([0, 1]))),
    "predict": lambda x: pl.predict(COLOUR, x),
    "evaluate": lambda x: pl.evaluate(COLOUR, (x, np.array([0, 1]))),
}


@pytest.mark.parametrize("use", USES)
def test_channels_last_are_recognised(use):
    with pytest.raises(pl.errors.ShapeError, match=r"channels last\? x.transpose\(0, 3, 1, 2\)"):
        USES[use](LAST)


@pytest.mark.parametrize("use", USES)
def test_stored_pixels_given_to_a_bare_model_are_an_error(use):
    told = "floating-point" if use == "call" else "pixels from 0 to 255"
    with pytest.raises(pl.errors.PellucidError, match=told):
        USES[use](np.zeros((2, 3, 8, 8), np.uint8))


@pytest.mark.parametrize("use", ["call", "predict"])
def test_one_image_without_a_batch_is_recognised(use):
    with pytest.raises(
        pl.errors.PellucidError, match=r"x\[None\] is a batch of one|expects images"
    ):
        USES[use](LAST[0].transpose(2, 0, 1))


def test_text_for_a_number_is_told_everywhere():
    calls = {
        "fraction": lambda: SMALL.split("0.1"),
        "n": lambda: SMALL.take("5"),
        "batch_size": lambda: pl.predict(network(), SMALL, batch_size="8"),
        "seed": lambda: pl.initialize(network(), seed="a"),
        "patience": lambda: pl.training.stop_early([], patience="3"),
        "low": lambda: pl.find_rate(network(), SMALL, low="1"),
        "Adam: lr": lambda: pl.optim.Adam(network().parameters(), lr="0.1"),
    }
    for name, call in calls.items():
        with pytest.raises(pl.errors.PellucidError, match=f"^{name} must be an? (integer|number)"):
            call()


def test_a_folder_where_a_file_is_expected_is_told(tmp_path):
    calls = [
        lambda: pl.data.read_csv(tmp_path),
        lambda: pl.data.read_npz(tmp_path),
        lambda: pl.data.read_image(tmp_path),
        lambda: pl.models.toml.load(tmp_path, (1, 8, 8), 10),
        lambda: pl.training.read_history(tmp_path),
        lambda: pl.interchange.safetensors.read_tensors(tmp_path),
        lambda: pl.save(network(), tmp_path),
    ]
    for call in calls:
        with pytest.raises(pl.errors.PellucidError, match=r"is a folder; .* is expected"):
            call()


def test_the_folder_of_a_run_is_loaded(tmp_path):
    model = network()
    pl.save(model, tmp_path / "model.safetensors")
    again = pl.load(tmp_path)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], value)
    with pytest.raises(pl.errors.FileError, match=r"it has no model\.safetensors"):
        pl.load(tmp_path.parent)
    (tmp_path / "unfinished" / "checkpoint").mkdir(parents=True)
    with pytest.raises(pl.errors.FileError, match="pellucid resume"):
        pl.load(tmp_path / "unfinished")
