"""The base class of all optimisers."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, TypeVar, get_args

import numpy as np

from pellucid import descriptions, reference
from pellucid.arguments import check_fields
from pellucid.contract import Arrays, State
from pellucid.errors import FileError, PellucidError, unknown
from pellucid.notebook import Shown
from pellucid.parameter import Kind, Parameter, common_length
from pellucid.types import Array

V = TypeVar("V")

SLOW = "slow"
"""Slot of the slow weights of Lookahead."""

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(eq=False, repr=False)
class Optimizer(Shown, ABC):
    """Base class of optimisers, which update parameters by their gradients.

    An optimiser only knows parameters, not models or layers. Its state is saved under the
    parameters' names.

    Parameters
    ----------
    parameters
        Parameters to update: ``model.parameters()``, or ``model.named_parameters()``, whose names
        are then used for the saved state. A parameter that occurs twice is updated once.
    lr
        Learning rate.
    weight_decay
        Factor λ of weight decay, which pulls parameters towards 0.
    decay_kinds
        Kinds of parameters that decay, of "weight", "bias" and "norm". All by default, as in
        PyTorch; often only ``("weight",)`` is used.
    clip_norm
        If given, gradients with a larger joint norm are scaled to this norm.
    lr_factors
        Factors on the learning rate of some parameters, by kind or by a pattern of names:
        ``{"bias": 10, "head.*": 0.1}``. The first that matches a parameter counts; others have 1.

    lookahead
        If given, the number k of steps after which the weights w return part of the way to where
        they were: ``s ← s + α·(w − s)``, ``w ← s``, with slow weights s that begin as w. The steps
        may then be longer. Source: Zhang et al., "Lookahead optimizer: k steps forward, 1 step
        back", 2019, algorithm 1.
    lookahead_rate
        The part α of the way that is kept, in (0, 1]. Default: 0.5.

    Attributes
    ----------
    lr
        Learning rate of the next step, which a schedule sets.
    base_lr
        Learning rate given at construction.
    steps
        Number of steps taken.
    """

    shown_as: ClassVar[str] = "optimizer"

    parameters: Sequence[Parameter] | Mapping[str, Parameter]
    lr: float
    _: KW_ONLY
    weight_decay: float = 0.0
    decay_kinds: tuple[Kind, ...] = KINDS
    clip_norm: float | None = None
    lr_factors: Mapping[str, float] | tuple[tuple[str, float], ...] = ()
    lookahead: int | None = None
    lookahead_rate: float = 0.5

    def __post_init__(self) -> None:
        if isinstance(self.lr_factors, Mapping):
            self.lr_factors = tuple(self.lr_factors.items())
        check_fields(self)
        given, names = self.parameters, dict[int, str]()
        if isinstance(given, Mapping):
            names = {id(p): name for name, p in given.items()}
            given = list(given.values())
        self._names_given = names
        self.learned: list[Parameter] = list({id(p): p for p in given}.values())
        if not self.learned:
            raise PellucidError(f"{type(self).__name__} got no parameters; pass model.parameters()")
        for parameter in self.learned:
            if not isinstance(parameter, Parameter):
                raise PellucidError(
                    f"{type(self).__name__} expects a list of parameters, such as "
                    f"model.parameters(), not one that contains a {type(parameter).__name__}"
                )
        self._check("lr", self.lr > 0, "positive")
        self._check("weight_decay", self.weight_decay >= 0, "not negative")
        self._check("clip_norm", self.clip_norm is None or self.clip_norm > 0, "positive")
        for kind in self.decay_kinds:
            if kind not in KINDS:
                raise PellucidError(unknown("kind of parameter", kind, KINDS))
        self._factors = dict(self.lr_factors)
        for name, factor in self._factors.items():
            if factor < 0:
                raise PellucidError(f"lr_factors: '{name}' must not be negative, but is {factor!r}")
        self._check("lookahead", self.lookahead is None or self.lookahead > 0, "positive")
        self._check("lookahead_rate", 0 < self.lookahead_rate <= 1, "above 0, up to 1")
        self.base_lr = self.lr
        self.steps = 0
        self._state: list[dict[str, Array]] = []

    @abstractmethod
    def slots(self, parameter: Parameter) -> tuple[str, ...]:
        """Return the names of the arrays that are kept for a parameter."""

    @abstractmethod
    def update(
        self, values: Arrays, gradients: Arrays, state: State, decays: Sequence[float], lr: float
    ) -> None:
        """Make one step in place, see `pellucid.reference.update`, for parameters of equal slots.

        `state` holds the arrays of each slot, `decays` the factor λ of each parameter.
        """

    def step(self) -> None:
        """Update every parameter by one step."""
        if self.clip_norm is not None:
            reference.clip_norm([p.grad for p in self.learned], self.clip_norm)
        state = self._states()
        if self.steps == 0 and self.lookahead is not None:
            for parameter, arrays in zip(self.learned, state, strict=True):
                arrays[SLOW][...] = parameter.value
        self.steps += 1
        for (slots, factor), group in self._groups().items():
            kept = [state[i] for i in group]
            learned = [self.learned[i] for i in group]
            self.update(
                [p.value for p in learned],
                [p.grad for p in learned],
                {slot: [arrays[slot] for arrays in kept] for slot in slots},
                [self.weight_decay * (p.kind in self.decay_kinds) for p in learned],
                self.lr * factor,
            )
        if self.lookahead is not None and self.steps % self.lookahead == 0:
            self._look_ahead()

    def zero_grad(self) -> None:
        """Set every gradient to zero."""
        for parameter in self.learned:
            parameter.zero_grad()

    def state_dict(self) -> dict[str, Array]:
        """Return copies of the state: ``"step"``, and ``"name/slot"`` for each parameter."""
        state = {key: array.copy() for key, array in self._saved().items()}
        return {"step": np.array(self.steps)} | state

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Load what `state_dict` returned. Nothing is changed unless all of it fits.

        A prefix that all names share is ignored, so it does not matter whether the model was inside
        a wrapper, such as a `Sequential`, when the state was saved.
        """
        own, state = _unwrapped(self.state_dict()), _unwrapped(state)
        missing, spare = own.keys() - state.keys(), state.keys() - own.keys()
        problems = [f"missing: {', '.join(sorted(missing))}"] if missing else []
        problems += [f"unknown: {', '.join(sorted(spare))}"] if spare else []
        problems += [
            f"{name}: shape {state[name].shape}, expected {array.shape}"
            for name, array in own.items()
            if name in state and state[name].shape != array.shape
        ]
        steps = state.get("step", np.array(0))
        if steps.dtype.kind not in "iu" or not np.all(steps >= 0):
            problems.append(f"step: {steps}, expected a number of steps")
        if problems:
            raise FileError(
                f"this state does not fit {type(self).__name__} and its parameters: "
                + "; ".join(problems)
            )
        self.steps = int(steps)
        for key, array in _unwrapped(self._saved()).items():
            array[...] = state[key]

    def describe(self) -> dict[str, Any]:
        """Return the arguments as plain data, without the parameters and with the base rate."""
        as_given = dataclasses.replace(self, lr=self.base_lr)
        described = descriptions.describe(as_given)
        del described["parameters"]
        return described

    def __repr__(self) -> str:
        described = {"lr": self.base_lr} | self.describe()
        options = "".join(f", {k}={v!r}" for k, v in described.items() if k != "type")
        count = len(self.learned)
        return f"{described['type']}({count} parameter{'s' * (count != 1)}{options})"

    def _groups(self) -> dict[tuple[tuple[str, ...], float], list[int]]:
        """Return which parameters are updated together: those of equal slots and rate."""
        groups: dict[tuple[tuple[str, ...], float], list[int]] = {}
        for i, parameter in enumerate(self.learned):
            key = self.slots(parameter), self._factor(parameter)
            groups.setdefault(key, []).append(i)
        return groups

    def rate_of(self, parameter: Parameter) -> float:
        """Return the learning rate of a parameter in the next step."""
        return self.lr * self._factor(parameter)

    def _factor(self, parameter: Parameter) -> float:
        """Return the factor on a parameter's learning rate."""
        for pattern, factor in self._factors.items():
            if pattern == parameter.kind or fnmatchcase(self._name(parameter), pattern):
                return float(factor)
        return 1.0

    def _look_ahead(self) -> None:
        """Move the slow weights towards the weights, and these onto them."""
        for parameter, kept in zip(self.learned, self._states(), strict=True):
            slow = kept[SLOW]
            slow += self.lookahead_rate * (parameter.value - slow)
            parameter.value[...] = slow

    def _states(self) -> list[dict[str, Array]]:
        """Return the arrays of each parameter by slot, initially 0."""
        if not self._state:
            more = () if self.lookahead is None else (SLOW,)
            self._state = [
                {slot: np.zeros_like(p.value) for slot in (*self.slots(p), *more)}
                for p in self.learned
            ]
        return self._state

    def _saved(self) -> dict[str, Array]:
        """Return the arrays under the names by which they are saved."""
        names, states = [self._name(p) for p in self.learned], self._states()
        if any(states) and len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise PellucidError(
                f"several parameters are named {', '.join(twice)}, so their states cannot be told "
                "apart; pass model.named_parameters() of a model that contains them all"
            )
        return {
            f"{name}/{slot}": array
            for name, arrays in zip(names, states, strict=True)
            for slot, array in arrays.items()
        }

    def _name(self, parameter: Parameter) -> str:
        return self._names_given.get(id(parameter), parameter.name)

    def _check(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise PellucidError(
                f"{type(self).__name__}: {name} must be {expected}, not {getattr(self, name)!r}"
            )


def _unwrapped(state: Mapping[str, V]) -> dict[str, V]:
    """Return a state without the prefix that all names of parameters share."""
    names = {key.rpartition("/")[0] for key in state if "/" in key}
    length = common_length(names)
    return {key[length:] if "/" in key else key: value for key, value in state.items()}
