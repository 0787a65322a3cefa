"""A program run by several processes: it trains a small network and writes the results."""

import dataclasses
import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

import pellucid as pl
from pellucid import layers as nn
from pellucid import optim, training
from pellucid.data import augment
from pellucid.data.dataset import DataSet


def network():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Residual(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(128, 5),
    )


def data(count, seed=0):
    drawn = np.random.default_rng(seed)
    labels = np.arange(count) % 5
    images = drawn.integers(0, 128, (count, 1, 8, 8)) + 25 * labels[:, None, None, None]
    return DataSet(images.astype(np.uint8), labels, tuple("abcde"), "made")


def new_state(epochs=2):
    model = network()
    nn.initialize(model, 3)
    return training.TrainingState(
        model,
        optim.Adam(model.parameters(), lr=0.01, weight_decay=0.01, clip_norm=1.0),
        batch_size=32,
        epochs=epochs,
        schedule=optim.schedules.parse("onecycle"),
        augment=augment.parse("crop,flip,mixup"),
        averages=optim.ExponentialMovingAverage(dict(model.named_state()), 0.9),
        seed=5,
    )


def told(state):
    """Return a hash of all values, and the history without timings."""
    digest = hashlib.sha256()
    values = state.model.state_dict() | state.optimizer.state_dict() | state.averages.state_dict()
    for name, value in sorted(values.items()):
        digest.update(name.encode() + np.ascontiguousarray(value).tobytes())
    timing = ("seconds", "images_per_second", "compiling")
    history = [
        {k: v for k, v in dataclasses.asdict(epoch).items() if k not in timing}
        for epoch in state.history
    ]
    return {"weights": digest.hexdigest(), "history": history}


def main(out, killed=None, at=0, sync=0):
    team = pl.parallel.mpi(shards=8, sync_batch_norm=bool(sync))
    team.bucket_bytes = 256
    state = new_state()
    rank = team.rank
    for record in training.records(state, data(333), data(70, seed=1), team):
        if rank == killed and isinstance(record, training.Step) and state.optimizer.steps == at:
            os.kill(os.getpid(), signal.SIGKILL)
    if team.leads:
        Path(out).write_text(json.dumps(told(state) | {"processes": team.size}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
