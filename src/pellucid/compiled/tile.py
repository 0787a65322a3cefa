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
    by_register,
    call,
    fma_into,
    gathered,
    lane_sums,
    load,
    pointer,
    row_at,
    splat,
    store,
    turned,
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


@intrinsic
def multiply_add(typing: Any, tile: Any, w: Any, wi: Any, x: Any, xi: Any, lanes: Any) -> Any:
    """``tile[r, v] += w[wi + r] · x[xi + v·LANES …]``: one weight a row, one run of images."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        acc, w_, wi_, x_, xi_, mask = args
        weights = pointer(context, builder, w, w_, wi_)
        images = pointer(context, builder, x, x_, xi_)
        runs = [
            load(builder, images, v, builder.extract_value(mask, v)) for v in range(tile.vectors)
        ]
        for r in range(tile.rows):
            weight = splat(builder, builder.load(at(builder, weights, r)))
            for v, run in enumerate(runs):
                acc = fma_into(builder, acc, r * tile.vectors + v, weight, run)
        return acc

    return tile(tile, w, wi, x, xi, lanes), code


@intrinsic
def multiply_add_apart(
    typing: Any, tile: Any, w: Any, wi: Any, step: Any, x: Any, xi: Any, lanes: Any
) -> Any:
    """``tile[r, v] += w[wi + r·step] · x[xi + v·LANES …]``: the rows' numbers lie apart."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        acc, w_, wi_, step_, x_, xi_, mask = args
        numbers = pointer(context, builder, w, w_, wi_)
        start = pointer(context, builder, x, x_, xi_)
        runs = [
            load(builder, start, v, builder.extract_value(mask, v)) for v in range(tile.vectors)
        ]
        for r in range(tile.rows):
            number = splat(builder, builder.load(row_at(builder, numbers, step_, r)))
            for v, run in enumerate(runs):
                acc = fma_into(builder, acc, r * tile.vectors + v, number, run)
        return acc

    return tile(tile, w, wi, step, x, xi, lanes), code


@intrinsic
def outer_add(
    typing: Any, tile: Any, a: Any, ai: Any, a_step: Any, b: Any, bi: Any, b_step: Any
) -> Any:
    """``tile[r, c] += a[ai + r·a_step …] · b[bi + c·b_step …]``, lane by lane, a register each.

    All lanes are alive here: only then can an instruction multiply straight from memory, and the
    tile may fill the registers.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _outer_add(context, builder, signature, args, lambda number: None)

    return tile(tile, a, ai, a_step, b, bi, b_step), code


@intrinsic
def outer_add_some(
    typing: Any, tile: Any, a: Any, ai: Any, a_step: Any, b: Any, bi: Any, b_step: Any, lanes: Any,
    first: Any, end: Any,
) -> Any:  # fmt: skip
    """The same for some lanes, and for columns from `first` to before `end`: no other b is read."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mask = builder.extract_value(args[7], 0)
        first, end = args[8:]

        def alive(number: int | None) -> Any:
            if number is None:
                return mask
            n = ir.Constant(I64, number)
            after, before = (
                builder.icmp_signed("<=", first, n), builder.icmp_signed("<", n, end)
            )  # fmt: skip
            return builder.and_(mask, splat(builder, builder.and_(after, before)))

        return _outer_add(context, builder, signature, args[:7], alive)

    return tile(tile, a, ai, a_step, b, bi, b_step, lanes, first, end), code


def _outer_add(context: Any, builder: Any, signature: Any, args: Any, alive: Any) -> Any:
    tile, a, b = signature.return_type, signature.args[1], signature.args[4]
    acc, a_, ai, a_step, b_, bi, b_step = args
    left, right = pointer(context, builder, a, a_, ai), pointer(context, builder, b, b_, bi)
    columns = [
        load(builder, row_at(builder, right, b_step, c), 0, alive(c)) for c in range(tile.vectors)
    ]
    for r in range(tile.rows):
        run = load(builder, row_at(builder, left, a_step, r), 0, alive(None))
        for c, column in enumerate(columns):
            acc = fma_into(builder, acc, r * tile.vectors + c, run, column)
    return acc


@intrinsic
def add_rows(typing: Any, tile: Any, bias: Any, bi: Any) -> Any:
    """``tile[r, v] += bias[bi + r]``."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        acc, bias_, bi_ = args
        values = pointer(context, builder, bias, bias_, bi_)
        for r in range(tile.rows):
            value = splat(builder, builder.load(at(builder, values, r)))
            for k in range(r * tile.vectors, (r + 1) * tile.vectors):
                total = builder.fadd(builder.extract_value(acc, k), value)
                acc = builder.insert_value(acc, total, k)
        return acc

    return tile(tile, bias, bi), code


@intrinsic
def add_columns(typing: Any, tile: Any, bias: Any, bi: Any) -> Any:
    """``tile[r, v] += bias[bi + v·LANES …]``."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer(context, builder, bias, args[1], args[2])
        runs = [load(builder, start, v, None) for v in range(tile.vectors)]
        acc = args[0]
        for k in range(tile.rows * tile.vectors):
            total = builder.fadd(builder.extract_value(acc, k), runs[k % tile.vectors])
            acc = builder.insert_value(acc, total, k)
        return acc

    return tile(tile, bias, bi), code


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
            there = splat(builder, builder.icmp_signed(">", args[3], ir.Constant(args[3].type, r)))
            alive = builder.and_(there, builder.extract_value(places, 0))
            row = row_at(builder, start, args[2], r)
            acc = builder.insert_value(acc, load(builder, row, 0, alive), r)
        return acc

    return tile(x, xi, step, rows, lanes), code


@intrinsic
def fetch_ahead(typing: Any, x: Any, xi: Any) -> Any:
    """Ask for the cache line of ``x[xi]``, to be near when it is read; it need not exist."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.bitcast(
            pointer(context, builder, x, args[0], args[1]), ir.IntType(8).as_pointer()
        )
        fetch = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [place.type, I32, I32, I32]),
            "llvm.prefetch.p0",
        )
        read, second_cache, data = (ir.Constant(I32, n) for n in (0, 2, 1))
        builder.call(fetch, [place, read, second_cache, data])
        return context.get_dummy_value()

    return types.void(x, xi), code


@intrinsic
def turn(typing: Any, tile: Any) -> Any:
    """``turn(tile)[r, lane] = tile[lane, r]``, for a tile of `LANES` registers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        registers = [builder.extract_value(args[0], k) for k in range(LANES)]
        return gathered(builder, turned(builder, registers))

    return tile(tile), code


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a · b + c``, each a tile or a float32, at least one a tile."""
    tile = next(kind for kind in (a, b, c) if isinstance(kind, TileType))

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return by_register(
            builder, tile, args, lambda x, y, z: call(builder, "llvm.fmuladd", x, y, z)
        )

    return tile(a, b, c), code


@intrinsic
def add(typing: Any, a: Any, b: Any) -> Any:
    """``a + b``, each a tile or a float32."""
    tile = a if isinstance(a, TileType) else b

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return by_register(builder, tile, args, builder.fadd)

    return tile(a, b), code


@intrinsic
def relu_tile(typing: Any, tile: Any) -> Any:
    """``max(tile, 0)``; what is not a number stays so."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(VECTOR, None)

        def relu(x: Any) -> Any:
            return builder.select(builder.fcmp_ordered("<", x, zero), zero, x)

        return by_register(builder, tile, args, relu)

    return tile(tile), code


def _comparison(sign: str, unordered: bool) -> Any:
    def compare(typing: Any, a: Any, b: Any) -> Any:
        tile = a if isinstance(a, TileType) else b
        lanes = LanesType(tile.rows * tile.vectors)

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            test = builder.fcmp_unordered if unordered else builder.fcmp_ordered
            return by_register(builder, lanes, args, lambda x, y: test(sign, x, y))

        return lanes(a, b), code

    return compare


# ``a > b``, ``a = b`` and ``a is not b's equal``, each a mask; false, false and true for NaN.
above = intrinsic(_comparison(">", unordered=False))
equal = intrinsic(_comparison("==", unordered=False))
unequal = intrinsic(_comparison("!=", unordered=True))


@intrinsic
def choose(typing: Any, mask: Any, a: Any, b: Any) -> Any:
    """`a` where the mask is true, otherwise `b`; each a tile or a float32."""
    tile = a if isinstance(a, TileType) else b

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return by_register(builder, tile, args, builder.select)

    return tile(mask, a, b), code


@intrinsic
def either(typing: Any, a: Any, b: Any) -> Any:
    """Where the mask `a` or the mask `b` is true."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return by_register(builder, a, args, builder.or_)

    return a(a, b), code


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


@intrinsic
def add_sums(typing: Any, tile: Any, y: Any, yi: Any) -> Any:
    """``y[yi + r·vectors + v] += Σ tile[r, v]`` over its lanes, in an order that never changes."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer(context, builder, y, args[1], args[2])
        registers = [builder.extract_value(args[0], k) for k in range(tile.rows * tile.vectors)]
        for first in range(0, len(registers), LANES):
            some = registers[first : first + LANES]
            mask = ir.Constant(MASK, [i < len(some) for i in range(LANES)])
            place = at(builder, start, first)
            total = builder.fadd(load(builder, place, 0, mask), lane_sums(builder, some))
            masks = ir.Constant(ir.ArrayType(MASK, 1), [mask])
            store(builder, total, place, 0, masks)
        return context.get_dummy_value()

    return types.void(tile, y, yi), code


@intrinsic
def tile_sum(typing: Any, tile: Any) -> Any:
    """Σ of all the tile's numbers, in an order that never changes."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total = builder.extract_value(args[0], 0)
        for k in range(1, tile.rows * tile.vectors):
            total = builder.fadd(total, builder.extract_value(args[0], k))
        return builder.extract_element(lane_sums(builder, [total]), ir.Constant(I32, 0))

    return types.float32(tile), code
