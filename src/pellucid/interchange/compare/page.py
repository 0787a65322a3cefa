"""Describe a comparison in words and tables, and show it as Markdown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pellucid.interchange.compare.agreement import BOUND, TYPES, Difference, Row
from pellucid.interchange.compare.comparison import Comparison
from pellucid.interchange.compare.frameworks import PELLUCID
from pellucid.interchange.compare.source import Lines

_SHOWN_LOSSES = 12
_BUSY = 0.2
"""So many processors in use by others are reported."""


@dataclass(frozen=True)
class Block:
    """A title, heading, paragraph, code block or picture."""

    kind: Literal["title", "heading", "text", "code", "picture"]
    text: str


@dataclass(frozen=True)
class Table:
    """A table; columns whose head begins with ">" hold numbers and are right-aligned."""

    head: list[str]
    rows: list[list[str]]


Part = Block | Table


def markdown(comparison: Comparison, picture: str | None = None) -> str:
    """Return the comparison as Markdown; `picture` is the path of an image to include."""
    parts = []
    for part in _parts(comparison, picture):
        match part:
            case Table():
                parts.append(_markdown_table(part))
            case Block("title", text):
                parts.append(f"# {text}")
            case Block("heading", text):
                parts.append(f"## {text}")
            case Block("code", text):
                parts.append(f"```python no-run\n{text}\n```")
            case Block("picture", text):
                parts.append(f"![differences, losses and seconds]({text})")
            case Block(_, text):
                parts.append(text)
    return "\n\n".join(parts) + "\n"


def verdict(comparison: Comparison) -> str:
    """Return the result of the comparison in one sentence."""
    names = " and ".join(comparison.entries[name].title for name in comparison.others)
    if not names:
        return "There is no other framework to compare with."
    count = len(comparison.rows)
    if comparison.equal:
        return f"{names}: all {count} quantities agree up to rounding."
    wrong = [row.name for row in comparison.rows if not all(map(row.equal, row.differences))]
    return f"{len(wrong)} of {count} quantities differ by more than rounding: {', '.join(wrong)}."


def remarks(comparison: Comparison) -> list[str]:
    """Return notes: missing frameworks, gradients not judged in float32, a busy machine."""
    said = list(comparison.missing.values())
    for name, count in comparison.decided.items():
        if count:
            said.append(
                f"{comparison.entries[name].title}: in float32, rounding puts {count:,} "
                "activations on the other side of 0 than in Pellucid. A ReLU then passes on a "
                "gradient in only one of the two, so gradients are judged in float64 only "
                "(≈ in float32)."
            )
    if (busy := comparison.busy) is not None and busy > _BUSY:
        said.append(
            f"The machine was busy: while steps were timed, other programs used {busy:.1f} of its "
            f"{os.cpu_count()} processors. Times are not to be relied on; compare again when it is "
            "quiet."
        )
    return said


def difference_table(comparison: Comparison, framework: str) -> Table:
    """Return the largest differences from one framework, one row per quantity, with verdicts."""
    head = ["", "layer or parameter"]
    head += [f">{text}" for dtype in TYPES for text in (f"{dtype} abs", "rel")]
    return Table([*head, "verdict"], [_row(row, framework) for row in comparison.rows])


def loss_table(comparison: Comparison) -> Table:
    """Return the losses of the first training steps and of the last."""
    entries = list(comparison.entries.values())
    count = comparison.settings.steps
    steps = sorted({*range(min(_SHOWN_LOSSES, count)), count - 1})
    rows = [[str(step + 1), *(f"{entry.losses[step]:.6f}" for entry in entries)] for step in steps]
    return Table([">step", *(f">{entry.title}" for entry in entries)], rows)


def cost_table(comparison: Comparison) -> Table:
    """Return the time and memory that a training step takes in each framework."""
    rows = []
    for entry in comparison.entries.values():
        middle, least, most = entry.milliseconds
        times = [f"{middle:.2f}", f"{least:.2f}–{most:.2f}"]
        rows.append([entry.version, *times, f"{entry.memory / 2**20:.0f} MiB"])
    return Table(["", ">ms a step", ">range", ">memory grew by"], rows)


def _parts(comparison: Comparison, picture: str | None) -> Iterator[Part]:
    yield Block("title", f"{comparison.model} on {comparison.data}, side by side")
    yield Block("text", verdict(comparison))
    yield Block("text", conditions(comparison))
    for remark in remarks(comparison):
        yield Block("text", remark)
    if picture is not None:
        yield Block("picture", picture)
    yield Block("heading", "Time and memory")
    yield cost_table(comparison)
    yield Block("text", timing(comparison))
    yield Block("heading", "The loss of each training step")
    yield loss_table(comparison)
    for name in comparison.others:
        title = comparison.entries[name].title
        yield Block("heading", f"{PELLUCID.title} and {title}: the largest differences")
        yield difference_table(comparison, name)
    yield Block("text", DIFFERENCES)
    yield Block("heading", "The code, side by side")
    yield from code(comparison)


def conditions(comparison: Comparison) -> str:
    """Return what the frameworks have in common."""
    settings = comparison.settings
    return (
        f"All frameworks get the same weights and the same batches of {settings.batch_size} "
        f"images. They train with SGD, learning rate {settings.rate:g}, momentum "
        f"{settings.momentum:g}, on {_threads(settings.threads)}, each in its own process. "
        "Dropout is switched off, because frameworks draw different random numbers."
    )


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


def timing(comparison: Comparison) -> str:
    """Return how time and memory were measured."""
    settings = comparison.settings
    return (
        f"The frameworks were timed alternately, in {settings.turns} turns of "
        f"{settings.seconds:g} s each. The table gives the median of the turns' medians, and their "
        "range. Memory is the largest growth of the process, from before the network is built to "
        "the end of training, including what is compiled for it."
    )


DIFFERENCES = (
    "Outputs are from inference; activations and gradients are from the first batch in training "
    "mode. The absolute difference (abs) is the largest over all entries; the relative one (rel) "
    f"is divided by the largest absolute value. Differences up to {BOUND:,.0f} times the type's "
    "precision count as rounding: 1.2e-03 in float32, 2.2e-12 in float64. A wrong formula is off "
    "by far more."
)
"""How differences are measured and judged."""


def code(comparison: Comparison) -> Iterator[Part]:
    """Yield, for each kind of layer, its call in every framework and the code that computes it.

    Each function is shown only once, where it is first used.
    """
    shown: set[str] = set()
    for entry in comparison.explained:
        yield Block("heading", entry.kind)
        others = [comparison.entries[name] for name in comparison.others]
        rows: dict[str, list[str]] = {}
        for path in entry.paths:
            call = comparison.entries[PELLUCID.name].calls.get(path, entry.kind)
            row = [path, call, *(other.calls.get(path, "") for other in others)]
            rows.setdefault(call, row)
        yield Table(["layer", PELLUCID.title, *(o.title for o in others)], list(rows.values()))
        for name, functions in (("Forward", entry.forward), ("Backward", entry.backward)):
            if functions:
                yield Block("text", f"{name}, in {_places(functions)}:")
                new = [function for function in functions if function.where not in shown]
                shown.update(function.where for function in new)
                if new:
                    yield Block("code", "\n\n\n".join(function.text for function in new))


def _places(functions: list[Lines]) -> str:
    return ", ".join(dict.fromkeys(f"`{function.where}`" for function in functions))


def _row(row: Row, framework: str) -> list[str]:
    by_type = row.differences.get(framework)
    if by_type is None:
        return [row.kind, row.name, "", "", "", "", "missing"]
    numbers = [text for dtype in TYPES for text in _numbers(by_type[dtype])]
    return [row.kind, row.name, *numbers, "equal" if row.equal(framework) else "DIFFERS"]


def _numbers(difference: Difference) -> tuple[str, str]:
    judged = difference.bound < float("inf")
    return f"{difference.absolute:.1e}", ("" if judged else "≈ ") + f"{difference.relative:.1e}"


def _markdown_table(table: Table) -> str:
    def cells(row: list[str]) -> str:
        return "| " + " | ".join(c.replace("|", "\\|").replace("\n", "<br>") for c in row) + " |"

    rule = ["---:" if head.startswith(">") else "---" for head in table.head]
    head = [name.removeprefix(">") for name in table.head]
    return "\n".join(map(cells, [head, rule, *table.rows]))
