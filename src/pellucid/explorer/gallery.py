"""The data as shown on the page: lists, nearest neighbours, and maps of all images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import PellucidError, missing_extra, unknown
from pellucid.evaluation import predict
from pellucid.explain import Trace, Tracer
from pellucid.explorer.wire import Answer, Words
from pellucid.layers import Linear
from pellucid.types import Array

if TYPE_CHECKING:
    from pellucid.data import DataSet

MOST_LISTED = 60
MOST_FEATURES = 2000


class Gallery:
    """Data sets and a network's predictions for them, which are computed once.

    Parameters
    ----------
    tracer
        The traced network.
    data
        Data sets by name.
    """

    def __init__(self, tracer: Tracer, data: dict[str, DataSet]) -> None:
        self._tracer, self._data = tracer, data
        self._known: dict[str, Array] = {}

    def part(self, name: str) -> DataSet:
        """Return the data set with this name."""
        if name not in self._data:
            raise PellucidError(unknown("part of the data", str(name), list(self._data)))
        return self._data[name]

    def listed(self, words: Words, other: Gallery | None = None) -> Answer:
        """Return a page of small images: all, those of one class, or the misclassified ones.

        With `other`, only images that the other network classifies differently. Predictions for all
        images are computed only if the request needs them.
        """
        data, order = self.part(words["part"]), words.get("order", "number")
        labels, chosen = np.asarray(data.labels), np.arange(len(data))
        if words.get("class") is not None:
            chosen = chosen[labels == int(words["class"])]
        if words.get("mistakes"):
            chosen = chosen[(self._predicted(words["part"]) != labels)[chosen]]
        if other is not None:
            differ = self._predicted(words["part"]) != other._predicted(words["part"])
            chosen = chosen[differ[chosen]]
        if order != "number":
            highest = self._probabilities(words["part"]).max(axis=1)[chosen]
            turn = highest if order == "least certain" else -highest
            chosen = chosen[np.argsort(turn, kind="stable")]
        start = max(int(words.get("from", 0)), 0)
        shown = chosen[start : start + min(max(int(words.get("count", 24)), 0), MOST_LISTED)]
        images = np.asarray(data.images[shown])
        sure = self._run(images).probabilities if len(shown) else np.empty((0, 1))
        listed = [
            {
                "index": i,
                "label": int(labels[i]),
                "prediction": int(p.argmax()),
                "sure": float(p.max()),
            }
            for i, p in zip(shown.tolist(), sure, strict=True)
        ]
        return Answer({"found": len(chosen), "images": listed}, [images])

    def _run(self, images: Array) -> Trace:
        return self._tracer.run(images, gradients=False)

    def _features_of(self, images: Array) -> Array:
        """Return the inputs of the last linear layer, (N, features)."""
        nodes = self._tracer.nodes
        linear = [node for node in nodes if isinstance(node.layer, Linear)] or [nodes[-1]]
        return self._run(images).values[linear[-1].reads[0]].reshape(len(images), -1)

    def _probabilities(self, part: str) -> Array:
        if part not in self._known:
            self._known[part] = predict(self._tracer.model, self._data[part])
        return self._known[part]

    def _predicted(self, part: str) -> Array:
        return np.asarray(self._probabilities(part).argmax(axis=1))

    def nearest(self, among: str, pixels: Array) -> Answer:
        """Return the images whose features, the last layer's inputs, are closest to this one's."""
        data, features = self.part(among), self._features(among)
        distance = np.linalg.norm(features - self._features_of(pixels[None]), axis=1)
        shown = np.argsort(distance, kind="stable")[:12]
        labels = np.asarray(data.labels)[shown]
        listed = [
            {"index": int(i), "label": int(label), "distance": float(distance[i])}
            for i, label in zip(shown, labels, strict=True)
        ]
        return Answer({"images": listed}, [np.asarray(data.images[shown])])

    def _features(self, part: str) -> Array:
        key = f"features of {part}"
        if key not in self._known:
            images = self._data[part].images[:MOST_FEATURES]
            parts = [self._features_of(images[i : i + 100]) for i in range(0, len(images), 100)]
            self._known[key] = np.concatenate(parts)
        return self._known[key]

    def points(self, words: Words) -> Answer:
        """Return the images of a part as points in the plane; similar features give nearby points.

        The answer includes some of the images, one per small region, to be shown at their points.
        """
        part, how = words["part"], words.get("how", "PCA")
        data, features = self.part(part), self._features(part)
        place = _neighbours_together if how == "t-SNE" else _principal_components
        key = f"{how} of {part}"
        if key not in self._known:
            self._known[key] = place(features)
        points = self._known[key]
        labels = np.asarray(data.labels[: len(points)], np.int32)
        predicted = self._predicted(part)[: len(points)].astype(np.int32)
        shown = _one_of_each_region(points, predicted != labels)
        images = np.asarray(data.images[shown])
        return Answer({"how": how, "shown": shown.tolist()}, [points, labels, predicted, images])


_REGIONS = 18
"""Number of strips into which the map of points is divided along each axis."""


def _one_of_each_region(points: Array, first: Array) -> Array:
    """Return one point per square region, preferably one marked in the mask `first`."""
    low, high = points.min(axis=0), points.max(axis=0)
    region = ((points - low) / np.maximum(high - low, 1e-12) * (_REGIONS - 1e-3)).astype(int)
    order = np.argsort(~first, kind="stable")
    _, chosen = np.unique(region[order] @ [_REGIONS, 1], return_index=True)
    return np.asarray(order[chosen])


def _principal_components(features: Array) -> Array:
    """Return the coordinates along the first two principal components, (N, 2)."""
    centred = features - features.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    return np.asarray(centred @ directions[:2].T, np.float32)


def _neighbours_together(features: Array) -> Array:
    """Return t-SNE coordinates (N, 2), which keep near features near.

    Source: van der Maaten and Hinton, "Visualizing data using t-SNE", 2008.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise missing_extra("t-SNE", "scikit-learn", "sklearn") from error
    return np.asarray(TSNE(random_state=0).fit_transform(features), np.float32)
