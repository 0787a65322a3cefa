"""``pellucid algorithms``: the convolution algorithms, and what each costs."""

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from pellucid import engine as engines
from pellucid.cli import common
from pellucid.contract import Convolution
from pellucid.errors import PellucidError
from pellucid.geometry import Window
from pellucid.ops.convolution import ConvolutionPlan

if TYPE_CHECKING:
    from pellucid.types import Shape

_ITEM_BYTES = 4


def algorithms(
    shape: Annotated[
        str, typer.Option(metavar="NxCxHxW", help="The input: images, channels, height and width.")
    ] = "64x32x28x28",
    kernel: Annotated[
        str, typer.Option(metavar="FxKHxKW", help="The kernels: how many, their height and width.")
    ] = "64x3x3",
    stride: Annotated[int, typer.Option(metavar="N", min=1, help="The stride.")] = 1,
    padding: Annotated[
        str,
        typer.Option(metavar="NUMBER|same|valid", help="The number of zeros added on each side."),
    ] = "same",
    dilation: Annotated[int, typer.Option(metavar="N", min=1, help="The dilation.")] = 1,
    groups: Annotated[int, typer.Option(metavar="N", min=1, help="The number of groups.")] = 1,
    as_json: common.AsJson = False,
    as_csv: common.AsCsv = False,
    engine: common.Engine = None,
) -> None:
    """Show the convolution algorithms: what each does, and what it costs for a given shape.

    Costs are of the forward pass in float32: multiplications, and memory
    besides input and output. The names are those that `pellucid summary` shows.
    """
    from pellucid.reference.conv import choose

    N, C, H, W = common.sizes(shape, "--shape", 4)
    F, KH, KW = common.sizes(kernel, "--kernel", 3)
    if C % groups or F % groups:
        raise PellucidError(f"{groups} groups divide neither {C} channels nor {F} kernels evenly")
    sides = int(padding) if padding.isdecimal() else padding
    options: dict[str, Any] = {"stride": stride, "padding": sides, "dilation": dilation}
    window = Window.of((H, W), (KH, KW), **options)
    shapes = (N, C, H, W), (F, C // groups, KH, KW)
    output = (N, F, *window.output_size)
    rows = [_row(name, *shapes, window, groups) for name in (*choose.names(), *_COMPILED)]
    with common.computing(engine, None):
        plan = ConvolutionPlan.of(*shapes, groups=groups, **options)
        chosen, in_force = plan.algorithm_for(np.dtype(np.float32)), engines.name()
    if as_json:
        described = {"input": shapes[0], "kernels": shapes[1], "output": output, "engine": in_force}
        common.print_json(described | {"chosen": chosen, "algorithms": rows})
        return
    if as_csv:
        common.print_csv(list(rows[0]), (list(row.values()) for row in rows))
        return
    print(f"{shape} * {kernel} -> {'x'.join(map(str, output))}\n")
    heads = ["algorithm", "what it does", ">multiplications", ">memory"]
    common.print_table(heads, (_cells(row) for row in rows if row["supported"]))
    print(f"\nThe {in_force} engine chooses {chosen}.")
    if in_force == "reference":
        print(f"Because: {choose.choose(*shapes, window, groups).reason}.")
    for row in rows:
        if not row["supported"]:
            print(f"{row['algorithm']} cannot do this: {row['reason']}.")


_WHAT = {
    "loops": "the definition",
    "im2col": "patches to columns, one matrix product",
    "fft": "one product at each frequency",
    "winograd2": "tiles of 2×2 outputs, for 3×3 kernels",
    "winograd4": "tiles of 4×4 outputs, for 3×3 kernels",
    "direct": "the definition's sums in registers; compiled engine",
    "depthwise": "the same, where each channel has kernels of its own; compiled engine",
}
_COMPILED = ("direct", "depthwise")
"""Algorithms of the compiled engine; they multiply as often as the definition, without memory."""


def _row(
    name: str, images: "Shape", kernels: "Shape", window: Window, groups: int
) -> dict[str, Any]:
    """Return the cost of an algorithm as plain data."""
    from pellucid.reference.conv import choose

    algorithm = choose.get("loops" if name in _COMPILED else name)
    reason = algorithm.supports(window, groups)
    if name == "depthwise" and not Convolution(images, kernels, window, groups).is_depthwise:
        reason = "it needs one filter for each channel"
    shapes = images, kernels, window, groups
    scratch = 0 if name in _COMPILED else algorithm.scratch_bytes(*shapes, _ITEM_BYTES)
    return {
        "algorithm": name,
        "description": _WHAT[name],
        "supported": reason is None,
        "reason": reason,
        "multiplications": None if reason else algorithm.multiplications(*shapes),
        "memory_bytes": None if reason else scratch,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    memory = f"{row['memory_bytes'] / 2**20:,.1f} MiB"
    return [row["algorithm"], row["description"], f"{row['multiplications']:,}", memory]
