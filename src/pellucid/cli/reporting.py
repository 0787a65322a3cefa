"""Gather the contents of a report from a run's folder, its data and its model."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pellucid.cli import common, folders
from pellucid.cli.config import Config, Parts
from pellucid.errors import PellucidError

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.evaluation import Evaluation
    from pellucid.layers import Layer
    from pellucid.parallel import Spent
    from pellucid.types import Array
    from pellucid.view.report import Contents

_MAPPED = 6
"""Number of convolutions whose feature maps are shown."""


def write(
    folder: Path, config: Config, parts: Parts, model: "Layer", evaluation: "Evaluation | None"
) -> Path:
    """Write the report on the run in `folder` and return its path."""
    with common.busy("Making the report …"):
        from pellucid.view.report import report

        return report(contents(folder, config, parts, model, evaluation)).save(folder)


def contents(
    folder: Path, config: Config, parts: Parts, model: "Layer", evaluation: "Evaluation | None"
) -> "Contents":
    """Return the contents of the report.

    NumPy computes what is shown of a few images sooner than kernels for so few could be compiled.
    """
    from pellucid import engine
    from pellucid.explain import activations
    from pellucid.training import read_gradients, read_history
    from pellucid.view.report import Contents

    history = read_history(folder / folders.HISTORY)
    gradients = folder / folders.GRADIENTS
    part, name = (parts.train, "training") if parts.judge is None else parts.judge
    chosen = _samples(part, evaluation)
    samples = part.images[chosen]
    with engine.using("reference"):
        reasons = _reasons(model, part, evaluation)
        maps = activations(model, samples, _convolutions(model))
    return Contents(
        model_name=folders.short_name(config.model),
        data_name=parts.train.name,
        model=model,
        history=history,
        kept=next((epoch.epoch for epoch in reversed(history) if epoch.best), None),
        counts={
            what: len(images)
            for what, images in zip(
                ("training", "validation", "test"),
                (parts.train, parts.validation, parts.test),
                strict=True,
            )
            if images is not None
        },
        evaluation=evaluation,
        judged_by=name.split()[0].lower(),
        images=None if evaluation is None else part.images,
        reasons=reasons,
        samples=samples,
        sample_names=[_named(part, evaluation, i) for i in chosen],
        maps=maps,
        gradients=read_gradients(gradients) if gradients.exists() else None,
        processes=_processes(folder),
        command=config.command(),
        facts=_facts(config, parts),
    )


def _processes(folder: Path) -> "list[Spent]":
    """Return the time spent by each of several processes; an empty list for a single one."""
    from pellucid.training import read_scaling

    path = folder / folders.SCALING
    found = read_scaling(path) if path.exists() else []
    return found if len(found) > 1 else []


def _reasons(
    model: "Layer", part: "DataSet", evaluation: "Evaluation | None"
) -> "dict[int, Array]":
    """Return Grad-CAM maps of the most confident mistakes, if the network has maps."""
    from pellucid.explain import grad_cam
    from pellucid.view.report.results import MISTAKES

    found = None if evaluation is None else evaluation.mistakes(MISTAKES)
    if found is None or not len(found):
        return {}
    try:
        maps = grad_cam(model, part.images[found.index], found.prediction)
    except PellucidError:  # a network without convolutions, for example
        return {}
    return dict(zip(found.index.tolist(), maps, strict=True))


def _samples(part: "DataSet", evaluation: "Evaluation | None") -> list[int]:
    """Return the first image of each of two classes, and the most confident mistake."""
    present = np.flatnonzero(part.counts)[:2]
    chosen = [int((part.labels == number).argmax()) for number in present]
    mistakes = [] if evaluation is None else evaluation.mistakes(1).index.tolist()
    return list(dict.fromkeys(chosen + mistakes))


def _named(part: "DataSet", evaluation: "Evaluation | None", index: int) -> str:
    truth: str = part.classes[part.labels[index]]
    if evaluation is None or evaluation.predictions[index] == part.labels[index]:
        return f"“{truth}”"
    return f"“{truth}”, taken for “{part.classes[evaluation.predictions[index]]}”"


def _convolutions(model: "Layer") -> list[str]:
    """Return the paths of the convolutions, or of some spread from the first to the last."""
    from pellucid.layers import Conv2d

    paths = [path for path, layer in model.walk() if isinstance(layer, Conv2d)]
    spread = np.linspace(0, len(paths) - 1, min(_MAPPED, len(paths))).round().astype(int)
    return [paths[i] for i in spread]


def _facts(config: Config, parts: Parts) -> dict[str, str]:
    from pellucid.training.fingerprint import fingerprint

    how = ", precise" if config.precise else ", tuned" if config.tune else ""
    engine = config.engine + how
    facts = {"Pellucid": config.version, "engine": engine, "seed": str(config.seed)}
    facts |= config.environment
    for what, facts in fingerprint(parts.train, parts.validation).items():
        if facts is not None:
            shape = "×".join(map(str, facts["shape"]))
            facts[f"{what} data"] = (
                f"{shape} {facts['dtype']}; labels {facts['targets']}, images {facts['all_inputs']}"
            )
    return facts
