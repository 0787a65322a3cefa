"""``pellucid draw``: pictures that explain the mathematics."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid.cli import common, completion
from pellucid.errors import PellucidError


def draw(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The drawing. Without it, the names of all drawings are listed.",
            autocompletion=completion.drawings,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An .svg or .png file, or a .gif for an animation.",
            show_default="NAME.svg",
        ),
    ] = None,
    everything: Annotated[
        Path | None, typer.Option("--all", metavar="FOLDER", help="Write all drawings there.")
    ] = None,
    numbers: Annotated[
        str | None,
        typer.Option("--input", metavar="ROWS", help='Your own input, such as "1 2; 3 4".'),
    ] = None,
    kernel: Annotated[
        str | None, typer.Option(metavar="ROWS", help='Your own kernel, such as "1 -1; 1 -1".')
    ] = None,
    stride: Annotated[int | None, typer.Option(metavar="N", min=1, help="The stride.")] = None,
    padding: Annotated[
        str | None,
        typer.Option(metavar="NUMBER|same|valid", help="The number of zeros added on each side."),
    ] = None,
    dilation: Annotated[int | None, typer.Option(metavar="N", min=1, help="The dilation.")] = None,
) -> None:
    """Draw how convolution, pooling and their gradients work, from numbers computed here.

    Try: [bold]pellucid draw convolution --out convolution.gif[/bold]
    """
    from pellucid.view import draw as drawings

    if everything is not None:
        if name is not None:
            raise PellucidError("name a drawing or give --all, not both")
        for path in drawings.save_all(everything):
            print(path)
        return
    if name is None:
        rows = ((d.name, d.line, "moves" if d.animation else "") for d in drawings.DRAWINGS)
        common.print_table(["drawing", "what it shows", ""], rows)
        return
    given: dict[str, Any] = {
        "x": _matrix(numbers, "--input"),
        "kernel": _matrix(kernel, "--kernel"),
        "stride": stride,
        "padding": int(padding) if padding is not None and padding.isdecimal() else padding,
        "dilation": dilation,
    }
    options = {key: value for key, value in given.items() if value is not None}
    print(drawings.find(name).save(out or Path(f"{name}.svg"), **options))


def _matrix(text: str | None, option: str) -> list[list[float]] | None:
    """Parse a matrix such as ``"1 2; 3 4"``."""
    if text is None:
        return None
    try:
        rows = [[float(v) for v in row.replace(",", " ").split()] for row in text.split(";")]
    except ValueError:
        rows = [[]]
    if not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise PellucidError(
            f'{option} must be rows of the same number of values, such as "1 2; 3 4", not "{text}"'
        )
    return rows
