"""A small run with everything that a report shows, and names that attempt HTML injection."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import small_run
from pellucid import evaluate
from pellucid.explain import activations, grad_cam
from pellucid.training import Epoch, read_gradients, record_gradients, records
from pellucid.view.report import Contents

CLASSES = ("<b>top</b>", 'mid"dle & $x_1$', "底部</style><script>alert(1)</script>")


def contents(folder: Path, **changes: Any) -> Contents:
    """Train for three epochs and return the contents of the run's report."""
    data = replace(small_run.DATA, classes=CLASSES, name="rows <img src=x>")
    labels = small_run.VALIDATION.labels.copy()
    labels[:3] = (labels[:3] + 1) % 3  # three wrong labels, which become mistakes
    test = replace(small_run.VALIDATION, labels=labels, classes=CLASSES)
    state = small_run.simple_state(epochs=3)
    path = folder / "gradients.csv"
    epochs = [
        record
        for record in record_gradients(records(state, data, test), state, path)
        if isinstance(record, Epoch)
    ]
    evaluation = evaluate(state.model, test)
    wrong = evaluation.mistakes(24)
    causes = grad_cam(state.model, test.images[wrong.index], wrong.prediction)
    known = Contents(
        model_name="small & <i>net</i>",
        data_name=data.name,
        model=state.model,
        history=epochs,
        kept=2,
        counts={"training": len(data), "test": len(test)},
        evaluation=evaluation,
        images=test.images,
        reasons=dict(zip(wrong.index.tolist(), causes, strict=True)),
        samples=test.images[-2:],
        sample_names=[f"“{CLASSES[label]}”" for label in test.labels[-2:]],
        maps=activations(state.model, test.images[-2:], ["conv1", "conv2"]),
        gradients=read_gradients(path),
        command="pellucid train 'a & b.npz' --model '<net>.toml' --seed 5",
        facts={"seed": "5", "processor": "<cpu> & co"},
    )
    return replace(known, **changes)
