"""``pellucid explain``: explain a trained model's prediction for an image with pictures."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import typer

from pellucid.cli import common, completion, folders, trained
from pellucid.cli import images as files
from pellucid.cli.config import Config, Parts
from pellucid.errors import FileError, PellucidError, ShapeError, unknown

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.layers import Layer
    from pellucid.types import Array

FOLDER = "explained"
METHODS = {
    "saliency": ("saliency", "Saliency"),
    "smooth-grad": ("smooth_grad", "SmoothGrad"),
    "integrated-gradients": ("integrated_gradients", "Integrated gradients"),
    "guided-backpropagation": ("guided_backpropagation", "Guided backprop."),
    "grad-cam": ("grad_cam", "Grad-CAM"),
    "grad-cam++": ("grad_cam_plus_plus", "Grad-CAM++"),
    "occlusion": ("occlusion", "Occlusion"),
}
"""The function in `pellucid.explain` and the title of each method, by its name in --method."""

_MOST_LAYERS, _MOST_FILTERS, _MOST_IMAGES = 24, 16, 5000


class Picture(NamedTuple):
    """A picture, the name of its file, and what it shows."""

    name: str
    figure: Any  # Matplotlib's
    says: str


def explain(
    run: common.Run,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file.")],
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"Use only this method; may be given several times: {', '.join(METHODS)}.",
            show_default="all",
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The layer whose maps are shown and that Grad-CAM looks at; `pellucid summary` "
            "names them.",
            show_default="all convolutions; the last with maps",
            autocompletion=completion.layers,
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="CLASS",
            help="The class to explain, by name or number. Several classes stand side by side in "
            "one picture: --class cat --class dog.",
            show_default="the predicted class",
        ),
    ] = None,
    filters: Annotated[
        str | None,
        typer.Option(
            metavar="LAYER",
            autocompletion=completion.layers,
            help="Show as well what the filters of this layer respond to: parts of the run's own "
            "training images, and images made for it.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where to write the pictures.",
            show_default=f"RUN/{FOLDER}/IMAGE",
        ),
    ] = None,
    drawn_digit: files.DrawnDigit = False,
    how_pixels: trained.Pixels = None,
    input_shape: trained.Input = None,
    layout: trained.Layout = None,
    output: trained.Output = None,
    engine: common.Engine = None,
    threads: common.Threads = None,
) -> None:
    """Explain a prediction with pictures: what in the image it depends on."""
    from pellucid import view
    from pellucid.evaluation import predict

    for name in method or ():
        if name not in METHODS:
            raise PellucidError(unknown("method", name, METHODS))
    model, shape = trained.load(run, how_pixels, input_shape, layout, output)
    pixels = files.read(image, model, shape, drawn_digit)
    data = None if filters is None else _training_images(run)
    with common.computing(engine, threads):
        _compile(model, pixels, method or list(METHODS), layer)
        probabilities = predict(model, pixels[None])[0]
        classes = model.classes or tuple(map(str, range(len(probabilities))))
        numbers = [_number(name, classes) for name in target or ()]
        number = numbers[0] if numbers else int(probabilities.argmax())
        print(f"{image}: {_seen(probabilities, classes, number)}")
        folder = _folder(run, image) if out is None else out
        folder.mkdir(parents=True, exist_ok=True)
        methods = method or _applicable(model, pixels)
        made: Iterable[Picture]
        first = "-and-".join(method) if method else "methods"
        at = "" if layer is None else f"-at-{layer}"
        if len(numbers) > 1:
            made = [_several(model, pixels, classes, numbers, methods, layer, f"{first}{at}")]
        else:
            made = _pictures(model, pixels, classes[number], number, methods, layer, first, at)
        if filters is not None and data is not None:
            made = [*made, _of_filters(model, filters, data)]
        for name, figure, says in made:
            path = view.save(view.caption(figure, says), folder / f"{name}.png")
            print(f"\n{path}\n  {says}")


def _compile(model: "Layer", pixels: "Array", methods: list[str], layer: str | None) -> None:
    """Compile what the pictures need before the first one, several kernels at a time."""
    from pellucid.evaluation import predict
    from pellucid.execution import compile_ahead
    from pellucid.explain import activations

    maps = (partial(_map, model, pixels, 0, method, layer) for method in methods)
    compile_ahead(
        [partial(predict, model, pixels[None]), partial(activations, model, pixels), *maps]
    )


def _folder(run: Path, image: Path) -> Path:
    """Return the folder for the pictures of an image, named after it and the folder it is in."""
    name = "-".join(_as_file_name(part) for part in (image.parent.name, image.stem) if part)
    return (run if run.is_dir() else run.parent) / FOLDER / name


def _training_images(run: Path) -> "DataSet":
    if not run.is_dir() or not (run / folders.CONFIG).exists():
        raise FileError(
            f"{run} is a model without a run, so it has no training images for --filters"
        )
    train = Parts.load(Config.load(run)).train
    return train.take(min(len(train), _MOST_IMAGES))


def _number(target: str, classes: tuple[str, ...]) -> int:
    """Return the number of a class given by name or number."""
    if target in classes:
        return classes.index(target)
    if target.isdecimal() and int(target) < len(classes):
        return int(target)
    raise PellucidError(unknown("class", target, classes))


def _as_file_name(name: str) -> str:
    """Convert a class's name to a part of a file name.

    >>> _as_file_name("hot dog / sausage")
    'hot-dog-sausage'
    """
    return re.sub(r"\W+", "-", name).strip("-") or "class"


def _applicable(model: "Layer", pixels: "Array") -> list[str]:
    """Return all methods, except those for maps if the model has none."""
    from pellucid.explain import last_maps

    try:
        last_maps(model, pixels)
    except ShapeError:
        common.note("the model has no layer with maps: Grad-CAM and feature maps are left out")
        return [name for name in METHODS if not name.startswith("grad-cam")]
    return list(METHODS)


def _seen(probabilities: "Array", classes: tuple[str, ...], number: int) -> str:
    first = int(probabilities.argmax())
    text = f"{classes[first]}, {probabilities[first]:.1%}"
    if number == first:
        return f"{text}. The pictures show why."
    return f"{text}. The pictures look for {classes[number]}, {probabilities[number]:.1%}."


def _pictures(
    model: "Layer",
    pixels: "Array",
    name: str,
    number: int,
    methods: list[str],
    layer: str | None,
    first: str,
    at: str,
) -> Iterator[Picture]:
    from pellucid import view

    maps = {chosen: _map(model, pixels, number, chosen, layer) for chosen in methods}
    written = {METHODS[chosen][1]: found for chosen, found in maps.items()}
    title, suffix = f"for {name}", f"{at}-for-{_as_file_name(name)}"
    yield Picture(
        f"{first}{suffix}",
        view.attribution(pixels, written, [title]),
        f"What '{name}' depends on, by {_counted(len(maps), 'method')}, alone and over the image: "
        f"bright places matter, red ones speak for '{name}', blue ones against it.",
    )
    for chosen, says in _ALONE.items():
        if chosen in maps and len(maps) > 1:
            figure = view.attribution(pixels, {METHODS[chosen][1]: maps[chosen]}, [title])
            yield Picture(f"{chosen}{suffix}", figure, says.format(name))
    if (maps_of_layers := _feature_maps(model, pixels, layer)) is not None:
        yield maps_of_layers


def _several(
    model: "Layer",
    pixels: "Array",
    classes: tuple[str, ...],
    numbers: list[int],
    methods: list[str],
    layer: str | None,
    first: str,
) -> Picture:
    """Show what several classes depend on in the same image, side by side."""
    from pellucid import view

    names = [classes[number] for number in numbers]
    maps = {
        name: {METHODS[m][1]: _map(model, pixels, number, m, layer) for m in methods}
        for name, number in zip(names, numbers, strict=True)
    }
    return Picture(
        f"{first}-for-{'-and-'.join(map(_as_file_name, names))}",
        view.attribution_by_class(pixels, maps),
        f"What {', '.join(names[:-1])} and {names[-1]} depend on in the same image: bright places "
        "matter, red ones speak for the class, blue ones against it. A row has one scale.",
    )


_ALONE = {
    "grad-cam": "Grad-CAM: the places where the last feature maps speak for '{}'.",
    "occlusion": "Occlusion: how much less certain '{}' becomes when a window covers a place: red "
    "places are needed, blue ones distract.",
}


def _map(model: "Layer", pixels: "Array", number: int, name: str, layer: str | None) -> "Array":
    from pellucid import explain

    method: Callable[..., Array] = getattr(explain, METHODS[name][0])
    options: dict[str, Any] = {"layer": layer} if name.startswith("grad-cam") else {}
    return method(model, pixels, number, **options)


def _feature_maps(model: "Layer", pixels: "Array", layer: str | None) -> Picture | None:
    """Show the feature maps of a layer, or of each convolution, if the model has any."""
    from pellucid import view
    from pellucid.explain import activations
    from pellucid.layers import Conv2d

    if layer is not None:
        figure = view.feature_maps(activations(model, pixels, layer)[layer])
        return Picture(
            f"feature-maps-{layer}", figure, f"The feature maps of '{layer}' for this image."
        )
    found = activations(model, pixels)
    kinds = dict(model.walk())
    names = [n for n in found if isinstance(kinds.get(n.partition("#")[0]), Conv2d)]
    if not names:
        return None
    shown = [names[i] for i in np.unique(np.linspace(0, len(names) - 1, _MOST_LAYERS).astype(int))]
    which = _counted(len(names), "convolution")
    some = f" ({len(shown)} are shown; --layer shows any)" if len(shown) < len(names) else ""
    says = (
        f"Feature maps of {which}{some}: red where a filter finds what it looks for, blue where "
        "it finds the opposite."
    )
    return Picture("feature-maps", view.feature_maps({n: found[n] for n in shown}), says)


def _of_filters(model: "Layer", layer: str, data: "DataSet") -> Picture:
    from pellucid import view
    from pellucid.explain import activations, maximize_filter, top_patches

    count = _count(activations(model, data.images[0], layer))
    channels = list(range(min(_MOST_FILTERS, count)))
    limits = float(data.images.min()), float(data.images.max())
    if data.images.dtype == np.uint8:
        limits = 0.0, 255.0
    found = top_patches(model, data, layer, channels)
    best = found.values[:, 0]
    made = maximize_filter(
        model,
        layer,
        channels,
        found.positions[:, 0],
        data.image_shape,
        beyond=best + 0.1 * abs(best),
        limits=limits,
    )
    stronger = int((made.values[:, -1] > best).sum())
    which = _counted(len(channels), "filter")
    if len(channels) < count:
        which = f"the first {len(channels)} of {count} filters"
    says = (
        f"What {which} of '{layer}' respond to: an image made for it, then the parts of "
        f"{len(data):,} training images with the strongest response, which stands under each. "
        f"{stronger} of {len(channels)} respond more to the image made for them than to any part."
    )
    names = None
    if model.classes is not None and len(model.classes) == count and _is_output(model, layer):
        names = model.classes[: len(channels)]
    return Picture(f"filters-{layer}", view.patches(found, made, names), says)


def _is_output(model: "Layer", layer: str) -> bool:
    """Return whether a layer's filters are the classes, because it is the last with parameters."""
    learned = [path.rpartition(".")[0] for path in model.named_parameters()]
    return bool(learned) and layer.partition("#")[0] == learned[-1]


def _count(found: "dict[str, Array]") -> int:
    return int(next(iter(found.values())).shape[1])


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
