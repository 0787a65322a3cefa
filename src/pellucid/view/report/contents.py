"""The contents of a report: records and arrays, independent of where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pellucid.layers import Layer
from pellucid.parallel import Spent
from pellucid.training.gradients import GradientFlow
from pellucid.training.records import Epoch
from pellucid.types import Array
from pellucid.view.evaluated import Evaluated


class Judged(Evaluated, Protocol):
    """The part of an evaluation that a report needs; `pellucid.Evaluation` provides it."""

    @property
    def probabilities(self) -> Array: ...
    @property
    def loss(self) -> float: ...
    @property
    def accuracy(self) -> float: ...
    @property
    def accuracy_interval(self) -> tuple[float, float]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """The results of a training run. Sections of the report whose data are missing are omitted.

    Parameters
    ----------
    model_name, data_name
        Names of the model and of the data set.
    model
        The trained model; its `input_shape` is the shape of an image.
    history
        The epochs of the run.
    kept
        Number of the epoch whose weights were kept, if it is not the last.
    counts
        Number of images in each part of the data, by the part's name.
    evaluation, judged_by, images
        Evaluation of the model, the name of the part of the data that was evaluated, and the
        images of that part (N, C, H, W), from which the mistakes are shown.
    reasons
        Explanations of mistakes, by the number of the image: maps (H, W) of what the wrong
        prediction was based on, such as Grad-CAM maps.
    samples, sample_names, maps
        A few images (S, C, H, W), what they show, and the feature maps of some layers for these
        images, (S, channels, h, w) by the layer's path.
    gradients
        The record of gradient flow.
    processes
        Time spent by each process, if several trained together.
    command
        Command that reproduces the run.
    facts
        Versions, settings and other facts that the run depended on, by name.
    """

    model_name: str
    data_name: str
    model: Layer
    history: Sequence[Epoch] = ()
    kept: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    evaluation: Judged | None = None
    judged_by: str = "test"
    images: Array | None = None
    reasons: Mapping[int, Array] = field(default_factory=dict)
    samples: Array | None = None
    sample_names: Sequence[str] = ()
    maps: Mapping[str, Array] = field(default_factory=dict)
    gradients: GradientFlow | None = None
    processes: Sequence[Spent] = ()
    command: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
