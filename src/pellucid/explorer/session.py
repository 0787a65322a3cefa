"""Answer the page's requests, for the server, a notebook or a saved file alike."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import PellucidError, unknown
from pellucid.explain import Trace, Tracer
from pellucid.explorer import code, description
from pellucid.explorer.gallery import Gallery
from pellucid.explorer.learning import Keep, Learning
from pellucid.explorer.reasons import Reasons
from pellucid.explorer.wire import Answer, Words
from pellucid.layers import Layer
from pellucid.optim import Optimizer
from pellucid.runtime import compiling
from pellucid.types import Array, Shape

if TYPE_CHECKING:
    from pellucid.data import DataSet

AT_ONCE = 8_000_000
"""Number of values of a pass that are sent at once; the page requests others when it shows them."""
MOST_LISTED = 60


class Session:
    """A model and its data, explored on one page.

    Parameters
    ----------
    model
        A classifier with one input.
    data
        Data sets by name, such as ``{"test": …}``. Default: none.
    title
        Title of the page.
    image_shape
        Shape (C, H, W) of an image. By default it is taken from the model or the data.
    keep
        Function that saves a run trained on the page and returns its location. Without it, runs
        cannot be saved.
    optimizer
        Function that restores the final state of the optimiser that trained the model, for the
        parameters of a given model.

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
        data: dict[str, DataSet] | None = None,
        title: str = "",
        image_shape: Shape | None = None,
        keep: Keep | None = None,
        optimizer: Callable[[Layer], Optimizer] | None = None,
    ) -> None:
        self.model, self.data, self.title = model, data or {}, title
        self.image_shape = self._image_shape(image_shape)
        self.tracer = Tracer(model)
        self.lock = threading.RLock()
        self.gallery = Gallery(self.tracer, self.data)
        self._trace: Trace | None = None
        self._listeners: list[Callable[[Words], None]] = []
        self.rivals: Sequence[Session] = (self,)
        self._learning = Learning(self, keep, optimizer)
        self._reasons = Reasons(self)

    def _answers(self) -> dict[str, Callable[[Words, Sequence[Array]], Answer]]:
        return {
            "network": self._network,
            "trace": self._run,
            "values": self._values,
            "influence": self._influence,
            "image": self._image,
            "list": self._list,
            "nearest": lambda words, arrays: self.gallery.nearest(
                words["among"], self.pixels(words, arrays)[0]
            ),
            "map": lambda words, _: self.gallery.points(words),
            "read": self._read,
            "code": self._code,
            "source": self._source,
            "weights": self._weights,
            **self._reasons.answers,
            **self._learning.answers,
        }

    def answer(self, words: Words, arrays: Sequence[Array] = ()) -> Answer:
        """Return the answer to one message. Messages are answered one at a time.

        Raises
        ------
        PellucidError
            The message is invalid, or what it requests does not exist.
        """
        ask = words.get("ask")
        answers = self._answers()
        if not isinstance(ask, str) or ask not in answers:
            raise PellucidError(unknown("question", str(ask), list(answers)))
        with self.lock:
            try:
                return answers[ask](words, arrays)
            except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
                raise PellucidError(f"'{ask}' was asked wrongly: {error!r}") from error

    def listen(self, listener: Callable[[Words], None]) -> Callable[[], None]:
        """Report training and compiling to `listener`; return a function that stops it."""
        self._listeners.append(listener)
        stop = compiling.listen(lambda line: listener({"event": "compiling", "line": line}))

        def end() -> None:
            self._listeners.remove(listener)
            stop()

        return end

    def notify(self, status: Words) -> None:
        """Report the progress of training to all listeners."""
        self.gallery = Gallery(self.tracer, self.data)  # the weights have changed
        for listener in list(self._listeners):
            listener({"event": "training", **status})

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; by default their numbers."""
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
        answer: Words = described | {
            "title": self.title,
            "classes": self.classes,
            "image": self.image_shape,
            "parts": {name: len(data) for name, data in self.data.items()},
            "preprocessing": None if preprocessing is None else preprocessing.describe(),
            "state": list(state),
            "count": sum(p.value.size for p in self.model.parameters()),
            "moments": self._learning.has_moments,
        }
        return Answer(answer, [value.astype(np.float32) for value in state.values()])

    def _weights(self, _: Words, __: Sequence[Array]) -> Answer:
        state = self.model.state_dict()
        return Answer({"state": list(state)}, [v.astype(np.float32) for v in state.values()])

    def _run(self, words: Words, arrays: Sequence[Array]) -> Answer:
        if self._learning.live is not None:
            self.tracer.load(self.model.state_dict())
        pixels, label = self.pixels(words, arrays)
        target = words.get("target")
        trace = self.tracer.run(
            pixels,
            None if target is None else int(target),
            words.get("objective", "loss"),
            bool(words.get("gradients", True)),
        )
        self._trace = trace
        answer: Words = {
            "probabilities": trace.probabilities[0].tolist(),
            "target": int(trace.target[0]),
            "objective": trace.objective,
            "label": label,
            "gradients": trace.gradients is not None,
            "state": list(trace.parameter_gradients),
        }
        sent = self._within(AT_ONCE)
        arrays = [self._picture(pixels), *self._numbers(sent)]
        if trace.gradients is not None:
            arrays += trace.parameter_gradients.values()
        return Answer(answer | {"values": sent}, arrays)

    def _values(self, words: Words, _: Sequence[Array]) -> Answer:
        wanted = [int(i) for i in words["of"]][:MOST_LISTED]
        return Answer({"values": wanted}, self._numbers(wanted))

    def _within(self, limit: int) -> list[int]:
        """Return the indices of the first values that together have at most `limit` numbers."""
        sent, total = [], 0
        for i, value in enumerate(self._done.values):
            total += value.size
            if total > limit:
                break
            sent.append(i)
        return sent

    def _numbers(self, wanted: Sequence[int]) -> list[Array]:
        """Return values of the last pass and, if it included a backward pass, their gradients."""
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

    def pixels(self, words: Words, arrays: Sequence[Array]) -> tuple[Array, int | None]:
        """Return the image to which a message refers, and its class if it is known."""
        if "part" in words:
            data = self.gallery.part(words["part"])
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
        known = self.model.preprocessing
        return (arrays[0] if known is None else known.from_picture(arrays[0])), None

    def _picture(self, pixels: Array) -> Array:
        """Return an image as the page shows it, and draws on it: from 0 to 255, where known."""
        known = self.model.preprocessing
        return np.asarray(pixels) if known is None else known.to_picture(pixels)

    def _list(self, words: Words, _: Sequence[Array]) -> Answer:
        """Return small images; with "against", those that another run classifies differently."""
        against = words.get("against")
        other = None if against is None else self.rivals[int(against)].gallery
        return self.gallery.listed(words, other)

    def _image(self, words: Words, _: Sequence[Array]) -> Answer:
        pixels, label = self.pixels(words, ())
        return Answer({"label": label}, [self._picture(pixels)])

    def _read(self, words: Words, arrays: Sequence[Array]) -> Answer:
        """Convert an image file or a drawing to an input of the network."""
        from pellucid.data import drawn_digit, read_image

        if words.get("drawn"):
            return Answer({}, [drawn_digit(arrays[0])])
        return Answer({}, [read_image(_Upload(arrays[0].tobytes()), self.image_shape)])

    def _code(self, words: Words, _: Sequence[Array]) -> Answer:
        return Answer(code.of(self.tracer, int(words["value"]), self.image_shape))

    def _source(self, _: Words, __: Sequence[Array]) -> Answer:
        """Return the network as Python and as TOML."""
        from pellucid import models

        return Answer({"python": code.python(self.model), "toml": models.toml.dumps(self.model)})

    def use(self, model: Layer) -> None:
        """Replace the model by another one for the same data."""
        model.classes = self.model.classes
        if model.preprocessing is None:
            model.preprocessing = self.model.preprocessing
        self.model, self.tracer = model, Tracer(model)
        self.gallery = Gallery(self.tracer, self.data)
        self._reasons = Reasons(self)
        self._trace = None


class _Upload(io.BytesIO):
    """A file uploaded from the page."""

    def __str__(self) -> str:
        return "this picture"
