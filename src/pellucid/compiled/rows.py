"""Tiles whose rows lie anywhere in memory: a list says where each row begins.

In the lanes lie the channels of a pixel, and the rows of a tile are pixels, which need not be
neighbours.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pellucid.compiled.instructions import VECTOR, at, fma_into, load, pointer, splat, store
from pellucid.compiled.tile import TileType


@intrinsic
def multiply_add_rows(
    typing: Any, tile: Any, x: Any, places: Any, first: Any, xi: Any, w: Any, wi: Any
) -> Any:
    """``tile[r, v] += x[places[first + r] + xi] · w[wi + v·LANES …]``; all lanes are alive."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        acc, x_, places_, first_, xi_, w_, wi_ = args
        numbers = pointer(context, builder, x, x_, xi_)
        starts = pointer(context, builder, places, places_, first_)
        start = pointer(context, builder, w, w_, wi_)
        runs = [load(builder, start, v, None) for v in range(tile.vectors)]
        for r in range(tile.rows):
            number = builder.load(builder.gep(numbers, [builder.load(at(builder, starts, r))]))
            for v, run in enumerate(runs):
                acc = fma_into(builder, acc, r * tile.vectors + v, splat(builder, number), run)
        return acc

    return tile(tile, x, places, first, xi, w, wi), code


@intrinsic
def multiply_add_lanes(
    typing: Any, tile: Any, x: Any, places: Any, first: Any, xi: Any, w: Any, wi: Any, lanes: Any
) -> Any:
    """``tile[r, v] += x[places[first + r] + xi + v·LANES …] · w[wi + v·LANES …]``, lane by lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        acc, x_, places_, first_, xi_, w_, wi_, mask = args
        masks = [builder.extract_value(mask, v) for v in range(tile.vectors)]
        start = pointer(context, builder, w, w_, wi_)
        runs = [load(builder, start, v, alive) for v, alive in enumerate(masks)]
        rows = _rows(context, builder, (x, places), (x_, places_, first_, xi_), tile)
        for r, row in enumerate(rows):
            for v, run in enumerate(runs):
                number = load(builder, row, v, masks[v])
                acc = fma_into(builder, acc, r * tile.vectors + v, number, run)
        return acc

    return tile(tile, x, places, first, xi, w, wi, lanes), code


@intrinsic(prefer_literal=True)
def load_rows(
    typing: Any, rows: Any, vectors: Any, y: Any, places: Any, first: Any, yi: Any, lanes: Any
) -> Any:
    """``tile[r, v] = y[places[first + r] + yi + v·LANES …]``, for constants rows and vectors."""
    tile = TileType(rows.literal_value, vectors.literal_value)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        acc = ir.Constant(ir.ArrayType(VECTOR, tile.rows * tile.vectors), ir.Undefined)
        for r, row in enumerate(_rows(context, builder, signature.args[2:], args[2:], tile)):
            for v in range(tile.vectors):
                run = load(builder, row, v, builder.extract_value(args[6], v))
                acc = builder.insert_value(acc, run, r * tile.vectors + v)
        return acc

    return tile(rows, vectors, y, places, first, yi, lanes), code


@intrinsic
def store_rows(typing: Any, tile: Any, y: Any, places: Any, first: Any, yi: Any, lanes: Any) -> Any:
    """``y[places[first + r] + yi + v·LANES …] = tile[r, v]``."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for r, row in enumerate(_rows(context, builder, signature.args[1:], args[1:], tile)):
            for v in range(tile.vectors):
                value = builder.extract_value(args[0], r * tile.vectors + v)
                store(builder, value, row, v, args[5])
        return context.get_dummy_value()

    return types.void(tile, y, places, first, yi, lanes), code


def _rows(context: Any, builder: Any, kinds: Any, args: Any, tile: TileType) -> list[Any]:
    """Return where each row begins."""
    y, places = kinds[:2]
    start = pointer(context, builder, y, args[0], args[3])
    starts = pointer(context, builder, places, args[1], args[2])
    return [builder.gep(start, [builder.load(at(builder, starts, r))]) for r in range(tile.rows)]
