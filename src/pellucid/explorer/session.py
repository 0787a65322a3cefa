"""What the page asks, and what it is answered: the same for the server, a notebook and a file."""

from __future__ import annotations

import copy
import io
import math
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pellucid import explain
from pellucid.errors import PellucidError, unknown
from pellucid.explain import Trace, Tracer
from pellucid.explorer import code, description
from pellucid.explorer.gallery import MOST_FEATURES, Gallery
from pellucid.explorer.live import Choices, Live, begin
from pellucid.layers import Layer
from pellucid.types import Array, Shape

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.training import TrainingState

Words = dict[str, Any]
AT_ONCE = 8_000_000
"""How many numbers of a pass are sent unasked; beyond that the page asks for what it shows."""
MOST_LISTED = 60
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
    keep
        Saves a run that was trained on the page, and returns where it is.

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
        keep: Callable[[TrainingState, Choices], str] | None = None,
    ) -> None:
        self.model, self.data, self.title = model, data or {}, title
        self._keep = keep
        self.image_shape = self._image_shape(image_shape)
        self.tracer = Tracer(model)
        self._trace: Trace | None = None
        self._lock = threading.RLock()
        self._live: Live | None = None
        self._fields: dict[str, explain.ReceptiveFields] = {}
        self._listeners: list[Callable[[Words], None]] = []
        self._gallery = Gallery(self.tracer, self.data)
        self._answers: dict[str, Callable[[Words, Sequence[Array]], Answer]] = {
            "network": self._network,
            "trace": self._run,
            "values": self._values,
            "influence": self._influence,
            "image": self._image,
            "list": lambda words, _: Answer(*self._gallery.listed(words)),
            "nearest": lambda words, arrays: Answer(
                *self._gallery.nearest(words["among"], self._pixels(words, arrays)[0])
            ),
            "map": lambda words, _: Answer(
                *self._gallery.points(words["part"], words.get("how", "PCA"))
            ),
            "read": self._read,
            "code": self._code,
            "why": self._why,
            "update": self._update,
            "weights": self._weights,
            "choices": self._choices,
            "check": self._check,
            "train": self._train,
            "filter": self._filter,
            "field": self._field,
            "source": self._source,
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

    def listen(self, listener: Callable[[Words], None]) -> Callable[[], None]:
        """Tell `listener` from now on how training goes; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _tell(self, status: Words) -> None:
        self._gallery = Gallery(self.tracer, self.data)  # the weights are others now
        for listener in list(self._listeners):
            listener({"event": "training", **status})

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

    def _weights(self, _: Words, __: Sequence[Array]) -> Answer:
        state = self.model.state_dict()
        return Answer({"state": list(state)}, [v.astype(np.float32) for v in state.values()])

    def _run(self, words: Words, arrays: Sequence[Array]) -> Answer:
        if self._live is not None:
            self.tracer.load(self.model.state_dict())
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
            data = self._gallery.part(words["part"])
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

    def _image(self, words: Words, _: Sequence[Array]) -> Answer:
        pixels, label = self._pixels(words, ())
        return Answer({"label": label}, [pixels])

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

    def _field(self, words: Words, _: Sequence[Array]) -> Answer:
        """Return which part of the image a number of a layer's maps is computed from."""
        layer, position = str(words["layer"]), [int(i) for i in words["position"]]
        if layer not in self._fields:
            fields = explain.receptive_fields(self.model, layer, self.image_shape)
            self._fields[layer] = fields
        return Answer({"box": self._fields[layer].box(*position)})

    def _filter(self, words: Words, _: Sequence[Array]) -> Answer:
        """Return what excites a filter most: an image made for it, and parts of the data."""
        data, layer = self._gallery.part(words["among"]), str(words["layer"])
        channel = int(words["channel"])
        limits = (0.0, 255.0) if data.images.dtype == np.uint8 else None
        made = explain.maximize_filter(
            self.model, layer, channel, input_shape=self.image_shape, limits=limits
        )
        found = explain.top_patches(self.model, data.images[:MOST_FEATURES], layer, channel)
        return Answer(
            {
                "made": float(made.values[0, -1]),
                "values": found.values[0].tolist(),
                "images": found.images[0].tolist(),
            },
            [made.pixels[0], *found.pixels[0]],
        )

    def _update(self, words: Words, arrays: Sequence[Array]) -> Answer:
        """Return the loss of one image before and after one step of an optimiser on it."""
        from pellucid import optim

        pixels, label = self._pixels(words, arrays)
        target = int(words["target"]) if words.get("target") is not None else label
        before = self.tracer.run(pixels, target)
        stepped = copy.deepcopy(self.model)
        stepped.zero_grad()
        for path, parameter in stepped.named_parameters().items():
            parameter.add_gradient(before.parameter_gradients[path])
        kinds = {name.lower(): name for name in optim.OPTIMIZERS}
        name = str(words.get("optimizer", "sgd"))
        if name not in kinds:
            raise PellucidError(unknown("optimizer", name, list(kinds)))
        described = {"type": kinds[name], "lr": float(words["rate"])}
        optim.build(described, stepped.parameters()).step()
        after = Tracer(stepped).run(pixels, int(before.target[0]))
        state = {path: p.value for path, p in stepped.named_parameters().items()}
        return Answer(
            {
                "before": before.objective,
                "after": after.objective,
                "probabilities": after.probabilities[0].tolist(),
                "state": list(state),
            },
            list(state.values()),
        )

    def _source(self, _: Words, __: Sequence[Array]) -> Answer:
        """Return the network as Python and as TOML."""
        from pellucid import models

        return Answer({"python": code.python(self.model), "toml": models.toml.dumps(self.model)})

    def _choices(self, _: Words, __: Sequence[Array]) -> Answer:
        """Return what a run can be made of, and this network as one would write it."""
        from pellucid import models, optim

        return Answer(
            {
                "models": models.names(),
                "optimizers": [name.lower() for name in optim.OPTIMIZERS],
                "network": models.toml.dumps(self.model, short=True),
                "run": None if self._live is None else self._live.status(),
                "trains": "training" in self.data,
                "keeps": self._keep is not None,
            }
        )

    def _check(self, words: Words, _: Sequence[Array]) -> Answer:
        """Return whether a network in TOML fits the images, and what does not."""
        from pellucid import models

        try:
            model = models.toml.loads(str(words["network"]), self.image_shape, len(self.classes))
        except PellucidError as error:
            return Answer({"problem": str(error)})
        sizes = [math.prod(parameter.shape) for parameter in model.parameters()]
        return Answer({"problem": "", "parameters": sum(sizes)})

    def _train(self, words: Words, _: Sequence[Array]) -> Answer:
        """Begin a run, or steer the one that goes on."""
        does = words["does"]
        if does == "begin":
            self._begin(Choices.of(words))
        elif does == "keep" and self._live is not None:
            return Answer(self._live.status() | {"kept": self._kept(self._live)})
        elif self._live is None:
            raise PellucidError("no run has begun yet")
        elif does == "go":
            self._live.go(int(words["steps"]))
        elif does == "epoch":
            self._live.go_to_the_end_of_the_epoch()
        elif does == "pause":
            self._live.pause()
        elif does == "rate":
            self._live.set_rate(float(words["rate"]))
        elif does == "rewind":
            self._live.rewind(int(words["step"]))
            self._use(self._live.model)
        else:
            raise PellucidError(f"a run is not asked to '{does}'")
        assert self._live is not None
        return Answer(self._live.status())

    def _kept(self, live: Live) -> str:
        if self._keep is None or live.chosen is None:
            raise PellucidError(
                "runs are saved by `pellucid explore RUN`; here, use pl.save(model)"
            )
        return self._keep(copy.deepcopy(live.state), live.chosen)

    def _begin(self, choices: Choices) -> None:
        if "training" not in self.data:
            raise PellucidError("there are no training images to learn from")
        state = begin(choices, self.data["training"])
        if self._live is not None:
            self._live.end()
        validation = self.data.get("validation", self.data.get("test"))
        self._live = Live(state, self.data["training"], validation, self._lock, self._tell)
        self._live.chosen = choices
        self._use(state.model)

    def _use(self, model: Layer) -> None:
        """Explore another model of the same data from now on."""
        model.classes = self.model.classes
        if model.preprocessing is None:
            model.preprocessing = self.model.preprocessing
        self.model, self.tracer = model, Tracer(model)
        self._gallery = Gallery(self.tracer, self.data)
        self._fields.clear()
        self._trace = None


class _Upload(io.BytesIO):
    """A file that came from the page."""

    def __str__(self) -> str:
        return "this picture"
