"""``pellucid data``: what is in a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import common, reading

if TYPE_CHECKING:
    from pellucid.data import DataSet


@reading.takes_reading("skip_bad")
def data(
    name: reading.Data,
    plot: Annotated[
        bool,
        typer.Option("--plot", help="Draw samples, means, balance, pixel values and outliers."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The file to write the picture to, .png or .svg.",
            show_default="NAME-data.png",
        ),
    ] = None,
    as_json: common.AsJson = False,
    as_csv: common.AsCsv = False,
    given: dict[str, Any] | None = None,
) -> None:
    """Show what is in a data set: images in each class, pixel values, and what may be wrong.

    DATA is digits, mnist, fashion-mnist, cifar-10, cifar-100, svhn, or a path:
    a folder with one folder of images for each class, a CSV or NPZ file, or
    another data set's files, which are recognised by their content.
    Rows and images that cannot be read are named.
    """
    from pellucid.data import describe

    options = reading.options(name, given or {})
    found = common.noting(UserWarning, lambda: describe(name, **options))
    if plot or out is not None:
        _draw(found.data.train, out)
    if as_json:
        common.print_json(found.described())
        return
    parts = [part for part in found.counts[0] if part != "class"]
    if as_csv:
        rows = ([row["class"], *(row[part] for part in parts)] for row in found.counts)
        common.print_csv(["class", *parts], rows)
        return
    print(found.title, end="\n\n")
    counts = (
        (str(r["class"]), *(common.thousands(r[part]) for part in parts)) for r in found.counts
    )
    common.print_table(["class", *(f">{part}" for part in parts)], counts)
    print("\nPixel values")
    common.print_table(
        ["part", ">channel", ">min", ">max", ">mean", ">std"],
        (
            (
                r["part"],
                str(r["channel"]),
                *(f"{r[key]:.5g}" for key in ("min", "max", "mean", "std")),
            )
            for r in found.pixels
        ),
    )
    print("\nPossible issues")
    common.print_table(
        ["", *(f">{r['part']}" for r in found.issues)],
        (
            (name, *(common.thousands(r[key]) for r in found.issues))
            for key, name in _ISSUES.items()
        ),
    )
    for line in found.skipped:
        print(f"\n{line}")


def _draw(data: "DataSet", out: Path | None) -> None:
    from pellucid import view
    from pellucid.data import find_outliers

    path = Path(f"{data.name}-data.png") if out is None else out
    drawn = view.data_set(
        data.images, data.labels, data.classes, outliers=find_outliers(data), title=repr(data)
    )
    common.note(f"Drawn: {view.save(drawn, path)}")


_ISSUES = {
    "constant": "images with one value in every pixel",
    "duplicates": "copies of an earlier image",
    "contradictory": "copies with different classes",
    "in_train": "images that also are in the training part",
    "empty_classes": "classes without images",
}
