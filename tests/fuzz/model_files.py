"""Model files, networks in TOML and checkpoints."""

import functools
import json
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import safetensors.numpy

import small_run
from layer_table import ROWS
from pellucid import layers as nn
from pellucid.interchange.safetensors import load
from pellucid.models import toml
from pellucid.training import resume, save_checkpoint
from pellucid.training.checkpoint_file import digest
from tests.fuzz.mutation import as_json, as_toml, mutated, mutated_plain
from tests.fuzz.reader import Files, Reader

_INPUT = (1, 8, 8)
_NETWORKS = (
    [
        {"type": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": "same"},
        {"type": "BatchNorm2d"},
        {"type": "ReLU"},
        {"type": "MaxPool2d", "kernel_size": 2},
        {"type": "Flatten"},
        {"type": "Linear", "out_features": "classes"},
    ],
    [
        {
            "type": "Residual",
            "body": [{"name": "conv1", "type": "Conv2d", "out_channels": 1, "kernel_size": 1}],
            "activation": {"type": "ReLU"},
        },
        {
            "type": "Concat",
            "branches": [
                {"type": "Identity"},
                {"type": "AvgPool2d", "kernel_size": [3, 1], "stride": 1, "padding": [1, 0]},
            ],
        },
        {"type": "GlobalAvgPool2d"},
        {"type": "Flatten"},
        {"type": "Dropout", "p": 0.5},
        {"type": "Linear", "out_features": "classes"},
    ],
    {
        "type": "Graph",
        "nodes": [
            {"name": "a", "read": "x", "layer": {"type": "Flatten"}},
            {"name": "b", "read": ["a", "a"], "layer": {"type": "Add"}},
            {"name": "c", "read": ["b"], "layer": {"type": "Linear", "out_features": "classes"}},
        ],
        "output": "c",
        "inputs": ["x"],
    },
)


@functools.cache
def _models() -> list[tuple[dict[str, Any], dict[str, Any], Any]]:
    """Return (description, values, input shape) of a model with each kind of layer."""
    found = []
    for row in ROWS.values():
        several = isinstance(row.shape[0], tuple)
        layer = row.make()
        if isinstance(layer, nn.Graph):
            continue  # with several inputs or outputs
        if several:
            names = [f"x{i}" for i in range(len(row.shape))]
            layer = nn.Graph({"y": (layer, names)}, inputs=names)
        model = nn.Sequential(layer)
        shape = list(row.shape[0] if several else row.shape)
        found.append((json.loads(as_json(model.describe())), model.state_dict(), shape))
    return found


def model_file(architecture: Any, values: dict[str, Any], **about: Any) -> bytes:
    """Return a model file of this description and these values."""
    described = {
        "format": 1,
        "version": "0.1.0",
        "architecture": architecture,
        "preprocessing": None,
        "classes": None,
        "input_shape": None,
    }
    return safetensors.numpy.save(values, {"pellucid": as_json(described | about)})


def _safetensors(random: Random) -> Files:
    architecture, values, shape = random.choice(_models())
    about: dict[str, Any] = {"classes": ["a", "b"], "input_shape": shape[1:] or [1]}
    part = random.randrange(10)
    if part < 7:
        architecture = mutated_plain(architecture, random)
    elif part == 7:
        about = mutated_plain(about | {"preprocessing": {"mean": [0.5], "scale": [1]}}, random)
        about = about if isinstance(about, dict) else {"classes": about}
    content = model_file(architecture, values, **{str(key): about[key] for key in about})
    if part == 8:
        content = _other_header(content, random)
    return {"model.safetensors": mutated(content, random) if part == 9 else content}


def _other_header(content: bytes, random: Random) -> bytes:
    length = int.from_bytes(content[:8], "little")
    header = as_json(mutated_plain(json.loads(content[8 : 8 + length]), random)).encode()
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def _read_model(path: Path) -> None:
    model = load(path)
    shape = model.input_shape or (1, 8, 8)
    if model.inputs != 1:
        return
    output = model.output_shape((2, *shape))
    if _is_small([model.describe(), shape]) and isinstance(output, tuple):
        model(np.zeros((2, *shape), np.float32))


def _is_small(value: Any) -> bool:
    """Return whether all numbers of a description are small enough for the model to run at once."""
    if isinstance(value, dict | list | tuple):
        return all(map(_is_small, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int | float) or abs(value) <= 64


def _toml(random: Random) -> Files:
    network: Any = {"name": "net", "layers": random.choice(_NETWORKS)}
    if random.random() < 0.8:
        network = mutated_plain(network, random)
    keys = network.items() if isinstance(network, dict) else [("layers", network)]
    text = "".join(f"{json.dumps(str(key))} = {as_toml(value)}\n" for key, value in keys).encode()
    return {"net.toml": mutated(text, random) if random.random() < 0.3 else text}


def run_facts() -> dict[str, Any]:
    """Return what a checkpoint says of a run, apart from arrays."""
    facts: dict[str, Any] = json.loads(_run()[1])
    return facts


def run_values() -> dict[str, Any]:
    """Return the arrays of a checkpoint."""
    return dict(_run()[2])


def checkpoint_file(facts: str, values: dict[str, Any]) -> bytes:
    """Return a checkpoint whose checksum is right."""
    metadata = {"pellucid": facts, "digest": digest(facts, values)}
    return safetensors.numpy.save(values, metadata)


@functools.cache
def _run() -> tuple[bytes, str, dict[str, Any]]:
    """Return a checkpoint's bytes, its facts and its values."""
    with tempfile.TemporaryDirectory() as folder:
        content = save_checkpoint(small_run.new_state(), folder).read_bytes()
    length = int.from_bytes(content[:8], "little")
    facts = json.loads(content[8 : 8 + length])["__metadata__"]["pellucid"]
    return content, facts, safetensors.numpy.load(content)


def _checkpoint(random: Random) -> Files:
    part, facts, values = random.randrange(10), run_facts(), run_values()
    if part < 6:
        facts = mutated_plain(facts, random)
    elif part < 8:
        name = random.choice(sorted(values))
        value = values.pop(name)
        changes = (
            value.astype(random.choice(("f2", "f8", "i8", "u1", "?"))),
            value.reshape(-1, 1),
            np.zeros((0, *value.shape), value.dtype),
            np.full_like(value, random.choice((-1, 0, 1, 100))),
        )
        values[random.choice((name, name, name[:-1], "model/x"))] = random.choice(changes)
    whole = checkpoint_file(as_json(facts), values) if part < 8 else mutated(_run()[0], random)
    return {"checkpoint/state.safetensors": whole}


def _read_checkpoint(path: Path) -> None:
    state = resume(
        path.parent.parent, small_run.DATA, small_run.VALIDATION, augment=small_run.AUGMENT
    )
    assert state.finished in (True, False)
    str(state.history)


READERS = {
    "safetensors": Reader(_safetensors, _read_model),
    "toml": Reader(_toml, lambda path: toml.load(path, _INPUT, 3)),
    "checkpoint": Reader(_checkpoint, _read_checkpoint),
}
