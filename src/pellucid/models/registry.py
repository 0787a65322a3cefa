"""Models by name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from pellucid.arguments import plain
from pellucid.errors import PellucidError, ShapeError, unknown
from pellucid.layers import Layer
from pellucid.models import toml
from pellucid.models.check import fitted
from pellucid.types import Shape

Model = TypeVar("Model", bound=Callable[..., Layer])

_models: dict[str, Callable[..., Layer]] = {}


def register(function: Model) -> Model:
    """Make a function known under its name, and check whatever it builds.

    ``function(input_shape, classes, **options)`` returns a layer; what is registered does the same,
    and raises a `ShapeError` in the user's terms where the layer does not turn an input of that
    shape into `classes` scores.
    """
    name = function.__name__

    @wraps(function)
    def build_and_check(input_shape: Shape, classes: int, *args: Any, **options: Any) -> Layer:
        classes, args = plain(classes), plain(args)
        options = {option: plain(value) for option, value in options.items()}

        def make(shape: Shape) -> Layer:
            return function(shape, classes, *args, **options)

        return fitted(name, make, input_shape, classes)

    _models[name] = build_and_check
    return cast(Model, build_and_check)


def names() -> tuple[str, ...]:
    """Return the names that `build` knows.

    >>> "resnet20" in names()
    True
    """
    return tuple(sorted(_models))


def build(name: str, input_shape: Shape, classes: int, **options: Any) -> Layer:
    """Return a new model by its name, or from a TOML file that describes it.

    Parameters
    ----------
    name
        One of `names()`, or the path of a file that ends in ``.toml``.
    input_shape
        (C, H, W) of one image; ``mlp`` also takes (features,).
    classes
        How many scores the model gives for an image.
    **options
        What the model's function takes besides; a file takes none.

    Raises
    ------
    PellucidError
        For an unknown name or option, with the nearest known one.
    ShapeError
        Where the model does not fit the images: which layer, and what image size it needs.

    Examples
    --------
    >>> build("lenet5", (1, 28, 28), 10).output_shape((64, 1, 28, 28))
    (64, 10)
    >>> build("lenet", (1, 28, 28), 10)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    pellucid.errors.PellucidError: unknown model 'lenet'; did you mean 'lenet5'? Known: ...
    """
    if name.endswith(".toml"):
        if options:
            raise PellucidError(
                f"{name}: a network from a file takes no options: {sorted(options)}"
            )
        return toml.load(name, input_shape, classes)
    if name not in _models:
        raise PellucidError(unknown("model", name, names()))
    known = list(inspect.signature(_models[name]).parameters)[2:]
    for option in options:
        if option not in known:
            raise PellucidError(unknown(f"option of {name}", option, known))
    return _models[name](input_shape, classes, **options)


def widened(channels: int, width: float, multiple: int = 1) -> int:
    """Return ``channels · width`` rounded to a multiple of `multiple`, at least one.

    Rounding takes away a tenth at most, and rounds up where it would take more.

    >>> widened(6, 1.5), widened(32, 0.35, multiple=8)
    (9, 16)
    """
    if not isinstance(width, int | float) or not 0 < width < math.inf:
        raise ShapeError(f"width multiplies the number of channels and is positive, not {width!r}")
    wanted = channels * width
    rounded = max(1, int(wanted / multiple + 0.5)) * multiple
    return rounded if rounded >= 0.9 * wanted else rounded + multiple
