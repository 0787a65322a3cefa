"""The end of a training run: the saved model, its evaluation and its report."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli import common, folders, trained
from pellucid.cli.config import Config, Parts
from pellucid.errors import LostProcessError
from pellucid.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pellucid.data import DataSet
    from pellucid.evaluation import Evaluation
    from pellucid.layers import Layer
    from pellucid.parallel import Team
    from pellucid.training import TrainingState


def conclude(
    folder: Path,
    config: Config,
    parts: Parts,
    state: "TrainingState",
    report: bool,
    team: "Team | None" = None,
) -> None:
    """Save and evaluate the model, make the report, and print where the files are."""
    from pellucid.interchange.safetensors import save

    state.use_best()
    views = trained.views(folder, parts.train.image_shape) if config.tta else {}
    at_once = _at_once(config.batch_size)
    if team is not None and not team.leads:
        if parts.judge is not None:
            with suppress(LostProcessError):
                _judged(state.model, parts.judge[0], team, views, at_once)
        return
    save(state.model, folder / folders.MODEL)
    if state.best is not None:
        print(f"\nThe weights of epoch {state.best.epoch.epoch} are kept, the best in validation.")
    evaluation, name = None, ""
    if parts.judge is not None:
        part, name = parts.judge
        evaluation = _judged(state.model, part, team, views, at_once)
        print(f"\n{evaluation.report()}")
        described = {"part": name} | evaluation.describe()
        atomic_write(folder / folders.EVALUATION, json.dumps(described, indent=1).encode())
    keep_typical(folder, parts, state.model, at_once)
    if report:
        try_to_report(folder, config, parts, state.model, evaluation)
    print(f"\nIn {folder}:")
    for file, what in _CONTENTS.items():
        if (folder / file).exists():
            print(f"  {file:20}{what}")
    print(f"\nNext: {common.program()} evaluate {folder} --confusion")
    print(f"      {common.program()} predict {folder} IMAGE")
    if evaluation is not None:
        print(f"\n{name} {evaluation.headline()}")


def rehearsal(parts: Parts, batch_size: int) -> "Callable[[Layer], Iterator[Callable[[], Any]]]":
    """Return for a model the calls that need the kernels of `conclude`."""
    from pellucid.evaluation import predictions, typical

    at_once = _at_once(batch_size)

    def calls(model: "Layer") -> "Iterator[Callable[[], Any]]":
        if parts.judge is not None:
            yield from predictions.rehearsal(model, parts.judge[0].images, at_once)
        yield from typical.rehearsal(model, parts.train.images, at_once)

    return calls


def _at_once(batch_size: int) -> int:
    """Return how many images are evaluated at once: for as many as in training, all is compiled."""
    return min(max(batch_size, 32), 256)


def keep_typical(folder: Path, parts: Parts, model: "Layer", at_once: int) -> None:
    """Save statistics of the training images, by which `predict` recognises unlike images."""
    from pellucid.evaluation.typical import Typical

    atomic_write(folder / folders.TYPICAL, Typical.of(model, parts.train, at_once).to_bytes())


def _judged(
    model: "Layer",
    part: "DataSet",
    team: "Team | None",
    views: dict[str, Any],
    at_once: int,
) -> "Evaluation":
    """Evaluate the model; if a process is lost, the first one does so alone."""
    from pellucid.evaluation import evaluate

    try:
        return evaluate(model, part, batch_size=at_once, parallel=team, **views)
    except LostProcessError:
        if team is None or not team.leads:
            raise
        return evaluate(model, part, batch_size=at_once, **views)


def try_to_report(
    folder: Path, config: Config, parts: Parts, model: "Layer", evaluation: "Evaluation | None"
) -> None:
    """Make the report; if that fails, print the reason, and leave the run as it is."""
    from pellucid.cli import reporting

    try:
        reporting.write(folder, config, parts, model, evaluation)
    except Exception as error:  # any error: the run is saved, and the results must still be printed
        if os.environ.get("PELLUCID_DEBUG"):
            raise
        common.note(
            f"The report could not be made: {error}\n"
            f"Everything else is saved. To try again: {common.program()} report {folder}"
        )


_CONTENTS = {
    folders.REPORT: "the report: open it in a browser",
    folders.FIGURES: "its pictures, as SVG and PNG",
    folders.MODEL: "the trained network",
    folders.EVALUATION: "accuracy and the scores of each class, as JSON",
    folders.TYPICAL: "statistics of the training images, to notice unlike ones",
    folders.HISTORY: "loss and accuracy of each epoch",
    folders.SCALING: "where the time of each process went",
    folders.GRADIENTS: "the size of each layer's gradient",
    folders.CONFIG: "the settings of this run",
    folders.CHECKPOINT: "what resuming needs",
}
