"""The machine instructions that a tile's functions are made of.

Each function adds instructions to what is being compiled and returns the value that they leave.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from pellucid.compiled.levels import target_features


def _registers() -> tuple[int, int]:
    """Return (float32 lanes of a vector register, number of vector registers) of the target."""
    features = target_features()
    if features.get("avx512f"):
        return 16, 32
    if features.get("avx"):
        return 8, 16
    return 4, 32 if features.get("neon") else 16


def _maskable() -> tuple[bool, bool]:
    """Return whether the target leaves out lanes of float32, and of bytes, without losing time.

    AVX and AVX2 can leave out float32, but some AMD processors take ten times as long for it.
    """
    features = target_features()
    return bool(features.get("avx512f")), bool(
        features.get("avx512bw") and features.get("avx512vl")
    )


LANES, REGISTERS = _registers()

F32, I1, I32, I64 = ir.FloatType(), ir.IntType(1), ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(F32, LANES)
MASK = ir.VectorType(I1, LANES)
BYTES = ir.VectorType(ir.IntType(8), LANES)
_MASKS_FLOATS, _MASKS_BYTES = _maskable()


def by_register(builder: Any, kind: Any, args: Any, instruction: Any) -> Any:
    """Return what `instruction` makes of each register.

    A number goes to all lanes, and a tile of one row to all rows.
    """
    masks = not hasattr(kind, "rows")  # lanes have registers, but no rows
    count = kind.vectors if masks else kind.rows * kind.vectors
    result = ir.Constant(ir.ArrayType(MASK if masks else VECTOR, count), ir.Undefined)
    for k in range(count):
        operands = [
            builder.extract_value(arg, k % arg.type.count) if isinstance(arg.type, ir.ArrayType)
            else splat(builder, _as_float(builder, arg))
            for arg in args
        ]  # fmt: skip
        result = builder.insert_value(result, instruction(*operands), k)
    return result


def _as_float(builder: Any, number: Any) -> Any:
    """Return a number of any type as a float32."""
    if isinstance(number.type, ir.IntType):
        return builder.sitofp(number, F32)
    return builder.fptrunc(number, F32) if isinstance(number.type, ir.DoubleType) else number


def call(builder: Any, name: str, *operands: Any) -> Any:
    kind = ir.FunctionType(VECTOR, [VECTOR] * len(operands))
    function = cgutils.get_or_insert_function(builder.module, kind, f"{name}.{name_of(VECTOR)}")
    return builder.call(function, operands)


def pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


def at(builder: Any, pointer: Any, offset: int) -> Any:
    return builder.gep(pointer, [ir.Constant(I64, offset)])


def row_at(builder: Any, pointer: Any, stride: Any, row: int) -> Any:
    return builder.gep(pointer, [builder.mul(stride, ir.Constant(stride.type, row))])


def splat(builder: Any, scalar: Any) -> Any:
    kind = ir.VectorType(scalar.type, LANES)
    undefined = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
    places = ir.Constant(ir.VectorType(I32, LANES), [0] * LANES)
    return builder.shuffle_vector(one, undefined, places)


def fma_into(builder: Any, acc: Any, k: int, a: Any, b: Any) -> Any:
    total = call(builder, "llvm.fmuladd", a, b, builder.extract_value(acc, k))
    return builder.insert_value(acc, total, k)


def load(builder: Any, pointer: Any, v: int, alive: Any, kind: Any = VECTOR) -> Any:
    place = builder.bitcast(at(builder, pointer, v * LANES), kind.as_pointer())
    if alive is None:
        return builder.load(place, align=1)
    if _is_maskable(kind):
        return _masked_load(builder, place, alive, kind)
    with builder.if_else(_all(builder, alive), likely=True) as (whole, partial):
        with whole:
            found, block = builder.load(place, align=1), builder.block
        with partial:
            some = load_if(
                builder, _any(builder, alive), lambda: _masked_load(builder, place, alive, kind)
            )
            other = builder.block
    value = builder.phi(kind)
    value.add_incoming(found, block)
    value.add_incoming(some, other)
    return value


def load_if(builder: Any, there: Any, read: Callable[[], Any]) -> Any:
    """Return what `read` loads, or zeros without reading anything if it is not there."""
    before = builder.block
    with builder.if_then(there):
        found, after = read(), builder.block
    value = builder.phi(found.type)
    value.add_incoming(ir.Constant(found.type, None), before)
    value.add_incoming(found, after)
    return value


def _masked_load(builder: Any, place: Any, alive: Any, kind: Any) -> Any:
    load = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(kind, [kind.as_pointer(), I32, MASK, kind]),
        f"llvm.masked.load.{name_of(kind)}.p0",
    )
    return builder.call(load, [place, ir.Constant(I32, 1), alive, ir.Constant(kind, None)])


def store(builder: Any, value: Any, pointer: Any, v: int, mask: Any) -> None:
    kind = value.type
    place = builder.bitcast(at(builder, pointer, v * LANES), kind.as_pointer())
    alive = builder.extract_value(mask, v)
    if _is_maskable(kind):
        _masked_store(builder, value, place, alive)
        return
    with builder.if_else(_all(builder, alive), likely=True) as (whole, partial):
        with whole:
            builder.store(value, place, align=1)
        with partial, builder.if_then(_any(builder, alive)):
            _masked_store(builder, value, place, alive)


def _masked_store(builder: Any, value: Any, place: Any, alive: Any) -> None:
    kind = value.type
    store = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(ir.VoidType(), [kind, kind.as_pointer(), I32, MASK]),
        f"llvm.masked.store.{name_of(kind)}.p0",
    )
    builder.call(store, [value, place, ir.Constant(I32, 1), alive])


def _is_maskable(kind: Any) -> bool:
    """Return whether any lanes are left out at no cost; otherwise whole registers are not masked.

    Most registers are whole, and only the last, partial one takes longer.
    """
    return _MASKS_FLOATS if kind is VECTOR else _MASKS_BYTES


def _all(builder: Any, alive: Any) -> Any:
    """Return whether all lanes are alive."""
    bits = ir.IntType(LANES)
    return builder.icmp_unsigned("==", builder.bitcast(alive, bits), ir.Constant(bits, -1))


def _any(builder: Any, alive: Any) -> Any:
    """Return whether any lane is alive."""
    bits = ir.IntType(LANES)
    return builder.icmp_unsigned("!=", builder.bitcast(alive, bits), ir.Constant(bits, 0))


def name_of(kind: Any) -> str:
    return f"v{LANES}{'f32' if kind is VECTOR else 'i8'}"


def lane_sums(builder: Any, vectors: list[Any]) -> Any:
    """Return a register with the sum of each of at most `LANES` registers, in their order.

    Two registers' halves are added and lie side by side in one, and so on: half as many each time.
    """
    kind, width = ir.VectorType(I32, LANES), LANES
    while width > 1:
        width //= 2
        # in each register, runs of 2·width places belong together; in a and b, places go on
        lower = [(i // width) * 2 * width + i % width for i in range(LANES)]
        halves = [ir.Constant(kind, [i + more for i in lower]) for more in (0, width)]
        pairs = list(zip(vectors[::2], vectors[1::2] or vectors[::2], strict=False))
        if len(vectors) % 2 and len(vectors) > 1:
            pairs.append((vectors[-1], vectors[-1]))
        vectors = [
            builder.fadd(*(builder.shuffle_vector(a, b, half) for half in halves)) for a, b in pairs
        ]
    return vectors[0]


def turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the registers of the transposed square: pairs change quarters, eighths, and so on."""
    kind, width = ir.VectorType(I32, LANES), 1
    while width < LANES:
        # of a pair a, b, one gets the even runs of `width` places of both, one the odd runs
        even = [i if not i & width else LANES + i - width for i in range(LANES)]
        odd = [i + width if not i & width else LANES + i for i in range(LANES)]
        for i in (i for i in range(LANES) if not i & width):
            a, b = rows[i], rows[i + width]
            rows[i], rows[i + width] = (
                builder.shuffle_vector(a, b, ir.Constant(kind, places)) for places in (even, odd)
            )
        width *= 2
    return rows


def gathered(builder: Any, registers: list[Any]) -> Any:
    """Return the registers as the value of a tile."""
    acc = ir.Constant(ir.ArrayType(VECTOR, len(registers)), ir.Undefined)
    for k, register in enumerate(registers):
        acc = builder.insert_value(acc, register, k)
    return acc
