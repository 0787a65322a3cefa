"""Explanations of predictions: attribution maps, receptive fields, and what excites a filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid import explain
from pellucid.errors import PellucidError, unknown
from pellucid.explorer.gallery import MOST_FEATURES
from pellucid.explorer.wire import Answer, Words
from pellucid.types import Array

if TYPE_CHECKING:
    from pellucid.explorer.session import Session

METHODS = ("grad_cam", "saliency", "smooth_grad", "integrated_gradients", "occlusion")


class Reasons:
    """Answers requests about the prediction for an image, and about single filters.

    Parameters
    ----------
    session
        Session whose model and data are used.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._fields: dict[str, explain.ReceptiveFields] = {}
        self.answers = {"why": self._why, "field": self._field, "filter": self._filter}

    def _why(self, words: Words, arrays: Sequence[Array]) -> Answer:
        """Return a map of the regions of the image on which the prediction depends."""
        method = words["method"]
        if method not in METHODS:
            raise PellucidError(unknown("method", str(method), METHODS))
        pixels, _ = self._session.pixels(words, arrays)
        target = words.get("target")
        found = getattr(explain, method)(
            self._session.model, pixels, None if target is None else int(target)
        )
        return Answer({"method": method}, [np.asarray(found[0])])

    def _field(self, words: Words, _: Sequence[Array]) -> Answer:
        """Return the receptive field in the image of one position in a layer's maps."""
        layer, position = str(words["layer"]), [int(i) for i in words["position"]]
        if layer not in self._fields:
            model, shape = self._session.model, self._session.image_shape
            self._fields[layer] = explain.receptive_fields(model, layer, shape)
        return Answer({"box": self._fields[layer].box(*position)})

    def _filter(self, words: Words, _: Sequence[Array]) -> Answer:
        """Return what excites a filter most: a generated image, and parts of the data."""
        session = self._session
        data, layer = session.gallery.part(words["among"]), str(words["layer"])
        channel = int(words["channel"])
        limits = (0.0, 255.0) if data.images.dtype == np.uint8 else None
        made = explain.maximize_filter(
            session.model, layer, channel, input_shape=session.image_shape, limits=limits
        )
        found = explain.top_patches(session.model, data.images[:MOST_FEATURES], layer, channel)
        return Answer(
            {
                "made": float(made.values[0, -1]),
                "values": found.values[0].tolist(),
                "images": found.images[0].tolist(),
            },
            [made.pixels[0], *found.pixels[0]],
        )
