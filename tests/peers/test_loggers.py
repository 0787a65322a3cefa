"""What boards show of a run is what the run recorded, read back by their own readers."""

import time

import pytest

import small_run
from pellucid import training
from pellucid.errors import PellucidError


@pytest.fixture
def records():
    """The records of a short run: their state, and the generator."""
    state = small_run.new_state()
    return state, training.records(state, small_run.DATA, small_run.VALIDATION)


def test_tensorboard_reads_each_step_and_epoch(records, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    state, running = records
    done = list(training.log_tensorboard(running, tmp_path, {"lr": 0.1}))
    board = EventAccumulator(str(tmp_path))
    board.Reload()
    steps = [r for r in done if isinstance(r, training.Step)]
    shown = board.Scalars("batch/loss")
    assert [s.value for s in shown] == pytest.approx([r.loss for r in steps])
    assert [s.step for s in shown] == list(range(1, len(steps) + 1))
    validation = [e.value for e in board.Scalars("validation/accuracy")]
    assert validation == pytest.approx([e.validation_accuracy for e in state.history])
    assert b"lr: 0.1" in board.Tensors("choices/text_summary")[0].tensor_proto.string_val[0]


@pytest.mark.filterwarnings("ignore")
def test_mlflow_reads_metrics_and_parameters(records, tmp_path, monkeypatch):
    import mlflow

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    state, running = records
    for _ in training.log_mlflow(running, "a run", {"lr": 0.1}):
        pass
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert run.info.status == "FINISHED"
    assert run.data.params == {"lr": "0.1"}
    found = client.get_metric_history(run.info.run_id, "training/loss")
    assert [m.value for m in found] == pytest.approx([e.loss for e in state.history])


@pytest.mark.filterwarnings("ignore")
def test_wandb_keeps_a_run_offline(records, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in {"MODE": "offline", "DIR": str(tmp_path), "SILENT": "true"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    _, running = records
    for _ in training.log_wandb(running, "a run"):
        pass
    (file,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    end = time.monotonic() + 60  # a process of W&B's own writes the file
    while b"validation/accuracy" not in file.read_bytes():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_run_that_is_stopped_early_is_closed(records, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in training.log_tensorboard(records[1], tmp_path):
        break
    board = EventAccumulator(str(tmp_path))
    board.Reload()
    assert len(board.Scalars("batch/loss")) == 1


def test_a_board_that_does_not_exist_is_said():
    from pellucid.cli.running import boards

    assert boards("tensorboard, mlflow") == ["tensorboard", "mlflow"]
    with pytest.raises(PellucidError, match="unknown board 'tensorbord'"):
        boards("tensorbord")
