"""The process in which a submission runs: it writes a line for everything it finds out.

``python -m pellucid.teach.worker FILE RESULTS MEMORY [EXERCISE …]``. Lines are JSON: first the
names of the exercises that the file answers, then for each its name when it begins and its result.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from pellucid.teach.closed import close
from pellucid.teach.examine import examine
from pellucid.teach.exercises import EXERCISES


def main(path: Path, results: Path, memory: int, wanted: list[str]) -> None:
    """Check what the file at `path` answers, or of that what is wanted."""
    with results.open("a", encoding="utf-8") as file:

        def tell(**line: Any) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        cells = read(path)
        close(Path.cwd(), memory)
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            functions, error = written(cells, str(path))
            names = [name for name in EXERCISES if name in functions]
            tell(found=names, error=error)
            for name in names:
                if not wanted or name in wanted:
                    tell(begun=name)
                    result = examine(EXERCISES[name], functions[name])
                    tell(
                        exercise=name,
                        right=bool(result),
                        mistakes=list(result.names),
                        verdict=result.verdict,
                        text=str(result),
                    )


def read(path: Path) -> list[str]:
    """Return the code of a Python file or, cell by cell, of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return [text]
    cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    return [re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE) for source in sources]


def written(cells: list[str], name: str) -> tuple[dict[str, Callable[..., Any]], str]:
    """Run the code and return the functions that it defines, and the first error.

    In a notebook the other cells are run all the same.
    """
    module = ModuleType("submission")
    sys.modules["submission"] = module
    first = ""
    for cell in cells:
        try:
            exec(compile(cell, name, "exec"), module.__dict__)
        except (Exception, SystemExit) as error:
            first = first or f"{type(error).__name__}: {error}"
    return {name: value for name, value in vars(module).items() if callable(value)}, first


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
