"""Convert einsum, to matrix products where two values share an axis."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.interchange.onnx.reader.call import Call
from pellucid.interchange.onnx.reader.operators.arithmetic import reshaped, scaled
from pellucid.interchange.onnx.reader.operators.linear import linear
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.interchange.onnx.reader.size import Size, product
from pellucid.interchange.onnx.reader.values import Computed, UnsupportedError
from pellucid.layers import MatMul, Permute, ReduceSum
from pellucid.types import Array


@converts("Einsum")
def einsum(call: Call) -> Computed:
    """Convert an equation with one value, or with two of which the second may be constant."""
    equation = call.word("equation", "").replace(" ", "")
    given, arrow, after = equation.partition("->")
    terms = given.split(",")
    if not arrow or "." in equation or len(terms) != len(call.given) or len(terms) > 2:
        raise UnsupportedError(f"the equation {equation[:60]} is not supported")
    if any(len(set(term)) < len(term) for term in (*terms, after)):
        raise UnsupportedError(f"the equation {equation[:60]} takes a diagonal, unsupported")
    if len(terms) == 1:
        return _ordered(call, *_summed(call, call.value(), terms[0], after), after)
    if call.is_constant(0) and not call.is_constant(1):
        terms, call.given = terms[::-1], call.given[::-1]
    if call.is_constant(1):
        return _with_constant(call, call.numbers(1, "operand"), terms, after)
    return _of_two(call, terms, after)


def _with_constant(call: Call, array: Array, terms: list[str], after: str) -> Computed:
    """Multiply by a matrix if the terms share one letter, else element by element, and sum."""
    x, (a, b) = call.value(0), terms
    shared = [letter for letter in a if letter in b]
    if len(b) == 2 and len(shared) == 1 and shared[0] not in after:
        (own,) = set(b) - set(shared)
        weight = array if b == own + shared[0] else array.T
        rest = a.replace(shared[0], "")
        ordered = _ordered(call, x, a, rest + shared[0])
        return _ordered(call, linear(call, weight, None, ordered), rest + own, after)
    if set(b) <= set(a):
        letters = "".join(letter for letter in a if letter in b)
        turned = array.transpose([b.index(letter) for letter in letters])
        sizes = iter(turned.shape)
        aligned = turned.reshape([next(sizes) if letter in b else 1 for letter in a])
        product_ = scaled(call, x, aligned)
        return _ordered(call, *_summed(call, product_, a, after), after)
    raise UnsupportedError(f"the equation {terms}->{after} with a constant is not supported")


def _of_two(call: Call, terms: list[str], after: str) -> Computed:
    """Permute to (shared, own, summed) and (shared, summed, own), and multiply the matrices."""
    a, b = terms
    x, a = _summed(call, call.value(0), a, after + b)
    y, b = _summed(call, call.value(1), b, after + a)
    kept = [letter for letter in a if letter in b and letter in after]
    summed = [letter for letter in a if letter in b and letter not in after]
    left = [letter for letter in a if letter not in b]
    right = [letter for letter in b if letter not in a]
    size = {**dict(zip(b, y.sizes, strict=True)), **dict(zip(a, x.sizes, strict=True))}

    def of(letters: Sequence[str]) -> list[Size]:
        return [size[letter] for letter in letters]

    first = _ordered(call, x, a, "".join(kept + left + summed))
    first = reshaped(call, first, (*of(kept), product(of(left)), product(of(summed))))
    second = _ordered(call, y, b, "".join(kept + summed + right))
    second = reshaped(call, second, (*of(kept), product(of(summed)), product(of(right))))
    found = reshaped(call, call.add(MatMul(), first, second), (*of(kept + left + right),))
    return _ordered(call, found, "".join(kept + left + right), after)


def _summed(call: Call, x: Computed, letters: str, needed: str) -> tuple[Computed, str]:
    """Sum over the axes that are not needed, and return the remaining letters."""
    gone = tuple(i for i, letter in enumerate(letters) if letter not in needed)
    left = "".join(letter for letter in letters if letter in needed)
    return (call.add(ReduceSum(gone), x) if gone else x), left


def _ordered(call: Call, x: Computed, letters: str, wanted: str) -> Computed:
    """Permute the axes to the wanted order."""
    if sorted(letters) != sorted(wanted):
        raise UnsupportedError(f"the axes {letters} cannot be ordered as {wanted}")
    order = tuple(letters.index(letter) for letter in wanted)
    return x if order == tuple(range(len(order))) else call.add(Permute(order), x)
