"""``pellucid export``: write a trained model as a file for other programs."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import common
from pellucid.errors import PellucidError, unknown

if TYPE_CHECKING:
    from pellucid.layers import Layer


def export(
    run: common.Run,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The file to write: model.onnx or weights.safetensors."
        ),
    ],
    preprocessing: Annotated[
        bool,
        typer.Option(
            "--preprocessing",
            help="ONNX: include the preprocessing, so that the network takes the pixels that "
            "training took, usually from 0 to 255.",
        ),
    ] = False,
    probabilities: Annotated[
        bool,
        typer.Option(
            "--probabilities",
            help="ONNX: end with a softmax, so that the network gives probabilities.",
        ),
    ] = False,
) -> None:
    """Write a trained model as a file for other programs: ONNX, or PyTorch's weights."""
    if file.suffix not in _FORMATS:
        raise PellucidError(unknown("kind of file", file.suffix or file.name, _FORMATS))
    options = {"preprocessing": preprocessing, "probabilities": probabilities}
    given = {name for name, value in options.items() if value}
    write, takes = _FORMATS[file.suffix]
    for name in sorted(given - takes):
        raise PellucidError(f"a {file.suffix} file takes no --{name}")
    model = common.load_model(run)
    write(model, file, given)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


def _onnx(model: "Layer", file: Path, said: set[str]) -> None:
    from pellucid.interchange.onnx import save

    pixels, softmax = "preprocessing" in said, "probabilities" in said
    save(model, file, preprocessing=pixels, probabilities=softmax)


def _weights(model: "Layer", file: Path, said: set[str]) -> None:
    from pellucid.interchange.safetensors import write_tensors

    write_tensors(model.state_dict(), file)


_FORMATS: dict[str, tuple[Callable[["Layer", Path, set[str]], None], set[str]]] = {
    ".onnx": (_onnx, {"preprocessing", "probabilities"}),
    ".safetensors": (_weights, set()),
}
"""For each suffix, the function that writes such a file, and the options it takes."""
