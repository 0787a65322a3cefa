"""Training on the page: single steps on one image, and whole runs.

A single step shows number by number what an optimiser does with a gradient. For a saved run, its
own optimiser is available, including its moments.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pellucid.errors import PellucidError, unknown
from pellucid.explain import Tracer
from pellucid.explorer.live import Choices, Live, begin
from pellucid.explorer.wire import Answer, Words
from pellucid.layers import Layer
from pellucid.optim import Muon, Optimizer
from pellucid.parameter import Parameter
from pellucid.types import Array

if TYPE_CHECKING:
    from pellucid.explorer.session import Session
    from pellucid.training import TrainingState

Keep = Callable[["TrainingState", Choices], str]
OWN = "run"
"""Name of the run's own optimiser, with its current moments."""


class Learning:
    """Answers requests about steps and runs.

    Parameters
    ----------
    session
        Session whose model and data are used.
    keep
        Function that saves a run trained on the page and returns its location; None if runs cannot
        be saved.
    optimizer
        Function that restores the final state of the optimiser that trained the model, for the
        parameters of a given model; None if there is none.
    """

    def __init__(
        self,
        session: Session,
        keep: Keep | None,
        optimizer: Callable[[Layer], Optimizer] | None,
    ) -> None:
        self._session, self._keep, self._optimizer = session, keep, optimizer
        self.live: Live | None = None
        self.answers = {
            "update": self._update,
            "choices": self._choices,
            "check": self._check,
            "train": self._train,
        }

    @property
    def has_moments(self) -> bool:
        """Whether the optimiser that trained the model is available."""
        return self.live is not None or self._optimizer is not None

    def _update(self, words: Words, arrays: Sequence[Array]) -> Answer:
        """Return the loss of one image before and after an optimiser step on it.

        With "weight" and "at", the answer includes how that weight is updated: the state of the
        optimiser for it before and after, and the optimiser's options.
        """
        session = self._session
        pixels, label = session.pixels(words, arrays)
        target = int(words["target"]) if words.get("target") is not None else label
        before = session.tracer.run(pixels, target)
        stepped = copy.deepcopy(session.model)
        stepped.zero_grad()
        for path, parameter in stepped.named_parameters().items():
            parameter.add_gradient(before.parameter_gradients[path])
        optimizer = self._built(str(words.get("optimizer", "sgd")), stepped)
        if words.get("rate") is not None:
            optimizer.lr = float(words["rate"])
        reply: Words = {}
        if "weight" in words:
            at = str(words["weight"]), int(words["at"])
            first = _kept(optimizer, stepped, *at)
            optimizer.step()
            parameter = stepped.named_parameters()[at[0]]
            options = _options(optimizer, parameter)
            last = _kept(optimizer, stepped, *at)
            decay = _decay(optimizer, parameter)
            reply["made"] = {"options": options, "decay": decay, "before": first, "after": last}
        else:
            optimizer.step()
        after = Tracer(stepped).run(pixels, int(before.target[0]))
        state = {path: p.value for path, p in stepped.named_parameters().items()}
        reply |= {
            "before": before.objective,
            "after": after.objective,
            "probabilities": after.probabilities[0].tolist(),
            "state": list(state),
        }
        return Answer(reply, list(state.values()))

    def _built(self, name: str, model: Layer) -> Optimizer:
        from pellucid import optim

        if name == OWN and self.live is not None:
            mine = self.live.state.optimizer
            made = optim.build(mine.describe(), model.parameters())
            made.load_state_dict(mine.state_dict())
            return made
        if name == OWN and self._optimizer is not None:
            return self._optimizer(model)
        kinds = {name.lower(): name for name in optim.OPTIMIZERS}
        if name not in kinds:
            raise PellucidError(unknown("optimizer", name, list(kinds)))
        return optim.build({"type": kinds[name]}, model.parameters())

    def _choices(self, _: Words, __: Sequence[Array]) -> Answer:
        """Return the available models and optimisers, and this network as TOML."""
        from pellucid import models, optim

        return Answer(
            {
                "models": models.names(),
                "optimizers": [name.lower() for name in optim.OPTIMIZERS],
                "network": models.toml.dumps(self._session.model, short=True),
                "run": None if self.live is None else self.live.status(),
                "trains": "training" in self._session.data,
                "keeps": self._keep is not None,
            }
        )

    def _check(self, words: Words, _: Sequence[Array]) -> Answer:
        """Return whether a network in TOML fits the images, and the problem if it does not."""
        from pellucid import models

        shape, count = self._session.image_shape, len(self._session.classes)
        try:
            model = models.toml.loads(str(words["network"]), shape, count)
        except PellucidError as error:
            return Answer({"problem": str(error)})
        sizes = [math.prod(parameter.shape) for parameter in model.parameters()]
        return Answer({"problem": "", "parameters": sum(sizes)})

    def _train(self, words: Words, _: Sequence[Array]) -> Answer:
        """Begin a run, or control the current one."""
        does = words["does"]
        if does == "begin":
            self._begin(Choices.of(words))
        elif does == "keep" and self.live is not None:
            return Answer(self.live.status() | {"kept": self._kept(self.live)})
        elif self.live is None:
            raise PellucidError("no run has begun yet")
        elif does == "go":
            self.live.go(int(words["steps"]))
        elif does == "epoch":
            self.live.go_to_the_end_of_the_epoch()
        elif does == "pause":
            self.live.pause()
        elif does == "rate":
            self.live.set_rate(float(words["rate"]))
        elif does == "rewind":
            self.live.rewind(int(words["step"]))
            self._session.use(self.live.model)
        else:
            raise PellucidError(f"a run is not asked to '{does}'")
        assert self.live is not None
        return Answer(self.live.status())

    def _kept(self, live: Live) -> str:
        if self._keep is None or live.chosen is None:
            raise PellucidError(
                "runs are saved by `pellucid explore RUN`; here, use pl.save(model)"
            )
        return self._keep(copy.deepcopy(live.state), live.chosen)

    def _begin(self, choices: Choices) -> None:
        session = self._session
        if "training" not in session.data:
            raise PellucidError("there are no training images to learn from")
        state = begin(choices, session.data["training"])
        if self.live is not None:
            self.live.end()
        validation = session.data.get("validation", session.data.get("test"))
        self.live = Live(state, session.data["training"], validation, session.lock, session.notify)
        self.live.chosen = choices
        session.use(state.model)


def _kept(optimizer: Optimizer, model: Layer, path: str, index: int) -> Words:
    """Return one weight, its gradient, and the optimiser's state for it."""
    parameter = model.named_parameters()[path]
    slots = {
        key.rpartition("/")[2]: float(array.flat[index])
        for key, array in optimizer.state_dict().items()
        if key.rpartition("/")[0] == parameter.name
    }
    values = {"w": float(parameter.value.flat[index]), "g": float(parameter.grad.flat[index])}
    return values | {"step": optimizer.steps, "kept": slots}


def _decay(optimizer: Optimizer, parameter: Parameter) -> float:
    """Return the weight decay λ of a parameter."""
    return optimizer.weight_decay * (parameter.kind in optimizer.decay_kinds)


def _options(optimizer: Optimizer, parameter: Parameter) -> Words:
    """Return all options of an optimiser for a parameter as plain data, including defaults."""
    fields = dataclasses.fields(optimizer)
    options = {f.name: getattr(optimizer, f.name) for f in fields if f.name != "parameters"}
    options |= {"type": type(optimizer).__name__, "rate": optimizer.rate_of(parameter)}
    if isinstance(optimizer, Muon) and "momentum" not in optimizer.slots(parameter):
        options |= {"type": "AdamW", "betas": optimizer.adam_betas, "eps": optimizer.adam_eps}
    return options
