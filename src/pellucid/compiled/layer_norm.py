"""Layer normalisation, compiled: group normalisation of whole images, with a single group."""

from typing import NamedTuple

from pellucid.compiled.fallback import reference
from pellucid.compiled.group_norm import GroupCache, group_norm, group_norm_gradient
from pellucid.compiled.layout import flatten, unflatten
from pellucid.types import Array, Shape


class LayerCache(NamedTuple):
    """What the gradient of layer normalisation needs, beside the shape of x."""

    group: GroupCache
    shape: Shape


def layer_norm(
    x: Array, axes: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, object]:
    """Return y with mean and variance over all axes of an image, and a cache.

    That is group normalisation of x (N, D) with a single group. Over fewer axes, NumPy computes it.
    """
    if axes != x.ndim - 1 or x.ndim not in (2, 4) or x.size == 0:
        return reference.layer_norm(x, axes, weight, bias, eps)
    w, b = (None if each is None else each.reshape(-1) for each in (weight, bias))
    y, _, _, cache = group_norm(flatten(x) if x.ndim == 4 else x, 1, w, b, eps)
    assert isinstance(cache, GroupCache)
    return unflatten(y, x.shape) if x.ndim == 4 else y, LayerCache(cache, x.shape)


def layer_norm_gradient(
    dy: Array, cache: object, weight: Array | None
) -> tuple[Array, Array | None, Array | None]:
    """Return dx, dweight and dbias (None and None without a weight)."""
    if not isinstance(cache, LayerCache):
        return reference.layer_norm_gradient(dy, cache, weight)
    flat = None if weight is None else weight.reshape(-1)
    given = flatten(dy) if dy.ndim == 4 else dy
    dx, dweight, dbias = group_norm_gradient(given, cache.group, flat)
    if dy.ndim == 4:
        dx = unflatten(dx, dy.shape)
    if weight is None or dweight is None or dbias is None:
        return dx, None, None
    return dx, dweight.reshape(weight.shape), dbias.reshape(weight.shape)
