"""Convert PyTorch's arithmetic between tensors, numbers and learned values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.nn import Parameter

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.torch.values import Use, Wire, take
from pellucid.layers import Layer


def _add(a: Any, b: Any, *, alpha: float = 1) -> Any:
    b = _scaled(b, alpha)
    if isinstance(a, Use | Wire) and isinstance(b, Use | Wire):
        return Use(_sum_layer(a, b), a, b)
    x, other = _value_first(a, b)
    if isinstance(other, Tensor):
        return Use(take(nn.Shift(_shape(other)), {"bias": other.reshape(_shape(other))}), x)
    return Use(nn.Affine(shift=float(other)), x)


def _sum_layer(a: Any, b: Any) -> Layer:
    same = isinstance(a, Use) or isinstance(b, Use) or None in (a.shape, b.shape)
    return nn.Add() if same or a.shape == b.shape else nn.BroadcastAdd()


def _subtract(a: Any, b: Any, *, alpha: float = 1) -> Any:
    if isinstance(a, Wire) and isinstance(b, Wire) and alpha == 1:
        return Use(nn.Subtract(), a, b)
    return _add(a, _scaled(b, -alpha))


def _scaled(x: Any, factor: float) -> Any:
    if factor == 1:
        return x
    return Use(nn.Affine(scale=float(factor)), x) if isinstance(x, Wire) else x * factor


def _multiply(a: Any, b: Any) -> Any:
    if isinstance(a, Wire) and isinstance(b, Wire):
        return Use(nn.Multiply(), a, b)
    x, other = _value_first(a, b)
    if isinstance(other, Tensor):
        return Use(take(nn.Scale(_shape(other)), {"weight": other.reshape(_shape(other))}), x)
    return Use(nn.Affine(scale=float(other)), x)


def _divide(a: Any, b: Any, *, rounding_mode: None = None) -> Any:
    if rounding_mode is not None:
        raise PellucidError("the argument rounding_mode has no equivalent")
    if isinstance(a, Wire) and isinstance(b, Wire):
        return Use(nn.Divide(), a, b)
    if isinstance(a, Wire) and isinstance(b, int | float):
        return Use(nn.Affine(scale=1 / b), a)
    if isinstance(a, int | float):
        return Use(nn.Affine(scale=float(a)), Use(nn.Power(-1.0), b))
    raise PellucidError("it divides by values that the module holds")


def _value_first(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the network's value first, then the number or the module's own tensor."""
    x, other = (a, b) if isinstance(a, Wire | Use) else (b, a)
    if isinstance(other, Tensor) and not isinstance(other, Parameter):
        raise PellucidError(
            "it computes with a buffer, a constant tensor or a function of learned values, which "
            "Pellucid would train"
        )
    if not isinstance(other, Tensor | int | float):
        raise PellucidError(f"it computes with {other!r}, which is not supported")
    if (
        isinstance(other, Tensor)
        and isinstance(x, Wire)
        and other.ndim > len(x.shape or other.shape)
    ):
        raise PellucidError("it computes with a tensor that has more axes than the value")
    return x, other


def _shape(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape without leading axes of size 1, which broadcasting adds again."""
    sizes = list(tensor.shape) or [1]
    while len(sizes) > 1 and sizes[0] == 1:
        sizes.pop(0)
    return tuple(sizes)


def _clamp(
    x: Wire,
    min: float | None = None,  # noqa: A002  # PyTorch's name
    max: float | None = None,  # noqa: A002  # PyTorch's name
) -> Use:
    limits = {"low": min, "high": max}
    given = {name: float(limit) for name, limit in limits.items() if limit is not None}
    return Use(nn.Clip(**given), x)


def _of_pair(make: Callable[[], Layer]) -> Callable[[Wire, Wire], Use]:
    def use(a: Wire, b: Wire) -> Use:
        if not (isinstance(a, Wire) and isinstance(b, Wire)):
            raise PellucidError("it needs two inputs that depend on the network's input")
        return Use(make(), a, b)

    return use


def _reduction(make: Callable[..., Layer]) -> Callable[..., Use]:
    def use(x: Wire, dim: Any = None, keepdim: bool = False, *, dtype: None = None) -> Use:
        if dim is None or dtype is not None:
            raise PellucidError("it needs the argument dim, and supports no dtype")
        return Use(make((dim,) if isinstance(dim, int) else tuple(dim), keepdim), x)

    return use


def _greater(a: Any, b: Any) -> Use:
    """Convert ``a > b`` to the unit step of ``a − b``."""
    return Use(nn.Heaviside(), _subtract(a, b))


def _minus(x: Any) -> Use:
    return Use(nn.Affine(scale=-1.0), x)


def _not(x: Any) -> Use:
    return Use(nn.Affine(-1.0, 1.0), x)


def _where(condition: Wire, input: Any, other: Any) -> Use:  # noqa: A002  # PyTorch's name
    both = (_as_value(value, condition) for value in (input, other))
    return Use(nn.Where(), condition, *both)


def _as_value(x: Any, like: Wire) -> Any:
    """Return a number as a value with the shape of `like`."""
    if isinstance(x, Tensor):
        raise PellucidError("it chooses values that the module holds")
    return Use(nn.Clip(float(x), float(x)), like) if isinstance(x, int | float) else x


def _power(x: Wire, exponent: float) -> Use:
    return Use(nn.Power(float(exponent)), x)


def _arg_max(x: Wire, dim: int | None = None, keepdim: bool = False) -> Use:
    if dim is None:
        raise PellucidError("it needs the argument dim")
    return Use(nn.ArgMax(x.axis(dim), keepdim), x)


ARITHMETIC: Mapping[str, Callable[..., Any]] = {
    "add": _add,
    "sub": _subtract,
    "mul": _multiply,
    "div": _divide,
    "truediv": _divide,
    "neg": lambda x: Use(nn.Affine(scale=-1.0), x),
    "pow": _power,
    "square": lambda x: Use(nn.Power(2.0), x),
    "sqrt": lambda x: Use(nn.Power(0.5), x),
    "rsqrt": lambda x: Use(nn.Power(-0.5), x),
    "reciprocal": lambda x: Use(nn.Power(-1.0), x),
    "exp": lambda x: Use(nn.Exp(), x),
    "log": lambda x: Use(nn.Log(), x),
    "erf": lambda x: Use(nn.Erf(), x),
    "abs": lambda x: Use(nn.Abs(), x),
    "clamp": _clamp,
    "clip": _clamp,
    "maximum": _of_pair(nn.Maximum),
    "minimum": _of_pair(nn.Minimum),
    "matmul": _of_pair(nn.MatMul),
    "bmm": _of_pair(nn.MatMul),
    "sum": _reduction(nn.ReduceSum),
    "mean": _reduction(nn.ReduceMean),
    "gt": _greater,
    "lt": lambda a, b: _greater(b, a),
    "ge": lambda a, b: _not(_greater(b, a)),
    "le": lambda a, b: _not(_greater(a, b)),
    "where": _where,
    "masked_fill": lambda x, mask, value: _where(mask, value, x),
    "argmax": _arg_max,
    "sign": lambda x: Use(nn.Subtract(), Use(nn.Heaviside(), x), Use(nn.Heaviside(), _minus(x))),
    "amin": lambda x, dim=None, keepdim=False: _minus(
        _reduction(nn.ReduceMax)(_minus(x), dim, keepdim)
    ),
    "amax": _reduction(nn.ReduceMax),
}
