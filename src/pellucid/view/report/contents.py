"""What a report is made of: records and arrays, wherever they come from."""

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
    """What is asked of an evaluation; `pellucid.Evaluation` is one."""

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
    """What is known of a training run. What is left out has its section left out.

    Parameters
    ----------
    model_name, data_name
        What learned, and from what, as they are called.
    model
        The trained model; its `input_shape` says how large its images are.
    history
        The epochs of the run.
    kept
        The number of the epoch whose weights the model has, if they are not the last.
    counts
        How many images each part of the data has, by the part's name.
    evaluation, judged_by, images
        How the model did, on which part of the data, and the images of that part (N, C, H, W), of
        which the mistakes are shown.
    reasons
        For mistakes, by the number of the image, what the wrong answer was based on: (H, W), such
        as its Grad-CAM map.
    samples, sample_names, maps
        A few images (S, C, H, W), what they show, and for some layers, by path, what the layer
        gives for them (S, channels, h, w).
    gradients
        The record of gradient flow.
    processes
        Where the time of each process went, where several trained together.
    command
        The command that makes the run again.
    facts
        What the run depended on: values by name.
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
