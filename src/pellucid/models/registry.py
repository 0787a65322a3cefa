"""Build models by name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

from pellucid import keywords
from pellucid.arguments import plain
from pellucid.errors import PellucidError, ShapeError, unknown
from pellucid.layers import Layer
from pellucid.models import toml
from pellucid.models.check import fitted
from pellucid.types import Shape

Model = TypeVar("Model", bound=Callable[..., Layer])

_models: dict[str, Callable[..., Layer]] = {}


def register(function: Model) -> Model:
    """Register a model function under its name, and check whatever it builds.

    ``function(input_shape, classes, **options)`` returns a layer. The registered function does the
    same, but raises a `ShapeError` if the layer does not map an input of that shape to `classes`
    scores.
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
    """Return the names of the models that `build` knows.

    >>> "resnet20" in names()
    True
    """
    return tuple(sorted(_models))


def build(name: str, input_shape: Shape, classes: int, **options: Any) -> Layer:
    """Build a model by name, or from a TOML file that describes it.

    Parameters
    ----------
    name
        One of `names()`, with options after a colon if any: ``"inception:width=1,dropout=0.2"``. Or
        the path of a file with the ending ``.toml``.
    input_shape
        Shape (C, H, W) of one image; ``mlp`` also accepts (features,).
    classes
        Number of scores.
    **options
        Further arguments of the model's function, instead of those in `name`; files take none.

    Returns
    -------
    Layer
        The model, with weights that are drawn on first use; see `pellucid.initialize`.

    Raises
    ------
    PellucidError
        The name or an option is unknown; the message suggests the most similar one.
    ShapeError
        The model does not fit the images; the message names the layer and the size it needs.

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
    name, chosen = parse_name(name)
    if name not in _models:
        raise PellucidError(unknown("model", name, names()))
    _check(name, options)
    return _models[name](input_shape, classes, **(chosen | options))


def parse_name(text: str) -> tuple[str, dict[str, Any]]:
    """Return the name of a model, known or not, and the options written after it.

    Raises
    ------
    PellucidError
        A known model does not have one of the options, or they are not written in this way.

    Examples
    --------
    >>> parse_name("inception:width=1,dropout=0.2")
    ('inception', {'width': 1, 'dropout': 0.2})
    """
    name, colon, written = text.partition(":")
    if not colon or not name.isidentifier() or len(name) == 1:  # a path, or one with a drive
        return text, {}
    try:
        options = keywords.parse(written)
    except ValueError:
        raise PellucidError(
            f"options of {name} are written as in {name}:width=0.5, several with commas between, "
            f"not {written!r:.60}"
        ) from None
    if name in _models:
        _check(name, options)
    return name, options


def _check(name: str, options: Mapping[str, Any]) -> None:
    """Raise an error if the model does not have one of these options."""
    known = list(inspect.signature(_models[name]).parameters)[2:]
    if options and not known:
        raise PellucidError(f"{name} has no options, so it takes no {' and '.join(options)}")
    for option in options:
        if option not in known:
            raise PellucidError(unknown(f"option of {name}", option, known))


def widened(channels: int, width: float, multiple: int = 1) -> int:
    """Return ``channels · width``, rounded to a multiple of `multiple`, at least one multiple.

    Rounding never reduces the number by more than a tenth; it rounds up instead.

    >>> widened(6, 1.5), widened(32, 0.35, multiple=8)
    (9, 16)
    """
    if not isinstance(width, int | float) or not 0 < width < math.inf:
        raise ShapeError(f"width must be a positive factor on the channels, not {width!r}")
    wanted = channels * width
    rounded = max(1, int(wanted / multiple + 0.5)) * multiple
    return rounded if rounded >= 0.9 * wanted else rounded + multiple
