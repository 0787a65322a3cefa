"""Options, loading of trained models, and tables, shared by several commands."""

import csv
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from pellucid import engine
from pellucid.cli import completion, folders
from pellucid.errors import FileError, PellucidError
from pellucid.runtime.threads import limited

if TYPE_CHECKING:
    from pellucid.layers import Layer
    from pellucid.types import Shape

T = TypeVar("T")

Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="The folder of a run, a model.safetensors or an .onnx file.",
        autocompletion=completion.runs,
    ),
]


def _computing(*names: str, text: str, **options: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="How it is computed", **options)


Engine = Annotated[
    str | None,
    _computing(
        metavar="NAME",
        text=f"The engine: {' or '.join(engine.NAMES)}.",
        show_default="compiled, where Numba is installed",
        autocompletion=completion.engines,
    ),
]
Precise = Annotated[
    bool,
    _computing(
        "--precise",
        text="Do not use F(4×4, 3×3) Winograd convolution, which is faster and rounds more.",
    ),
]
Tune = Annotated[
    bool,
    _computing("--tune", text="Choose convolution algorithms by timing them, once for each shape."),
]
Recompute = Annotated[
    bool,
    _computing(
        "--recompute",
        text="Keep fewer activations in memory, and compute them again in the backward pass. It "
        "takes a third more time; the result is the same, bit for bit.",
    ),
]
RecomputeOrNot = Annotated[
    bool | None,
    _computing(
        "--recompute/--no-recompute",
        text="Compute activations again in the backward pass, to save memory; see `train`.",
        show_default="as the run was begun",
    ),
]
Threads = Annotated[
    int | None,
    _computing(metavar="N", min=1, text="How many threads to use.", show_default="all"),
]
Report = Annotated[
    bool,
    typer.Option(
        "--report/--no-report",
        help="Write report.html at the end: curves, mistakes, what was learned.",
        rich_help_panel="The run",
    ),
]
Curves = Annotated[
    bool,
    typer.Option(
        "--curves/--no-curves",
        help="Draw the curves of loss and accuracy while training, if the terminal has room.",
        rich_help_panel="The run",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON, and nothing else.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print the table as CSV, and nothing else.")]


@contextmanager
def computing(
    engine_name: str | None, threads: int | None, precise: bool = False, tune: bool = False
) -> Iterator[None]:
    """Compute inside the ``with`` block with the engine, threads and precision that were chosen."""
    with ExitStack() as chosen:
        if precise:
            chosen.enter_context(engine.precisely())
        if tune:
            chosen.enter_context(engine.tuned())
        if engine_name is not None:
            chosen.enter_context(engine.using(engine_name))
        engine.current()
        chosen.enter_context(limited(threads))
        yield


def engine_or_default(name: str | None) -> str:
    """Return `name` if it is a known engine, or the default engine if it is None."""
    if name is None:
        return engine.name()
    with engine.using(name):
        return name


def sizes(text: str, option: str, count: int = 2) -> tuple[int, ...]:
    """Parse sizes such as ``"28x28"``; a single number denotes a square.

    >>> sizes("32", "--size")
    (32, 32)
    """
    parts = text.lower().replace("×", "x").split("x")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        parts = []
    if len(parts) == 1 and count == 2:
        parts *= 2
    if len(parts) != count:
        raise PellucidError(
            f"{option} is {count} numbers joined by x, such as {_EXAMPLES[count]}, not '{text}'"
        )
    return tuple(map(int, parts))


_EXAMPLES = {2: "28x28", 3: "1x28x28", 4: "64x3x32x32"}


def noting(kind: type[Warning], action: Callable[[], T]) -> T:
    """Run `action` and return its result; print each warning of this kind as a note."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", kind)
        found = action()
    for message in dict.fromkeys(str(warning.message) for warning in heard):
        note(message)
    return found


def load_model(run: Path) -> "Layer":
    """Load the trained model from a run's folder or a file."""
    from pellucid.interchange.safetensors import load

    if not run.exists():
        raise FileError(f"there is no run '{run}'; `pellucid train` makes one")
    path = run / folders.MODEL if run.is_dir() else run
    if not path.exists():
        unfinished = (run / folders.CHECKPOINT).exists()
        hint = f"; it is not finished: {program()} resume {run}" if unfinished else ""
        raise FileError(f"{run} has no {folders.MODEL}{hint}")
    if path.suffix == ".onnx":
        from pellucid.interchange import onnx

        return noting(onnx.LayoutWarning, lambda: onnx.load(path))
    return load(path)


def input_shape_of(model: "Layer", run: Path) -> "Shape":
    """Return the shape of the images that `model` was trained on."""
    if model.input_shape is None:
        raise FileError(f"{run} does not say what images its model was trained on")
    return model.input_shape


def program() -> str:
    """Return the name by which the user can call the command: ``pellucid``, or else its path."""
    called = Path(sys.argv[0])
    found = shutil.which("pellucid")
    by_path = called.stem == "pellucid" and not (found and called.samefile(found))
    return str(called) if by_path else "pellucid"


def note(text: str) -> None:
    """Write an informative line to stderr."""
    print(text, file=sys.stderr)


@contextmanager
def busy(text: str) -> Iterator[None]:
    """Show a line on a terminal while the ``with`` block runs."""
    if not sys.stderr.isatty():
        yield
        return
    print(text, end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; columns whose name begins with ">" hold numbers and are right-aligned.

    The first column, which holds names that other commands accept, and numbers are never cut. If
    there is not enough room, texts are wrapped between words.
    """
    from rich.console import Console
    from rich.table import Table

    listed = [list(row) for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        right = column.startswith(">")
        cells = [column.lstrip(">"), *(row[number] for row in listed)]
        whole = max(map(len, cells)) if right or not number else max(map(_longest_word, cells))
        table.add_column(
            column.lstrip(">"),
            justify="right" if right else "left",
            min_width=whole,
            overflow="fold",
        )
    for row in listed:
        table.add_row(*row)
    # a file has room for wide tables, unless COLUMNS limits them
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    Console(width=200 if wide else None, highlight=False, markup=False).print(table)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table as CSV."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([name.lstrip(">") for name in columns])
    writer.writerows(rows)


def print_json(value: Any) -> None:
    """Print plain data as JSON, in ASCII."""
    print(json.dumps(value, indent=1))


def thousands(number: float) -> str:
    """Format a count with thousands separators.

    >>> thousands(1234567)
    '1,234,567'
    """
    return f"{number:,.0f}"
