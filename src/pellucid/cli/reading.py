"""The options for reading data, shared by all commands that take data."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from pellucid.cli import common, completion
from pellucid.errors import PellucidError

if TYPE_CHECKING:
    from pellucid.data import Splits

Function = TypeVar("Function", bound=Callable[..., None])

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A data set's name, or a folder, CSV or NPZ file.",
        autocompletion=completion.data_sets,
    ),
]


def _option(*names: str, metavar: str, text: str, unless: str, **limits: Any) -> Any:
    """Return an option for reading data; `unless` is the default as shown in the help."""
    return typer.Option(
        *names,
        metavar=metavar,
        help=text,
        show_default=unless or False,
        rich_help_panel="How files and folders are read",
        **limits,
    )


_OPTIONS: dict[str, Any] = {
    "size": Annotated[
        str | None,
        _option(
            metavar="HxW",
            text="Folders: the size to which images are scaled. CSV: the size of an image.",
            unless="",
        ),
    ],
    "channels": Annotated[
        int | None,
        _option(metavar="N", text="1 for grey, 3 for colour.", unless="as they are", min=1),
    ],
    "folders": Annotated[
        str | None,
        _option(
            "--folders",
            metavar="HOW",
            text="Folders: what the folders inside are: classes (all images below belong to them), "
            "parts (train, validation, test), or nested (the folder that holds an image names its "
            "class).",
            unless="detected",
        ),
    ],
    "label": Annotated[
        str | None,
        _option(
            metavar="COLUMN",
            text="CSV, Parquet: the column of the class, by name or, in CSV, by number from 0.",
            unless="detected",
        ),
    ],
    "header": Annotated[
        bool | None,
        _option(
            "--header/--no-header",
            metavar="",
            text="CSV: whether the first line holds names.",
            unless="detected",
        ),
    ],
    "separator": Annotated[
        str | None,
        _option(
            metavar="CHARACTER",
            text="CSV: the character between two values; 'tab' for a tab.",
            unless="detected",
        ),
    ],
    "ignore": Annotated[
        list[str] | None,
        _option(
            metavar="COLUMN",
            text="CSV: a column that is neither the class nor a pixel, by name or number from 0; "
            "may be given several times.",
            unless="",
        ),
    ],
    "channels_last": Annotated[
        bool | None,
        _option(
            "--channels-last/--channels-first",
            metavar="",
            text="CSV, NPZ: order of the values: channels last (RGB, RGB) or first (RR, GG, BB).",
            unless="detected",
        ),
    ],
    "labels": Annotated[
        str | None,
        _option(
            metavar="KIND",
            text="CIFAR-100: fine, its 100 classes, or coarse, the 20 superclasses.",
            unless="fine",
        ),
    ],
    "variant": Annotated[
        str | None,
        _option(
            metavar="NAME",
            text="EMNIST: the variant, such as letters, if a folder has several.",
            unless="",
        ),
    ],
    "image": Annotated[
        str | None,
        _option(
            "--image",
            metavar="COLUMN",
            text="Parquet: the column of the images.",
            unless="image",
        ),
    ],
    "memory": Annotated[
        str | None,
        _option(
            metavar="SIZE",
            text="The memory to plan with, such as 2GB: images that would take more than half of "
            "it stay on the disk, and are read ahead of training.",
            unless="no limit",
        ),
    ],
    "cache": Annotated[
        bool,
        _option(
            "--cache",
            metavar="",
            text="Cache decoded images on the disk.",
            unless="",
        ),
    ],
    "skip_bad": Annotated[
        bool,
        _option(
            "--skip-bad",
            metavar="",
            text="Skip rows and images that cannot be read, and list them.",
            unless="",
        ),
    ],
}
"""The options by their names in `data.load`; size and channels may form its `shape`."""


def takes_reading(*but: str) -> Callable[[Function], Function]:
    """Add the options for reading data to a command, which gets them as the dict `given`.

    Parameters
    ----------
    but
        Options to leave out.
    """
    options = {name: kind for name, kind in _OPTIONS.items() if name not in but}

    def with_options(function: Function) -> Function:
        signature = inspect.signature(function, eval_str=True)
        own = [p for name, p in signature.parameters.items() if name != "given"]
        more = [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=False if kind.__origin__ is bool else None,
                annotation=kind,
            )
            for name, kind in options.items()
        ]

        @functools.wraps(function)
        def command(*positional: Any, **named: Any) -> None:
            given = {name: named.pop(name) for name in options if name in named}
            function(*positional, **named, given=given)

        command.__signature__ = signature.replace(parameters=own + more)  # type: ignore[attr-defined]  # what Typer reads
        command.__annotations__ = {p.name: p.annotation for p in own + more}
        return command  # type: ignore[return-value]  # with other options

    return with_options


def options(source: str, given: dict[str, Any]) -> dict[str, Any]:
    """Convert the options of the command to arguments of `data.load`.

    Parameters
    ----------
    source
        Name or path of the data.
    given
        Options as the command got them; None, False or () if they were not given.
    """
    from pellucid.data.registry import takes

    given = dict(given)
    size, channels = given.pop("size", None), given.pop("channels", None)
    sides = None if size is None else common.sizes(size, "--size")
    given["label"] = _column(given.get("label"))
    given["ignore"] = [_column(column) for column in given.get("ignore") or ()] or None
    if given.get("separator") in ("tab", "\\t"):
        given["separator"] = "\t"
    if takes(source, "shape"):
        given["shape"] = sides if sides is None or channels is None else (channels, *sides)
    else:
        given |= {"size": sides, "channels": channels}
    wanted = {n: value for n, value in given.items() if value is not None and value is not False}
    wanted |= {n: False for n in ("header", "channels_last") if given.get(n) is False}
    for name in wanted:
        if not takes(source, name):
            raise PellucidError(f"'{source}' takes no --{name.replace('_', '-')}")
    return wanted


def _column(label: str | None) -> str | int | None:
    return int(label) if label is not None and label.lstrip("-").isdecimal() else label


def with_modest_size(source: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return `options` with a moderate size for a folder of large photos if none was given."""
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
    common.note(
        f"{source}: large images are scaled to {_MODEST}×{_MODEST}; --size chooses another size"
    )
    return options | {"size": (_MODEST, _MODEST)}


_LARGE = 128
_MODEST = 64


def load_data(source: str, options: dict[str, Any]) -> "Splits":
    """Load `source`, and print notes about skipped data and about assumptions."""
    from pellucid import data

    return common.noting(UserWarning, lambda: data.load(source, **options))
