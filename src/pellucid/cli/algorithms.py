"""``pellucid algorithms``: the convolution algorithms, and what each costs."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from pellucid.cli import common
from pellucid.errors import PellucidError
from pellucid.geometry import Window

if TYPE_CHECKING:
    from pellucid.reference.conv.choose import Algorithm
    from pellucid.types import Padding, Shape

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
        typer.Option(metavar="NUMBER|same|valid", help="How many zeros are added on each side."),
    ] = "same",
    dilation: Annotated[int, typer.Option(metavar="N", min=1, help="The dilation.")] = 1,
    groups: Annotated[int, typer.Option(metavar="N", min=1, help="The number of groups.")] = 1,
) -> None:
    """Show the convolution algorithms: what each does, and what it costs for a given shape.

    Costs are of the forward pass in float32: multiplications, and memory
    besides input and output.
    """
    from pellucid.reference.conv import choose

    N, C, H, W = common.sizes(shape, "--shape", 4)
    F, KH, KW = common.sizes(kernel, "--kernel", 3)
    if C % groups or F % groups:
        raise PellucidError(f"{groups} groups divide neither {C} channels nor {F} kernels evenly")
    sides = int(padding) if padding.isdecimal() else padding
    window = Window.of(
        (H, W), (KH, KW), stride=stride, padding=cast("Padding", sides), dilation=dilation
    )
    shapes = (N, C, H, W), (F, C // groups, KH, KW)
    chosen = choose.choose(*shapes, window, groups)
    print(f"{shape} * {kernel} -> {N}x{F}x{'x'.join(map(str, window.output_size))}\n")
    rows = (
        (name, _WHAT.get(name, ""), *_costs(choose.get(name), *shapes, window, groups))
        for name in choose.names()
    )
    common.print_table(["algorithm", "what it does", ">multiplications", ">memory"], rows)
    print(f"\nauto chooses {chosen.name}: {chosen.reason}")
    for name in choose.names():
        if (reason := choose.get(name).supports(window, groups)) is not None:
            print(f"{name} cannot do this: {reason}")


_WHAT = {
    "loops": "the definition",
    "im2col": "patches to columns, one matrix product",
    "fft": "one product at each frequency",
    "winograd2": "tiles of 2×2 outputs, for 3×3 kernels",
    "winograd4": "tiles of 4×4 outputs, for 3×3 kernels",
}


def _costs(
    algorithm: "Algorithm", images: "Shape", kernels: "Shape", window: Window, groups: int
) -> tuple[str, str]:
    if algorithm.supports(window, groups) is not None:
        return "-", "-"
    shapes = images, kernels, window, groups
    scratch = algorithm.scratch_bytes(*shapes, _ITEM_BYTES)
    return f"{algorithm.multiplications(*shapes):,}", f"{scratch / 2**20:,.1f} MiB"
