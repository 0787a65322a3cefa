"""The other files of a run's folder: its configuration, its history and its gradients."""

import dataclasses
import json
from random import Random

from pellucid.cli.config import Config
from pellucid.training import read_gradients, read_history
from tests.fuzz.mutation import as_json, junk, mutated, mutated_plain
from tests.fuzz.reader import Files, Reader

CONFIG = dataclasses.asdict(
    Config("digits", "vgg", 20, 32, "sgd", 0.05, "cosine", 0.0005, "compiled", momentum=0.9)
) | {"reading": {"size": [8, 8]}, "environment": {"python": "3.11"}}
_HISTORY = (
    "epoch,epochs,steps,loss,accuracy,validation_loss,validation_accuracy,rate,seconds,"
    "images_per_second,best\n"
    "1,2,45,0.7,0.75,0.3,0.9,0.01,0.2,6000.0,True\n"
    "2,2,45,0.2,0.95,,,0.01,0.2,6000.0,False\n"
)
_GRADIENTS = (
    "step,weight,gradient,value,update\n"
    "1,conv1.weight,0.5,2.0,0.05\n1,fc.weight,0.25,1.0,0.02\n"
    "2,conv1.weight,0.4,2.0,0.04\n2,fc.weight,0.2,1.0,0.01\n"
)


def _config(random: Random) -> Files:
    if random.random() < 0.7:
        return {"config.json": as_json(mutated_plain(CONFIG, random)).encode()}
    return {"config.json": mutated(json.dumps(CONFIG, indent=2).encode(), random)}


def _table(text: str, name: str, random: Random) -> Files:
    if random.random() < 0.5:
        return {name: mutated(text.encode(), random)}
    rows = [line.split(",") for line in text.splitlines()]
    changed = mutated_plain(rows, random)
    changed = changed if isinstance(changed, list) else [[str(changed)]]
    rows = (
        [list(map(str, row)) for row in changed if isinstance(row, list)]
        if isinstance(changed, list)
        else []
    )
    if rows and random.random() < 0.2:
        random.choice(rows).append(as_json(junk(random)))
    return {name: "\n".join(map(",".join, rows)).encode("utf-8", "surrogatepass")}


READERS = {
    "config": Reader(_config, lambda path: Config.load(path.parent).command()),
    "history": Reader(
        lambda random: _table(_HISTORY, "history.csv", random),
        lambda path: str(read_history(path)),
    ),
    "gradients": Reader(lambda random: _table(_GRADIENTS, "gradients.csv", random), read_gradients),
}
