"""``pellucid learn``: the guide's exercises and their checks in a terminal."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import common
from pellucid.cli.command import Command, Commands

if TYPE_CHECKING:
    from pellucid.teach.submission import Row

learn_app = typer.Typer(cls=Commands, invoke_without_command=True, rich_markup_mode="rich")


@learn_app.callback()
def learn(context: typer.Context) -> None:
    """List the guide's chapters, their exercises, and which of them you have solved.

    Try: [bold]pellucid learn start my-cnn[/bold], and then
    [bold]pellucid learn check my-cnn/exercises/04a_relu.py[/bold]
    """
    if context.invoked_subcommand:
        return
    from pellucid.teach import EXERCISES
    from pellucid.teach.notebooks import chapters
    from pellucid.teach.progress import solved

    done = solved() & EXERCISES.keys()
    rows, left = [], chapters()
    for e in EXERCISES.values():
        state = "solved" if e.name in done else ""
        rows.append((left.pop(e.chapter, ""), e.name, e.title, state))
    common.print_table(["chapter", "exercise", "what it is about", ""], rows)
    print(f"\n{len(done)} of {len(rows)} are solved.")


@learn_app.command(cls=Command)
def start(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder to write it to; it may exist.")
    ] = Path("my-cnn"),
    browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open JupyterLab, where it is installed.")
    ] = True,
) -> None:
    """Put the guide's notebooks, the exercises, and a mycnn.py to be written into a folder.

    Files that are there already are left as they are.
    """
    from pellucid.teach.lay import lay

    new = lay(folder)
    print(f"{len(new)} files are new in {folder}.")
    print(f"Begin with {folder / 'exercises'}, and check with: {common.program()} learn check FILE")
    if browser and sys.stdout.isatty() and (lab := shutil.which("jupyter-lab")):
        subprocess.run([lab, str(folder)], check=False)


@learn_app.command(cls=Command)
def check(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|FOLDER", help="A .py file or notebook, or a folder of submissions."
        ),
    ],
    table: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a table there too.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(metavar="N", min=0.1, help="How long each exercise may take.")
    ] = 60.0,
    memory: Annotated[
        int, typer.Option(metavar="MB", min=256, help="How much memory a file may use.")
    ] = 4096,
) -> None:
    """Check the exercises in a file, or in every file of a folder.

    A function is checked if it has the name of an exercise. Each file runs in a process of its own
    without network. The exit status is 1 unless everything is right.
    """
    from pellucid.teach.progress import note_solved
    from pellucid.teach.submission import examine_file, submissions

    files = submissions(path)
    rows = [row for file in files for row in examine_file(file, seconds=seconds, memory=memory)]
    if path.is_file():
        print("\n\n".join(row.text for row in rows))
        note_solved(row.exercise for row in rows if row.right)
    else:
        _print_table(path, rows)
    if table is not None:
        _write(table, rows)
    if not all(row.right for row in rows):
        raise typer.Exit(1)


def _print_table(folder: Path, rows: "list[Row]") -> None:
    shown = [
        (
            str(Path(row.file).relative_to(folder)),
            row.exercise,
            "right" if row.right else "",
            ", ".join(row.mistakes) or ("" if row.right else row.verdict),
        )
        for row in rows
    ]
    common.print_table(["file", "exercise", "", "mistake"], shown)


def _write(path: Path, rows: "list[Row]") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "exercise", "right", "mistakes", "verdict"])
        writer.writerows(
            (r.file, r.exercise, int(r.right), " ".join(r.mistakes), r.verdict) for r in rows
        )
