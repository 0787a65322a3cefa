"""Start from a trained network: use its weights, with a new last layer for other classes."""

import fnmatch
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.cli import common
from pellucid.cli.folders import CONFIG
from pellucid.errors import PellucidError, ShapeError
from pellucid.interchange.safetensors import MODEL

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.layers import Layer
    from pellucid.parameter import Parameter

_WIDTHS = {"Linear": "out_features", "Conv2d": "out_channels"}
"""The layers that can be the last one, and their option for the number of outputs."""


def is_trained(model: str) -> bool:
    """Return whether ``--model`` names a run or a trained network, not an architecture."""
    path = Path(model)
    return path.suffix == ".safetensors" or any((path / name).exists() for name in (MODEL, CONFIG))


def load(model: str) -> "Layer":
    """Load the trained network that ``--model`` names."""
    return common.load_model(Path(model))


def reading_for(model: str, source: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return `options` with the image size on which the network was trained."""
    from pellucid.data.registry import takes

    shape = load(model).input_shape
    if shape is None or "size" in options or not takes(source, "size"):
        return options
    common.note(f"{source}: images are read as {_sizes(shape)}, as the trained network takes them")
    return options | {"size": tuple(shape[1:]), "channels": options.get("channels") or shape[0]}


def network(model: str, images: "DataSet", seed: int) -> "Layer":
    """Return the trained network, with a new last layer if `images` have other classes."""
    trained = load(model)
    fitted = trained if trained.classes == images.classes else _with_new_head(trained, images, seed)
    if fitted.preprocessing is not None:
        fitted.preprocessing = fitted.preprocessing.suited_to(images.images)
    try:
        fitted.output_shape((1, *images.image_shape))
    except ShapeError as error:
        known = "" if trained.input_shape is None else f" of {_sizes(trained.input_shape)}"
        raise ShapeError(
            f"{model} was trained on images{known}, and these are {_sizes(images.image_shape)}: "
            f"{error}"
        ) from error
    return fitted


def learning(model: "Layer", frozen: str | None) -> dict[str, "Parameter"]:
    """Return the parameters to train: all except those that ``--freeze`` names."""
    named = model.named_parameters()
    found = {n: p for n, p in named.items() if not any(_matches(n, w) for w in _words(frozen))}
    for word in _words(frozen):
        if not any(_matches(name, word) for name in named):
            layers = dict.fromkeys(name.rpartition(".")[0] for name in named)
            raise PellucidError(
                f"--freeze: there is no layer '{word}'. Those that learn: {', '.join(layers)}"
            )
    if not found:
        raise PellucidError(f"--freeze {frozen} freezes all parameters: none is left to train")
    return found


def _with_new_head(trained: "Layer", images: "DataSet", seed: int) -> "Layer":
    from pellucid import layers

    described = trained.describe()
    count = None if trained.classes is None else len(trained.classes)
    heads = [
        table
        for table in _tables(described)
        if table.get("type") in _WIDTHS and count in (None, table[_WIDTHS[table["type"]]])
    ]
    if not heads:
        raise PellucidError(
            "this network was trained on other classes, and it has no last linear layer that could "
            "be replaced; train it on the same classes"
        )
    heads[-1][_WIDTHS[heads[-1]["type"]]] = len(images.classes)
    model = layers.initialize(layers.build(described), seed)
    values, known = model.state_dict(), trained.state_dict()
    new = [name for name in values if values[name].shape != known[name].shape]
    if not new:  # as many classes, but different ones
        new = _of_last_layer(model, heads[-1]["type"])
    model.load_state_dict(values | {n: v for n, v in known.items() if n not in new})
    model.preprocessing = trained.preprocessing
    common.note(
        f"The last layer is new, for {len(images.classes)} classes; "
        f"{_count(known, new)} of {_count(known, ())} parameters are those of the trained network"
    )
    return model


def _of_last_layer(model: "Layer", kind: str) -> list[str]:
    *_, path = (path for path, layer in model.walk() if type(layer).__name__ == kind)
    return [name for name in model.state_dict() if name.rpartition(".")[0] == path]


def _count(values: Mapping[str, Any], but: Any) -> str:
    return f"{sum(int(np.size(v)) for name, v in values.items() if name not in but):,}"


def _tables(described: Any) -> Iterator[dict[str, Any]]:
    """Yield every dict of a nested description, in order."""
    if isinstance(described, dict):
        yield described
    if isinstance(described, dict | list | tuple):
        inside = described.values() if isinstance(described, dict) else described
        for each in inside:
            yield from _tables(each)


def _words(frozen: str | None) -> list[str]:
    return [word.strip() for word in (frozen or "").split(",") if word.strip()]


def _matches(name: str, word: str) -> bool:
    return fnmatch.fnmatchcase(name, word) or fnmatch.fnmatchcase(name, f"{word}.*")


def _sizes(shape: Any) -> str:
    return "×".join(map(str, shape))
