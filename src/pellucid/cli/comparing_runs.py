"""Compare runs: choices, accuracy, and the images that only one of them classifies correctly."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.cli import common, runs, runs_page
from pellucid.cli.config import Parts
from pellucid.errors import FileError, PellucidError

if TYPE_CHECKING:
    from pellucid.evaluation import Evaluation

_MOST_CLASSES = 12


def compare(folders: Sequence[Path], as_json: bool, out: Path | None) -> None:
    """Print how runs on the same images differ from the first one, and write a page about it."""
    found = [_read(folder) for folder in folders]
    judged = [_judged(run) for run in found]
    evaluations = [one.evaluation for one in judged]
    first = evaluations[0]
    for run, other in zip(found[1:], evaluations[1:], strict=True):
        if other.classes != first.classes or not np.array_equal(other.labels, first.labels):
            raise PellucidError(
                f"{found[0].folder} and {run.folder} were evaluated on different images, so their "
                "accuracies cannot be compared; evaluate both on the same data"
            )
    pairs = [difference(first, other) for other in evaluations[1:]]
    if as_json:
        described = [
            run.described() | {"evaluation": evaluation.describe()}
            for run, evaluation in zip(found, evaluations, strict=True)
        ]
        print(json.dumps({"runs": described, "differences": pairs}, indent=1))
        return
    common.print_table(*runs.table(found))
    print()
    common.print_table(
        ["run", ">accuracy", ">95 % interval", ">loss", ">right", ">images"],
        [_row(run, evaluation) for run, evaluation in zip(found, evaluations, strict=True)],
    )
    for run, pair in zip(found[1:], pairs, strict=True):
        print(f"\n{in_words(found[0].folder.name, run.folder.name, pair)}")
        changed = sorted(pair["classes"], key=lambda row: -abs(row["difference"]))
        common.print_table(
            ["class", ">recall before", ">recall now", ">difference"],
            [
                [
                    row["name"],
                    f"{row['before']:.2%}",
                    f"{row['now']:.2%}",
                    f"{row['difference']:+.2%}",
                ]
                for row in changed[:_MOST_CLASSES]
            ],
        )
    sentences = [
        in_words(found[0].folder.name, run.folder.name, pair)
        for run, pair in zip(found[1:], pairs, strict=True)
    ]
    out = out or Path("-".join(["compare", *(run.folder.name for run in found)]))
    print(f"\nThe page: {runs_page.page(judged, pairs, sentences).save(out, 'compare.html')}")


def difference(before: "Evaluation", now: "Evaluation") -> dict[str, Any]:
    """Return the differences in accuracy between two evaluations, by image and by class."""
    from pellucid.evaluation import paired_difference

    right, still = (e.predictions == e.labels for e in (before, now))
    won, lost = np.flatnonzero(~right & still), np.flatnonzero(right & ~still)
    recalls = zip(before.classes, before.by_class.recall, now.by_class.recall, strict=True)
    return {
        "accuracy": now.accuracy - before.accuracy,
        "won": won.tolist(),
        "lost": lost.tolist(),
        "p_value": paired_difference(len(lost), len(won)),
        "classes": [
            {"name": name, "before": float(a), "now": float(b), "difference": float(b - a)}
            for name, a, b in recalls
        ],
    }


def in_words(first: str, other: str, pair: dict[str, Any]) -> str:
    """Describe the result of `difference` in a sentence, including whether it may be chance.

    >>> in_words("old", "new", {"won": [3], "lost": [5, 7], "accuracy": -0.01, "p_value": 1.0})
    "1 image only new classifies correctly, 2 only old (−1.00 %); that may be chance (McNemar's \
test, p = 1)."
    """
    won, lost = len(pair["won"]), len(pair["lost"])
    share = f"{100 * pair['accuracy']:+.2f} %".replace("-", "−")
    verdict = "chance alone rarely does that" if pair["p_value"] < 0.05 else "that may be chance"
    counted = f"{won:,} image{'s' * (won != 1)} only {other} classifies correctly, {lost:,}"
    return (
        f"{counted} only {first} ({share}); {verdict} (McNemar's test, p = {pair['p_value']:.2g})."
    )


def _read(folder: Path) -> runs.Found:
    found = runs.read(folder)
    if found is None:
        raise FileError(f"{folder} is not a run; `pellucid runs` lists them")
    return found


def _judged(run: runs.Found) -> runs_page.Judged:
    from pellucid.evaluation import evaluate

    parts, model = Parts.load(run.config), common.load_model(run.folder)
    if parts.judge is None:
        raise PellucidError(f"{run.folder} has neither a test nor a validation part to compare on")
    part = parts.judge[0]
    part = part if model.classes is None else part.with_classes(model.classes)
    with common.computing(run.config.engine, run.config.threads):
        return runs_page.Judged(run, model, part, evaluate(model, part))


def _row(run: runs.Found, evaluation: "Evaluation") -> list[str]:
    low, high = evaluation.accuracy_interval
    return [
        run.folder.name,
        f"{evaluation.accuracy:.2%}",
        f"{low:.2%} to {high:.2%}",
        f"{evaluation.loss:.4f}",
        f"{int(evaluation.confusion.trace()):,}",
        f"{len(evaluation.labels):,}",
    ]
