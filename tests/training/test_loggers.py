"""What is logged elsewhere is every number of every step and epoch, under its name."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pellucid.errors import MissingExtraError
from pellucid.training import Epoch, Step, log_mlflow, log_tensorboard, log_wandb

METRICS = {"top_5": 0.75, "validation_top_5": 0.625}
STEP = Step(2, 4, 3, 16, loss=0.25, accuracy=0.5, rate=0.1, seconds=0.5, metrics={"top_5": 0.875})
EPOCH = Epoch(2, 4, 16, 0.5, 0.75, 1.5, 0.25, 0.1, 1.0, 320.0, False, METRICS, 2.5)
LOGGED = [
    (19, {"batch/loss": 0.25, "batch/accuracy": 0.5, "batch/rate": 0.1, "batch/top_5": 0.875}),
    (
        32,
        {
            "training/loss": 0.5,
            "training/accuracy": 0.75,
            "validation/loss": 1.5,
            "validation/accuracy": 0.25,
            "images_per_second": 320.0,
            "compiling_seconds": 2.5,
            "training/top_5": 0.75,
            "validation/top_5": 0.625,
        },
    ),
]


class Service:
    """Takes the place of a package, and notes what it is told."""

    def __init__(self) -> None:
        self.begun: dict[str, Any] = {}
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.ended = 0

    def end(self) -> None:
        self.ended += 1


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    module = SimpleNamespace(
        start_run=lambda **given: service.begun.update(given),
        log_params=lambda choices: service.begun.update(choices=choices),
        log_metrics=lambda values, step: service.logged.append((step, values)),
        end_run=service.end,
    )
    monkeypatch.setitem(sys.modules, "mlflow", module)
    return service


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    run = SimpleNamespace(
        log=lambda values, step: service.logged.append((step, values)), finish=service.end
    )

    def init(**given: Any) -> Any:
        service.begun.update(given)
        return run

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    return service


def test_mlflow_gets_all_numbers_and_the_settings(mlflow: Service) -> None:
    running = log_mlflow([STEP, EPOCH], "a run", {"lr": 0.1})
    assert mlflow.begun == {"run_name": "a run", "choices": {"lr": 0.1}}
    assert list(running) == [STEP, EPOCH]
    assert mlflow.logged == LOGGED
    assert mlflow.ended == 1


def test_wandb_gets_all_numbers_and_the_settings(
    wandb: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(log_wandb([STEP, EPOCH], "a run", {"lr": 0.1})) == [STEP, EPOCH]
    assert wandb.begun == {"project": "pellucid", "name": "a run", "config": {"lr": 0.1}}
    assert wandb.logged == LOGGED
    assert wandb.ended == 1
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    log_wandb([], "a run")
    assert wandb.begun == {"project": "mine", "name": "a run", "config": {}}


class Message(SimpleNamespace):
    """Any message of TensorBoard's protocol."""


class Summary(Message):
    Value = Message


class SummaryMetadata(Message):
    PluginData = Message


@pytest.fixture
def tensorboard(monkeypatch: pytest.MonkeyPatch) -> Service:
    service, proto = Service(), "tensorboard.compat.proto"

    def writer(folder: str) -> Any:
        service.begun["folder"] = folder
        return SimpleNamespace(add_event=service.logged.append, close=service.end)

    for name, module in {
        f"{proto}.event_pb2": SimpleNamespace(Event=Message),
        f"{proto}.summary_pb2": SimpleNamespace(Summary=Summary, SummaryMetadata=SummaryMetadata),
        f"{proto}.tensor_pb2": SimpleNamespace(TensorProto=Message),
        f"{proto}.types_pb2": SimpleNamespace(DT_STRING=7),
        "tensorboard.summary.writer.event_file_writer": SimpleNamespace(EventFileWriter=writer),
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    return service


def test_tensorboard_gets_all_numbers_and_the_settings_as_text(tensorboard: Service) -> None:
    given: Any = log_tensorboard([STEP, EPOCH], Path("runs"), {"lr": 0.1, "model": "mlp"})
    assert list(given) == [STEP, EPOCH]
    assert (tensorboard.begun, tensorboard.ended) == ({"folder": "runs"}, 1)
    events: list[Any] = list(tensorboard.logged)
    assert all(event.wall_time > 0 for event in events)
    (text,) = events[0].summary.value
    assert (events[0].step, text.tag) == (0, "choices/text_summary")
    assert text.metadata.plugin_data.plugin_name == "text"
    assert text.tensor == Message(dtype=7, string_val=[b"    lr: 0.1\n    model: mlp"])
    scalars = [{one.tag: one.simple_value for one in event.summary.value} for event in events[1:]]
    assert list(zip([event.step for event in events[1:]], scalars, strict=True)) == LOGGED


def test_without_settings_tensorboard_gets_no_text(tensorboard: Service) -> None:
    list(log_tensorboard([STEP], "runs"))
    assert len(tensorboard.logged) == 1


def test_what_was_not_measured_is_not_logged(mlflow: Service) -> None:
    step = replace(STEP, accuracy=None)
    epoch = replace(EPOCH, accuracy=None, validation_loss=None, validation_accuracy=None)
    list(log_mlflow([step, epoch], "a run"))
    assert mlflow.begun["choices"] == {}
    assert "batch/accuracy" not in mlflow.logged[0][1]
    assert set(LOGGED[1][1]) - set(mlflow.logged[1][1]) == {
        *("training/accuracy", "validation/loss", "validation/accuracy")
    }


def test_a_run_that_ends_with_an_error_is_closed(mlflow: Service) -> None:
    running = log_mlflow([STEP, EPOCH], "a run")
    next(running)
    with pytest.raises(RuntimeError):
        running.throw(RuntimeError())
    assert (len(mlflow.logged), mlflow.ended) == (1, 1)


@pytest.mark.parametrize(
    ("log", "module"),
    [(log_mlflow, "mlflow"), (log_wandb, "wandb"), (log_tensorboard, "tensorboard.compat.proto")],
)
def test_without_the_package_it_says_what_to_install(
    log: Any, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (module, f"{module}.event_pb2"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r'pip install .*\[loggers\]"'):
        log([], "a run")
