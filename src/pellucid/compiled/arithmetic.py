"""Arithmetic with tiles: products and sums, register by register.

Each function here becomes a few machine instructions, as those of `tile` do, which make a tile,
read it and write it.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pellucid.compiled.instructions import (
    I32,
    I64,
    LANES,
    MASK,
    VECTOR,
    at,
    by_register,
    call,
    fma_into,
    gathered,
    lane_sums,
    load,
    load_if,
    pointer,
    row_at,
    splat,
    store,
    turned,
)
from pellucid.compiled.tile import LanesType, TileType


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
        return _outer_add(
            context, builder, signature, args, lambda row, column: load(builder, row, 0, None)
        )

    return tile(tile, a, ai, a_step, b, bi, b_step), code


@intrinsic
def outer_add_some(
    typing: Any, tile: Any, a: Any, ai: Any, a_step: Any, b: Any, bi: Any, b_step: Any, lanes: Any,
    first: Any, end: Any,
) -> Any:  # fmt: skip
    """Do `outer_add` for some lanes and the columns from `first` to `end` − 1 alone."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mask = builder.extract_value(args[7], 0)
        first, end = args[8:]

        def read(row: Any, column: int | None) -> Any:
            if column is None:
                return load(builder, row, 0, mask)
            n = ir.Constant(I64, column)
            after, before = (
                builder.icmp_signed("<=", first, n), builder.icmp_signed("<", n, end)
            )  # fmt: skip
            return load_if(
                builder, builder.and_(after, before), lambda: load(builder, row, 0, mask)
            )

        return _outer_add(context, builder, signature, args[:7], read)

    return tile(tile, a, ai, a_step, b, bi, b_step, lanes, first, end), code


def _outer_add(context: Any, builder: Any, signature: Any, args: Any, read: Any) -> Any:
    tile, a, b = signature.return_type, signature.args[1], signature.args[4]
    acc, a_, ai, a_step, b_, bi, b_step = args
    left, right = pointer(context, builder, a, a_, ai), pointer(context, builder, b, b_, bi)
    columns = [read(row_at(builder, right, b_step, c), c) for c in range(tile.vectors)]
    for r in range(tile.rows):
        run = read(row_at(builder, left, a_step, r), None)
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


@intrinsic
def turn(typing: Any, tile: Any) -> Any:
    """``turn(tile)[r, lane] = tile[lane, r]``, for a tile of `LANES` registers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        registers = [builder.extract_value(args[0], k) for k in range(LANES)]
        return gathered(builder, turned(builder, registers))

    return tile(tile), code


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a · b + c``, each a tile or a float32, at least one a tile; one row serves all rows."""
    tiles = [kind for kind in (a, b, c) if isinstance(kind, TileType)]
    tile = max(tiles, key=lambda kind: kind.rows)

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
def multiply(typing: Any, a: Any, b: Any) -> Any:
    """``a · b``, each a tile or a float32."""
    tile = a if isinstance(a, TileType) else b

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return by_register(builder, tile, args, builder.fmul)

    return tile(a, b), code


@intrinsic
def subtract(typing: Any, a: Any, b: Any) -> Any:
    """``a − b``, each a tile or a float32."""
    tile = a if isinstance(a, TileType) else b

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return by_register(builder, tile, args, builder.fsub)

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
    tiles = (kind for kind in (a, b) if isinstance(kind, TileType))
    tile = next(tiles, TileType(1, mask.vectors))

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
