"""What the page asks, and what it is answered: the same for the server, a notebook and a file."""

import io
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pellucid import explain
from pellucid.errors import PellucidError, unknown
from pellucid.evaluation import predict
from pellucid.explain import Trace, Tracer
from pellucid.explorer import code, description
from pellucid.layers import Layer
from pellucid.types import Array, Shape

if TYPE_CHECKING:
    from pellucid.data import DataSet

Words = dict[str, Any]
AT_ONCE = 8_000_000
"""How many numbers of a pass are sent unasked; beyond that the page asks for what it shows."""
MOST_LISTED = 60
MOST_FEATURES = 2000
WHY = ("grad_cam", "saliency", "smooth_grad", "integrated_gradients", "occlusion")


class Answer(NamedTuple):
    """Words and arrays for the page."""

    words: Words
    arrays: Sequence[Array] = ()


class Session:
    """A model and its data, as one page explores them.

    Parameters
    ----------
    model
        A classifier with one input.
    data
        Data sets by name, such as ``{"test": …}``; there may be none.
    title
        What the page is headed by.
    image_shape
        (C, H, W), where neither the model nor the data say it.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(conv=nn.Conv2d(1, 2, 3), flat=nn.Flatten(), fc=nn.Linear(8, 3))
    >>> session = Session(nn.initialize(model), image_shape=(1, 4, 4))
    >>> image = np.zeros((1, 4, 4), np.float32)
    >>> session.answer({"ask": "trace"}, [image]).words["probabilities"]
    [0.3333333432674408, 0.3333333432674408, 0.3333333432674408]
    """

    def __init__(
        self,
        model: Layer,
        data: "dict[str, DataSet] | None" = None,
        title: str = "",
        image_shape: Shape | None = None,
    ) -> None:
        self.model, self.data, self.title = model, data or {}, title
        self.image_shape = self._image_shape(image_shape)
        self.tracer = Tracer(model)
        self._predicted: dict[str, Array] = {}
        self._trace: Trace | None = None
        self._lock = threading.Lock()
        self._answers: dict[str, Callable[[Words, Sequence[Array]], Answer]] = {
            "network": self._network,
            "trace": self._run,
            "values": self._values,
            "influence": self._influence,
            "list": self._list,
            "image": self._image,
            "read": self._read,
            "code": self._code,
            "why": self._why,
            "nearest": self._nearest,
            "update": self._update,
        }

    def answer(self, words: Words, arrays: Sequence[Array] = ()) -> Answer:
        """Return the answer to one message; one is answered at a time.

        Raises
        ------
        PellucidError
            What was asked for does not exist or does not fit.
        """
        ask = words.get("ask")
        if not isinstance(ask, str) or ask not in self._answers:
            raise PellucidError(unknown("question", str(ask), list(self._answers)))
        with self._lock:
            try:
                return self._answers[ask](words, arrays)
            except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
                raise PellucidError(f"'{ask}' was asked wrongly: {error!r}") from error

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, or their numbers."""
        known = self.model.classes or next((d.classes for d in self.data.values()), None)
        count = self.tracer.shapes(self.image_shape)[-1][-1]
        return tuple(known) if known and len(known) == count else tuple(map(str, range(count)))

    def _image_shape(self, given: Shape | None) -> Shape:
        first = next((data.image_shape for data in self.data.values()), None)
        shape = given or self.model.input_shape or first
        if shape is None or len(shape) != 3:
            raise PellucidError("say of what shape (C, H, W) the model's images are: image_shape=…")
        return tuple(shape)

    def _network(self, _: Words, __: Sequence[Array]) -> Answer:
        state = self.model.state_dict()
        described = description.describe(self.tracer, self.image_shape)
        preprocessing = self.model.preprocessing
        told: Words = described | {
            "title": self.title,
            "classes": self.classes,
            "image": self.image_shape,
            "parts": {name: len(data) for name, data in self.data.items()},
            "preprocessing": None if preprocessing is None else preprocessing.describe(),
            "state": list(state),
            "count": sum(p.value.size for p in self.model.parameters()),
        }
        return Answer(told, [value.astype(np.float32) for value in state.values()])

    def _run(self, words: Words, arrays: Sequence[Array]) -> Answer:
        pixels, label = self._pixels(words, arrays)
        target = words.get("target")
        trace = self.tracer.run(
            pixels,
            None if target is None else int(target),
            words.get("objective", "loss"),
            bool(words.get("gradients", True)),
        )
        self._trace = trace
        told: Words = {
            "probabilities": trace.probabilities[0].tolist(),
            "target": int(trace.target[0]),
            "objective": trace.objective,
            "label": label,
            "gradients": trace.gradients is not None,
            "state": list(trace.parameter_gradients),
        }
        sent = self._within(AT_ONCE)
        arrays = [np.asarray(pixels), *self._numbers(sent)]
        if trace.gradients is not None:
            arrays += trace.parameter_gradients.values()
        return Answer(told | {"values": sent}, arrays)

    def _values(self, words: Words, _: Sequence[Array]) -> Answer:
        wanted = [int(i) for i in words["of"]][:MOST_LISTED]
        return Answer({"values": wanted}, self._numbers(wanted))

    def _within(self, limit: int) -> list[int]:
        """Return the values that are sent unasked: the first ones, up to `limit` numbers."""
        sent, total = [], 0
        for i, value in enumerate(self._done.values):
            total += value.size
            if total > limit:
                break
            sent.append(i)
        return sent

    def _numbers(self, wanted: Sequence[int]) -> list[Array]:
        """Return the wanted values of the last pass and, if it went back, their gradients."""
        trace = self._done
        found = [trace.values[i][0] for i in wanted]
        if trace.gradients is not None:
            found += [trace.gradients[i][0] for i in wanted]
        return found

    @property
    def _done(self) -> Trace:
        if self._trace is None:
            raise PellucidError("no image has passed through the network yet")
        return self._trace

    def _influence(self, words: Words, _: Sequence[Array]) -> Answer:
        node = int(words["value"])
        if not 0 < node < len(self._done.values):
            raise PellucidError(f"there are values 1 to {len(self._done.values) - 1}, not {node}")
        position = tuple(int(i) for i in words["position"])
        return Answer({}, [dx[0] for dx in self.tracer.influence(self._done, node, position)])

    def _pixels(self, words: Words, arrays: Sequence[Array]) -> tuple[Array, int | None]:
        """Return the image that a message is about, and its class if it is known."""
        if "part" in words:
            data = self._part(words)
            index = int(words["index"])
            if not 0 <= index < len(data):
                raise PellucidError(f"there are images 0 to {len(data) - 1}, not {index}")
            return data.images[index], int(data.labels[index])
        if not arrays:
            raise PellucidError("a pass needs an image")
        if arrays[0].shape != self.image_shape:
            raise PellucidError(
                f"the network takes images of shape {self.image_shape}, not {arrays[0].shape}"
            )
        return arrays[0], None

    def _part(self, words: Words) -> "DataSet":
        name = words["part"]
        if name not in self.data:
            raise PellucidError(unknown("part of the data", str(name), list(self.data)))
        return self.data[name]

    def _image(self, words: Words, _: Sequence[Array]) -> Answer:
        pixels, label = self._pixels(words, ())
        return Answer({"label": label}, [pixels])

    def _list(self, words: Words, _: Sequence[Array]) -> Answer:
        """Return a page of small images: all, of one class, or those that are told wrongly."""
        data = self._part(words)
        probabilities = self._probabilities(words["part"])
        chosen = np.arange(len(data))
        told, labels = probabilities.argmax(axis=1), np.asarray(data.labels)
        sure = probabilities.max(axis=1)
        if words.get("class") is not None:
            chosen = chosen[labels[chosen] == int(words["class"])]
        if words.get("mistakes"):
            chosen = chosen[told[chosen] != labels[chosen]]
        order = words.get("order", "number")
        if order == "most certain":
            chosen = chosen[np.argsort(-sure[chosen], kind="stable")]
        elif order == "least certain":
            chosen = chosen[np.argsort(sure[chosen], kind="stable")]
        start = max(int(words.get("from", 0)), 0)
        shown = chosen[start : start + min(max(int(words.get("count", 24)), 0), MOST_LISTED)]
        return Answer(
            {
                "found": len(chosen),
                "images": [
                    {
                        "index": int(i),
                        "label": int(labels[i]),
                        "told": int(told[i]),
                        "sure": float(sure[i]),
                    }
                    for i in shown
                ],
            },
            [np.asarray(data.images[shown])],
        )

    def _probabilities(self, part: str) -> Array:
        if part not in self._predicted:
            self._predicted[part] = predict(self.model, self.data[part])
        return self._predicted[part]

    def _read(self, words: Words, arrays: Sequence[Array]) -> Answer:
        """Return an image file, or a drawing, as the network takes it."""
        from pellucid.data import drawn_digit, read_image

        if words.get("drawn"):
            return Answer({}, [drawn_digit(arrays[0])])
        return Answer({}, [read_image(_Upload(arrays[0].tobytes()), self.image_shape)])

    def _code(self, words: Words, _: Sequence[Array]) -> Answer:
        return Answer(code.of(self.tracer, int(words["value"]), self.image_shape))

    def _why(self, words: Words, arrays: Sequence[Array]) -> Answer:
        """Return a map of the image's places that the decision depends on."""
        method = words["method"]
        if method not in WHY:
            raise PellucidError(unknown("method", str(method), WHY))
        pixels, _ = self._pixels(words, arrays)
        target = words.get("target")
        found = getattr(explain, method)(
            self.model, pixels, None if target is None else int(target)
        )
        return Answer({"method": method}, [np.asarray(found[0])])

    def _nearest(self, words: Words, arrays: Sequence[Array]) -> Answer:
        """Return the data's images whose features, the last layer's input, are most like these."""
        data = self._part({"part": words["among"]})
        features = self._features(words["among"])
        pixels, _ = self._pixels(words, arrays)
        own = self.tracer.run(pixels, gradients=False).values[-2].reshape(-1)
        distance = np.linalg.norm(features - own, axis=1)
        shown = np.argsort(distance, kind="stable")[:12]
        labels = np.asarray(data.labels)[shown]
        return Answer(
            {
                "images": [
                    {"index": int(i), "label": int(label), "distance": float(distance[i])}
                    for i, label in zip(shown, labels, strict=True)
                ]
            },
            [np.asarray(data.images[shown])],
        )

    def _features(self, part: str) -> Array:
        key = f"features of {part}"
        if key not in self._predicted:
            images = self.data[part].images[:MOST_FEATURES]
            before = self.tracer.nodes[-1].reads[0]
            parts = [
                self.tracer.run(images[i : i + 100], gradients=False).values[before]
                for i in range(0, len(images), 100)
            ]
            self._predicted[key] = np.concatenate(parts).reshape(len(images), -1)
        return self._predicted[key]

    def _update(self, words: Words, arrays: Sequence[Array]) -> Answer:
        """Return the loss of one image before and after a step of gradient descent on it."""
        pixels, label = self._pixels(words, arrays)
        target = int(words["target"]) if words.get("target") is not None else label
        rate = float(words["rate"])
        before = self.tracer.run(pixels, target)
        state = self.model.state_dict()
        for path, gradient in before.parameter_gradients.items():
            state[path] = state[path] - np.float32(rate) * gradient
        stepped = Tracer(self.model)
        stepped.load(state)
        after = stepped.run(pixels, int(before.target[0]))
        return Answer(
            {
                "before": before.objective,
                "after": after.objective,
                "probabilities": after.probabilities[0].tolist(),
                "state": list(before.parameter_gradients),
            },
            [state[path] for path in before.parameter_gradients],
        )


class _Upload(io.BytesIO):
    """A file that came from the page."""

    def __str__(self) -> str:
        return "this picture"
