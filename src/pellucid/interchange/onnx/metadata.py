"""What an ONNX file says of a model besides its graph, under `metadata_props`."""

from __future__ import annotations

import json

from pellucid.layers import Layer

CLASSES, INPUT_SHAPE, PREPROCESSING = "classes", "input_shape", "preprocessing"
"""A list of names, [C, H, W], and {"mean": […], "scale": […]}, each as a text in JSON."""

INCLUDED = "preprocessing_included"
""""true" where the graph itself turns pixels into the network's inputs, else "false"."""


def properties(model: Layer, *, preprocessing_included: bool) -> dict[str, str]:
    """Return what `model` knows of its data, as texts by key.

    >>> from pellucid import layers as nn
    >>> model = nn.ReLU()
    >>> model.classes = ("cat", "dog")
    >>> properties(model, preprocessing_included=False)
    {'classes': '["cat", "dog"]', 'preprocessing_included': 'false'}
    """
    known = {
        CLASSES: model.classes,
        INPUT_SHAPE: model.input_shape,
        PREPROCESSING: model.preprocessing and model.preprocessing.describe(),
        INCLUDED: preprocessing_included,
    }
    return {
        key: json.dumps(value, ensure_ascii=False)
        for key, value in known.items()
        if value is not None
    }
