"""A tile of numbers in vector registers, as a value that compiled Python can hold.

A processor computes fastest when it works on numbers that stay in its vector registers. NumPy and
Numba have no word for "these 24 registers", so this file adds one: a `Tile` of `rows` × `vectors`
registers, each of `LANES` float32. A kernel makes a tile of zeros, adds products to it in ordinary
Python loops, and stores it once. Each function here becomes a few machine instructions.

The batch lies innermost in memory, so a register holds the same pixel of `LANES` images. Where a
batch ends inside a register, `lanes` says which of its places are alive; the others read as zero
and are never written.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from pellucid.compiled.instructions import (
    BYTES,
    I32,
    I64,
    LANES,
    MASK,
    REGISTERS,
    VECTOR,
    at,
    load,
    pointer,
    row_at,
    splat,
    store,
)

__all__ = ["LANES", "REGISTERS"]  # and every function below


class TileType(types.Type):
    """The type of a tile, for the compiler."""

    def __init__(self, rows: int, vectors: int) -> None:
        self.rows, self.vectors = rows, vectors
        super().__init__(name=f"Tile({rows}×{vectors})")


class LanesType(types.Type):
    """The type of a mask over `vectors` registers, for the compiler."""

    def __init__(self, vectors: int) -> None:
        self.vectors = vectors
        super().__init__(name=f"Lanes({vectors})")


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: TileType) -> None:
        super().__init__(manager, kind, ir.ArrayType(VECTOR, kind.rows * kind.vectors))


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: LanesType) -> None:
        super().__init__(manager, kind, ir.ArrayType(MASK, kind.vectors))


# What follows is written for the compiler: each function returns a signature and the code that
# makes the instructions. Its docstring says what it does.


@intrinsic(prefer_literal=True)
def zero_tile(typing: Any, rows: Any, vectors: Any) -> Any:
    """``zero_tile(rows, vectors)``: a tile of zeros; both numbers are constants."""
    tile = TileType(rows.literal_value, vectors.literal_value)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(ir.ArrayType(VECTOR, tile.rows * tile.vectors), None)

    return tile(rows, vectors), code


@intrinsic(prefer_literal=True)
def live_lanes(typing: Any, count: Any, vectors: Any) -> Any:
    """``live_lanes(count, vectors)``: the first `count` of ``vectors * LANES`` places are alive."""
    lanes = LanesType(vectors.literal_value)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        count = builder.trunc(args[0], I32) if args[0].type.width > 32 else args[0]
        mask = ir.Constant(ir.ArrayType(MASK, lanes.vectors), ir.Undefined)
        for v in range(lanes.vectors):
            places = ir.Constant(ir.VectorType(I32, LANES), [v * LANES + i for i in range(LANES)])
            alive = builder.icmp_signed("<", places, splat(builder, count))
            mask = builder.insert_value(mask, alive, v)
        return mask

    return lanes(count, vectors), code


@intrinsic(prefer_literal=True)
def read_tile(typing: Any, rows: Any, vectors: Any, y: Any, yi: Any) -> Any:
    """``read_tile(rows, vectors, y, yi)``: the tile that `write_tile` wrote there."""
    tile = TileType(rows.literal_value, vectors.literal_value)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer(context, builder, y, args[2], args[3])
        acc = ir.Constant(ir.ArrayType(VECTOR, tile.rows * tile.vectors), ir.Undefined)
        for k in range(tile.rows * tile.vectors):
            place = builder.bitcast(at(builder, start, k * LANES), VECTOR.as_pointer())
            acc = builder.insert_value(acc, builder.load(place, align=4), k)
        return acc

    return tile(rows, vectors, y, yi), code


@intrinsic
def write_tile(typing: Any, tile: Any, y: Any, yi: Any) -> Any:
    """``y[yi …] = tile``, register after register, to be read again by `read_tile`."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer(context, builder, y, args[1], args[2])
        for k in range(tile.rows * tile.vectors):
            place = builder.bitcast(at(builder, start, k * LANES), VECTOR.as_pointer())
            builder.store(builder.extract_value(args[0], k), place, align=4)
        return context.get_dummy_value()

    return types.void(tile, y, yi), code


@intrinsic(prefer_literal=True)
def load_run(typing: Any, x: Any, xi: Any, vectors: Any, lanes: Any) -> Any:
    """``load_run(x, xi, vectors, lanes)``: a tile of one row, ``x[xi …]``."""
    tile = TileType(1, vectors.literal_value)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer(context, builder, x, args[0], args[1])
        acc = ir.Constant(ir.ArrayType(VECTOR, tile.vectors), ir.Undefined)
        for v in range(tile.vectors):
            acc = builder.insert_value(
                acc, load(builder, start, v, builder.extract_value(args[3], v)), v
            )
        return acc

    return tile(x, xi, vectors, lanes), code


@intrinsic
def load_square(typing: Any, x: Any, xi: Any, step: Any, rows: Any, lanes: Any) -> Any:
    """``tile[r] = x[xi + r·step …]``: `LANES` rows of a register each, zero from row `rows` on."""
    tile = TileType(LANES, 1)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start, places = pointer(context, builder, x, args[0], args[1]), args[4]
        acc = ir.Constant(ir.ArrayType(VECTOR, LANES), ir.Undefined)
        for r in range(LANES):
            there = builder.icmp_signed(">", args[3], ir.Constant(args[3].type, r))
            alive = builder.and_(splat(builder, there), builder.extract_value(places, 0))
            # where no memory is, even a load of nothing takes a processor a thousand steps
            row = builder.select(there, row_at(builder, start, args[2], r), start)
            acc = builder.insert_value(acc, load(builder, row, 0, alive), r)
        return acc

    return tile(x, xi, step, rows, lanes), code


@intrinsic
def load_rows(typing: Any, x: Any, starts: Any, k: Any, xi: Any, rows: Any, lanes: Any) -> Any:
    """``tile[r] = x[starts[k + r] + xi …]``, float32 or bytes, as `load_square` does it."""
    tile = TileType(LANES, 1)
    is_bytes = x.dtype == types.uint8

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = pointer(context, builder, starts, args[1], args[2])
        acc = ir.Constant(ir.ArrayType(VECTOR, LANES), ir.Undefined)
        for r in range(LANES):
            there = builder.icmp_signed(">", args[4], ir.Constant(args[4].type, r))
            alive = builder.and_(splat(builder, there), builder.extract_value(args[5], 0))
            of_row = builder.select(there, ir.Constant(I64, r), ir.Constant(I64, 0))
            start = builder.load(builder.gep(first, [of_row]))
            place = pointer(context, builder, x, args[0], builder.add(start, args[3]))
            row = load(builder, place, 0, alive, BYTES if is_bytes else VECTOR)
            if is_bytes:
                row = builder.uitofp(row, VECTOR)
            acc = builder.insert_value(acc, row, r)
        return acc

    return tile(x, starts, types.intp, types.intp, rows, lanes), code


@intrinsic
def fetch_ahead(typing: Any, x: Any, xi: Any) -> Any:
    """Ask for the cache line of ``x[xi]``, to be near when it is read; it need not exist."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _fetch(builder, pointer(context, builder, x, args[0], args[1]))
        return context.get_dummy_value()

    return types.void(x, xi), code


@intrinsic(prefer_literal=True)
def fetch_runs_ahead(typing: Any, x: Any, xi: Any, vectors: Any) -> Any:
    """Ask for what lies `AHEAD` numbers behind a run ``x[xi …]`` that is read or written now.

    Where a pass over memory computes as long as it reads, this makes it several times as fast.
    """
    count = vectors.literal_value

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer(context, builder, x, args[0], args[1])
        for v in range(count):
            _fetch(builder, at(builder, start, AHEAD + v * LANES))
        return context.get_dummy_value()

    return types.void(x, xi, vectors), code


AHEAD = 512


def _fetch(builder: Any, pointer: Any) -> None:
    place = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    fetch = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(ir.VoidType(), [place.type, I32, I32, I32]),
        "llvm.prefetch.p0",
    )
    read, second_cache, data = (ir.Constant(I32, n) for n in (0, 2, 1))
    builder.call(fetch, [place, read, second_cache, data])


@intrinsic
def store_bytes(typing: Any, tile: Any, y: Any, yi: Any, lanes: Any) -> Any:
    """``y[yi …] = tile``, each number as one byte."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer(context, builder, y, args[1], args[2])
        for v in range(tile.vectors):
            value = builder.fptoui(builder.extract_value(args[0], v), BYTES)
            store(builder, value, start, v, args[3])
        return context.get_dummy_value()

    return types.void(tile, y, yi, lanes), code


@intrinsic(prefer_literal=True)
def load_bytes(typing: Any, x: Any, xi: Any, vectors: Any, lanes: Any) -> Any:
    """``load_bytes(x, xi, vectors, lanes)``: a tile of one row from one byte a number."""
    tile = TileType(1, vectors.literal_value)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer(context, builder, x, args[0], args[1])
        acc = ir.Constant(ir.ArrayType(VECTOR, tile.vectors), ir.Undefined)
        for v in range(tile.vectors):
            value = builder.uitofp(
                load(builder, start, v, builder.extract_value(args[3], v), BYTES), VECTOR
            )
            acc = builder.insert_value(acc, value, v)
        return acc

    return tile(x, xi, vectors, lanes), code


@intrinsic
def store_tile(typing: Any, tile: Any, y: Any, yi: Any, stride: Any, rows: Any, lanes: Any) -> Any:
    """``y[yi + r·stride + v·LANES …] = tile[r, v]`` for the first `rows` rows."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        acc, y_, yi_, stride_, rows_, mask = args
        start = pointer(context, builder, y, y_, yi_)
        for r in range(tile.rows):
            with builder.if_then(builder.icmp_signed(">", rows_, ir.Constant(rows_.type, r))):
                row = row_at(builder, start, stride_, r)
                for v in range(tile.vectors):
                    value = builder.extract_value(acc, r * tile.vectors + v)
                    store(builder, value, row, v, mask)
        return context.get_dummy_value()

    return types.void(tile, y, yi, stride, rows, lanes), code
