"""The sections on learning curves and gradient flow."""

from __future__ import annotations

import numpy as np

from pellucid.training.diagnosis import diagnosis
from pellucid.training.records import Epoch
from pellucid.view.curves import curves, rates
from pellucid.view.gradient_flow import gradient_flow
from pellucid.view.report.contents import Contents
from pellucid.view.report.markup import Html
from pellucid.view.report.pictures import Picture
from pellucid.view.report.section import Pair, Section, folded, paragraph, table
from pellucid.view.report.words import count, percent


def learning(contents: Contents) -> Section | None:
    """Return the section on loss and accuracy by epoch, with a diagnosis such as overfitting."""
    history = list(contents.history)
    if not history:
        return None
    last, best = history[-1], _best(history)
    text = f"Loss from {history[0].loss:.4f} in epoch 1 to {last.loss:.4f} in epoch {last.epoch}"
    if last.validation_loss is not None:
        text += (
            f", in validation from {history[0].validation_loss:.4f} to {last.validation_loss:.4f}"
        )
    if best is not None:
        text += f". The best epoch is {best.epoch}"
    pictures = [(Picture("loss", curves(history, of="loss"), f"{text}.", 320), "")]
    if last.accuracy is not None:
        text = f"Accuracy from {percent(history[0].accuracy or 0)} to {percent(last.accuracy)}"
        if last.validation_accuracy is not None:
            first = history[0].validation_accuracy or 0
            text += f", in validation from {percent(first)} to {percent(last.validation_accuracy)}"
        drawn = curves(history, of="accuracy")
        pictures.append((Picture("accuracy", drawn, f"{text}.", 320), ""))
    pictures += _rates(history)
    caption = (
        "Training values are means over an epoch, while the network still changed; validation is "
        "measured at the epoch's end, on images that it does not learn from."
        if last.validation_loss is not None
        else "Means over each epoch, while the network still changed. There was no validation part."
    )
    return Section(
        "learning",
        "Learning curves",
        (
            paragraph(diagnosis(history)),
            Pair(tuple(pictures)),
            paragraph(caption, "small soft"),
            folded("The numbers", _epochs(history, best)),
        ),
        files=(Picture("curves", curves(history), "Learning curves", 0),),
    )


def _rates(history: list[Epoch]) -> list[tuple[Picture, str]]:
    """Return the curve of the learning rate, if it changed."""
    values = [epoch.rate for epoch in history]
    if max(values) == min(values):
        return []
    text = (
        f"Learning rate at the end of each epoch: from {values[0]:.3g} over {max(values):.3g} at "
        f"most to {values[-1]:.3g}"
    )
    return [(Picture("learning-rate", rates(history), f"{text}.", 320), "")]


def gradients(contents: Contents) -> Section | None:
    """Return the section on the size of each layer's gradients and updates."""
    flow = contents.gradients
    if flow is None or len(flow.steps) == 0:
        return None
    late = flow.steps > flow.steps[-1] / 2
    size, ratio = np.median(flow.gradient[late], axis=0), np.median(flow.ratio[late], axis=0)
    low, high = int(size.argmin()), int(size.argmax())
    text = (
        f"In the second half of training the gradients of {count(len(flow.names), 'layer')} were "
        f"typically between {size[low]:.2g} ({flow.names[low]}) and {size[high]:.2g} "
        f"({flow.names[high]})"
    )
    drawn = gradient_flow(flow.steps, flow.names, flow.gradient, flow.ratio)
    picture = Picture("gradient-flow", drawn, f"Gradient flow. {text}.", 760)
    rows = [
        [name, *(f"{x:.2g}" for x in (flow.gradient[0, i], size[i], flow.weight[-1, i], ratio[i]))]
        for i, name in enumerate(flow.names)
    ]
    heads = ["weight", "first gradient", "gradient", "size of the weight", "change in a step"]
    return Section(
        "gradients",
        "Gradient flow",
        (
            paragraph(
                "The size of each layer's gradient, and how far a step moves its weights. A row is "
                "a layer, the first of the network on top; a column is a recorded step. Rows that "
                "fade out towards the top show gradients that vanish on their way back; a change "
                "of about a thousandth in a step is usual."
            ),
            (picture, f"{text}. {count(len(flow.steps), 'step')} of {flow.steps[-1]:,} recorded."),
            folded(
                "The numbers, layer by layer",
                table(
                    "Norms, and what part of a weight one step changes (about 0.001 is usual); "
                    "all but the first are medians over the second half of training",
                    heads,
                    rows,
                ),
            ),
        ),
    )


def _best(history: list[Epoch]) -> Epoch | None:
    return next((epoch for epoch in reversed(history) if epoch.best), None)


def _epochs(history: list[Epoch], best: Epoch | None) -> Html:
    rows = [
        [
            str(epoch.epoch),
            *(_shown(epoch.loss, ".4f"), _shown(epoch.accuracy, ".2%")),
            *(_shown(epoch.validation_loss, ".4f"), _shown(epoch.validation_accuracy, ".2%")),
            *(f"{epoch.rate:.3g}", f"{epoch.seconds:.1f}"),
        ]
        for epoch in history
    ]
    heads = ["epoch", "loss", "accuracy", "validation loss", "accuracy", "last rate", "seconds"]
    return table(
        "Each epoch; the best is bold", heads, rows, None if best is None else history.index(best)
    )


def _shown(number: float | None, form: str) -> str:
    return "–" if number is None else format(number, form).replace("%", " %")
