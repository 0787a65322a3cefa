"""The information about a model, besides its graph, in an ONNX file's `metadata_props`."""

from __future__ import annotations

import json

from pellucid.layers import Layer

CLASSES, INPUT_SHAPE, PREPROCESSING = "classes", "input_shape", "preprocessing"
"""Names of the classes, [C, H, W], and {"mean": […], "scale": […]}, each as JSON."""

INCLUDED = "preprocessing_included"
"""Whether the graph itself turns pixels into the network's inputs: "true" or "false"."""


def properties(model: Layer, *, preprocessing_included: bool) -> dict[str, str]:
    """Return the classes, input shape and preprocessing of `model` as texts by key.

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
