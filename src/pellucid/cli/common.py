"""What several commands share: options, data, trained models, tables."""

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
from pellucid.cli import folders
from pellucid.errors import FileError, PellucidError
from pellucid.runtime.threads import limited

if TYPE_CHECKING:
    from pellucid.data import Splits
    from pellucid.layers import Layer
    from pellucid.types import Shape

T = TypeVar("T")

_COMPUTING = "How it is computed"
_READING = "How files and folders are read"

Data = Annotated[
    str, typer.Argument(metavar="DATA", help="A data set's name, or a folder, CSV or NPZ file.")
]
Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="The folder of a run, a model.safetensors or an .onnx file."
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"The engine: {' or '.join(engine.NAMES)}.",
        rich_help_panel=_COMPUTING,
        show_default="compiled, where Numba is installed",
    ),
]
Precise = Annotated[
    bool,
    typer.Option(
        "--precise",
        help="Do not use F(4×4, 3×3) Winograd convolution, which is faster and rounds more.",
        rich_help_panel=_COMPUTING,
    ),
]
Tune = Annotated[
    bool,
    typer.Option(
        "--tune",
        help="Choose convolution algorithms by timing them, once for each shape.",
        rich_help_panel=_COMPUTING,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="The number of threads.",
        show_default="all",
        rich_help_panel=_COMPUTING,
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Folders: the size to which images are scaled. CSV: the size of an image.",
        rich_help_panel=_READING,
    ),
]
Channels = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="1 for grey, 3 for colour.", rich_help_panel=_READING),
]
Label = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="CSV, Parquet: the column of the class, by name or, in CSV, by number from 0.",
        rich_help_panel=_READING,
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="CSV: whether the first line holds names.",
        show_default="as it looks",
        rich_help_panel=_READING,
    ),
]
Separator = Annotated[
    str | None,
    typer.Option(
        metavar="CHARACTER",
        help="CSV: what stands between two values; 'tab' for a tab.",
        show_default="as it looks",
        rich_help_panel=_READING,
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="CSV: a column that is neither the class nor a pixel, by name or number from 0; "
        "may be given several times.",
        rich_help_panel=_READING,
    ),
]
Folders = Annotated[
    str | None,
    typer.Option(
        "--folders",
        metavar="HOW",
        help="Folders: whether those inside it are classes (all images below belong to them), "
        "parts (train, validation, test), or nested (the folder that holds an image names its "
        "class).",
        show_default="as they look",
        rich_help_panel=_READING,
    ),
]
ChannelsLast = Annotated[
    bool | None,
    typer.Option(
        "--channels-last/--channels-first",
        help="CSV, NPZ: whether a pixel's channels stand together.",
        show_default="as it looks",
        rich_help_panel=_READING,
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help="CIFAR-100: fine, its 100 classes, or coarse, the 20 superclasses.",
        show_default="fine",
        rich_help_panel=_READING,
    ),
]
Variant = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="EMNIST: which of its variants, such as letters, if a folder has several.",
        rich_help_panel=_READING,
    ),
]
ImageColumn = Annotated[
    str | None,
    typer.Option(
        "--image",
        metavar="COLUMN",
        help="Parquet: the column of the images.",
        show_default="image",
        rich_help_panel=_READING,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="The memory to plan with, such as 2GB: images that would take more than half of it "
        "stay on the disk, and are read ahead of training.",
        show_default="no limit",
        rich_help_panel=_READING,
    ),
]
Cache = Annotated[
    bool,
    typer.Option(
        "--cache",
        help="Keep images that stay on the disk decoded, in the folder for caches.",
        rich_help_panel=_READING,
    ),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave out rows and images that cannot be read, and name them.",
        rich_help_panel=_READING,
    ),
]

Report = Annotated[
    bool,
    typer.Option(
        "--report/--no-report",
        help="End with report.html, which shows how it went and what was learned.",
        rich_help_panel="The run",
    ),
]
Curves = Annotated[
    bool,
    typer.Option(
        "--curves/--no-curves",
        help="Draw loss and accuracy while training, where a terminal has room.",
        rich_help_panel="The run",
    ),
]


@contextmanager
def computing(
    engine_name: str | None, threads: int | None, precise: bool = False, tune: bool = False
) -> Iterator[None]:
    """Compute inside the ``with`` block as the user chose."""
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
    """Return the engine that `name` stands for, if it is one."""
    if name is None:
        return engine.name()
    with engine.using(name):
        return name


def reading(
    source: str, *, size: str | None = None, channels: int | None = None, **given: Any
) -> dict[str, Any]:
    """Return what was said of how to read `source`, as `data.load` takes it.

    Parameters
    ----------
    size, channels
        The options ``--size`` and ``--channels``, which stand for `shape` where a reader takes it.
    given
        The other options, named as `data.load` names them; None where they were not given.
    """
    from pellucid.data.registry import takes

    sides = None if size is None else sizes(size, "--size")
    given |= {"label": _column(given.get("label")), "skip_bad": given.get("skip_bad") or None}
    given["cache"] = given.get("cache") or None
    given["ignore"] = [_column(column) for column in given.get("ignore") or ()] or None
    if given.get("separator") in ("tab", "\\t"):
        given["separator"] = "\t"
    if takes(source, "shape"):
        given["shape"] = sides if sides is None or channels is None else (channels, *sides)
    else:
        given |= {"size": sides, "channels": channels}
    wanted = {name: value for name, value in given.items() if value is not None}
    for name in wanted:
        if not takes(source, name):
            raise PellucidError(f"'{source}' takes no --{name.replace('_', '-')}")
    return wanted


def with_modest_size(source: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return `options` with a size for a folder of large photos, if none was given."""
    from pellucid.data import images
    from pellucid.data.registry import takes

    if not takes(source, "size") or "size" in options:
        return options
    first = images.first_image(Path(source).expanduser())
    if first is None:
        return options
    with images.opened(first) as image:
        _, size = images.shape_of(image)
    if min(size) <= _LARGE:
        return options
    note(f"{source}: large images are brought to {_MODEST}×{_MODEST}; --size chooses another size")
    return options | {"size": (_MODEST, _MODEST)}


_LARGE = 128
_MODEST = 64


def sizes(text: str, option: str, count: int = 2) -> tuple[int, ...]:
    """Return the numbers of ``"28x28"``; one number alone stands for a square.

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


def _column(label: str | None) -> str | int | None:
    return int(label) if label is not None and label.lstrip("-").isdecimal() else label


def load_data(source: str, options: dict[str, Any]) -> "Splits":
    """Load `source`, and say what was left out, and how it was read where that was not certain."""
    from pellucid import data

    return noting(UserWarning, lambda: data.load(source, **options))


def noting(kind: type[Warning], action: Callable[[], T]) -> T:
    """Return what `action` returns, and print each warning of this kind as a note."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", kind)
        found = action()
    for message in dict.fromkeys(str(warning.message) for warning in heard):
        note(message)
    return found


def load_model(run: Path) -> "Layer":
    """Return the trained model in the folder of a run, or in a file."""
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
    """Return how the command is called here: by its name where that finds it, or by its path."""
    called = Path(sys.argv[0])
    found = shutil.which("pellucid")
    by_path = called.stem == "pellucid" and not (found and called.samefile(found))
    return str(called) if by_path else "pellucid"


def note(text: str) -> None:
    """Write a line to stderr that is no error."""
    print(text, file=sys.stderr)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; a column whose name begins with ">" is of numbers and set to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left")
    for row in rows:
        table.add_row(*row)
    # in a file there is room, where nobody has said how much
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    Console(width=200 if wide else None, highlight=False, markup=False).print(table)


def thousands(number: float) -> str:
    """Return a count as people write it.

    >>> thousands(1234567)
    '1,234,567'
    """
    return f"{number:,.0f}"
