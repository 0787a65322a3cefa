"""Formulas with tiles, written as Python writes them: ``a * x + b``, ``abs(x)``, ``x > 0``.

Numbers beside a tile, such as ``0.5 * x``, count as float32. Importing this module gives tiles
these operators.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic

from pellucid.compiled.instructions import F32, I32, LANES, VECTOR, by_register, call, splat
from pellucid.compiled.tile import LanesType, TileType


def _operator(function: Any, instruction: Callable[..., Any], gives_mask: bool = False) -> None:
    """Let `function` of tiles and numbers be this instruction, register by register."""

    @infer_global(function)
    class _Operator(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            tile = next((kind for kind in args if isinstance(kind, TileType)), None)
            if tile is None or not all(isinstance(k, (TileType, types.Number)) for k in args):
                return None
            result = LanesType(tile.rows * tile.vectors) if gives_mask else tile
            return signature(result, *map(types.unliteral, args))

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return by_register(
            builder, signature.return_type, args, lambda *operands: instruction(builder, *operands)
        )

    for kinds in ((TileType,), (TileType, TileType), (TileType, types.Any), (types.Any, TileType)):
        lower_builtin(function, *kinds)(code)


def _compared(sign: str) -> Callable[..., Any]:
    return lambda builder, a, b: builder.fcmp_ordered(sign, a, b)


_operator(operator.add, lambda builder, a, b: builder.fadd(a, b))
_operator(operator.sub, lambda builder, a, b: builder.fsub(a, b))
_operator(operator.mul, lambda builder, a, b: builder.fmul(a, b))
_operator(operator.truediv, lambda builder, a, b: builder.fdiv(a, b))
_operator(operator.neg, lambda builder, a: builder.fneg(a))
_operator(abs, lambda builder, a: call(builder, "llvm.fabs", a))
_operator(operator.gt, _compared(">"), gives_mask=True)
_operator(operator.lt, _compared("<"), gives_mask=True)
_operator(operator.ge, _compared(">="), gives_mask=True)
_operator(operator.le, _compared("<="), gives_mask=True)


@intrinsic
def polynomial(typing: Any, coefficients: Any, x: Any) -> Any:
    """``(… (c₀·x + c₁)·x + …)·x + cₙ`` by Horner's rule, for a tuple of coefficients."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        numbers = [
            splat(builder, builder.fptrunc(builder.extract_value(args[0], k), F32))
            for k in range(len(coefficients))
        ]

        def horner(run: Any) -> Any:
            total = numbers[0]
            for number in numbers[1:]:
                total = call(builder, "llvm.fmuladd", total, run, number)
            return total

        return by_register(builder, x, args[1:], horner)

    return x(coefficients, x), code


@intrinsic
def power_of_two(typing: Any, shifted: Any) -> Any:
    """2ⁿ for whole −127 < n < 128, given as the number ``n + ROUNDS``.

    The lowest bits of ``n + ROUNDS`` are n; moved to where a float32 has its exponent, they are 2ⁿ.
    """
    integers = ir.VectorType(I32, LANES)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def power(run: Any) -> Any:
            bits = builder.shl(builder.bitcast(run, integers), splat(builder, I32(23)))
            return builder.bitcast(builder.add(bits, splat(builder, I32(127 << 23))), VECTOR)

        return by_register(builder, shifted, args, power)

    return shifted(shifted), code


@intrinsic
def with_sign_of(typing: Any, size: Any, x: Any) -> Any:
    """``±size``, with the sign of x."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return by_register(builder, x, args, lambda a, b: call(builder, "llvm.copysign", a, b))

    return x(size, x), code


ROUNDS = 1.5 * 2**23
"""A float32 near this number has no digits behind the point: adding it rounds to whole numbers."""
