"""The sections on the network: its layers, filters and feature maps."""

from __future__ import annotations

import math

from pellucid.types import Array
from pellucid.view.diagram import diagram
from pellucid.view.feature_maps import feature_maps
from pellucid.view.filters import filters
from pellucid.view.report.contents import Contents
from pellucid.view.report.markup import Html, html
from pellucid.view.report.pictures import Picture, pixels
from pellucid.view.report.section import Section, paragraph
from pellucid.view.report.words import count, sizes
from pellucid.view.shapes import shapes

_FILTERS = 2
"""Number of convolutions whose kernels are shown."""
_MAPS, _IN_A_ROW = 12, 6
"""Number of feature maps shown per layer, and in a row, so that a phone shows them legibly."""


def structure(contents: Contents) -> Section | None:
    """Return the section with the network's diagram and the shapes of its activations."""
    model, shape = contents.model, contents.model.input_shape
    if shape is None:
        return None
    out = model.output_shape((1, *shape))[1:]
    learned = sum(math.prod(parameter.shape) for parameter in model.parameters())
    text = (
        f"{contents.model_name} turns an image of {sizes(shape)} (channels × height × width) into "
        f"{count(math.prod(out), 'number')}, one for each class, and has "
        f"{count(learned, 'parameter')}"
    )
    solids = Picture(
        "shapes",
        shapes(model, shape),
        f"The shapes of what passes through the network, from {sizes(shape)} to {sizes(out)}.",
        760,
    )
    plan = Picture("diagram", diagram(model, shape), f"Diagram of the network. {text}.", 760)
    return Section(
        "network",
        "The network",
        (
            paragraph(f"{text}."),
            (
                solids,
                "The outputs of the layers: height and depth show the size of the maps, thickness "
                "the number of channels.",
            ),
            (plan, "Its layers, with the shape of each one's output and its number of parameters."),
        ),
    )


def kernels(contents: Contents) -> Section | None:
    """Return the section with the kernels of the first convolutions."""
    parameters = contents.model.named_parameters()
    chosen = [path for path in contents.maps if f"{path}.weight" in parameters][:_FILTERS]
    if not chosen:
        return None
    return Section(
        "filters",
        "What its filters have learned",
        (
            paragraph(
                "A filter answers strongly where the image looks like its kernel: red pixels want "
                "to be bright, blue ones dark, and in colour images the colours are those that it "
                "looks for. Clear edges, spots and colours are a good sign in the first layer; "
                "noise means that it has learned little there."
            ),
            *(_kernels(contents, path, parameters[f"{path}.weight"].value) for path in chosen),
        ),
    )


def _kernels(contents: Contents, path: str, weight: Array) -> tuple[Picture, str]:
    outputs, channels, height, width = weight.shape
    text = (
        f"The kernels of {path}: {count(outputs, 'filter')} of {height}×{width} over "
        f"{count(channels, 'channel')}, with weights from {weight.min():.2f} to {weight.max():.2f}."
    )
    return Picture(f"filters-{path}", filters(contents.model, path), text, 420), ""


def seen(contents: Contents) -> Section | None:
    """Return the section with feature maps for a few images."""
    if contents.samples is None or not contents.maps:
        return None
    parts: list[Html | tuple[Picture, str]] = [
        paragraph(
            "What the convolutions make of an image, before any activation: each small picture is "
            "one channel, red where the filter found what it looks for and blue where it found "
            "the opposite. Early layers keep the image's outlines; later ones say what is where."
        )
    ]
    for i, (image, name) in enumerate(zip(contents.samples, contents.sample_names, strict=True)):
        parts.append(
            html(
                '<div class="sample">{image}<h3>Image of {name}</h3></div>',
                image=pixels(image, f"The image of {name}"),
                name=name,
            )
        )
        parts.append((_maps(contents, i, name), ""))
    return Section("maps", "What each convolution sees", tuple(parts))


def _maps(contents: Contents, i: int, name: str) -> Picture:
    layers = [
        f"{path}: {count(maps.shape[1], 'map')} of {sizes(maps.shape[2:])}, between "
        f"{maps[i].min():.2g} and {maps[i].max():.2g}"
        for path, maps in contents.maps.items()
    ]
    drawn = feature_maps(contents.maps, i, _MAPS, columns=_IN_A_ROW)
    text = f"Feature maps for the image of {name}. {'; '.join(layers)}."
    return Picture(f"feature-maps-{i + 1}", drawn, text, 320)
