"""Tab completion of arguments and option values: data sets, models, runs, layers.

Each function takes the beginning of a word and returns the possible completions. If there are none,
the shell completes file names.
"""

from collections.abc import Iterable
from pathlib import Path

import typer
from typer import _completion_shared as shells

_ZSH = """
#compdef %(prog_name)s

%(complete_func)s() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" %(autocomplete_var)s=complete_zsh %(prog_name)s)
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  %(complete_func)s "$@"
else
  compdef %(complete_func)s %(prog_name)s
fi
"""  # noqa: E501, a line of the shell
"""As Typer's script, but completes at the first Tab too, when zsh loads it from a folder."""


def improve_zsh() -> None:
    """Let Typer install and show this script for zsh."""
    scripts = getattr(shells, "_completion_scripts", {})
    if "zsh" in scripts:
        scripts["zsh"] = _ZSH


def data_sets(incomplete: str) -> list[str]:
    """Return the names of data sets."""
    from pellucid import data

    return _beginning(incomplete, data.names())


def models(incomplete: str) -> list[str]:
    """Return the names of networks, and runs to start from."""
    from pellucid import models

    return _beginning(incomplete, models.names()) + runs(incomplete)


def runs(incomplete: str) -> list[str]:
    """Return the folders of runs in ``runs`` and in the folder typed so far."""
    from pellucid.cli import folders

    typed = Path(incomplete)
    above = [folders.RUNS, typed if incomplete.endswith("/") else typed.parent]
    found = (path for folder in dict.fromkeys(above) for path in _inside(folder))
    return _beginning(incomplete, (str(p) for p in found if (p / folders.CONFIG).is_file()))


def optimizers(incomplete: str) -> list[str]:
    """Return the names of optimisers."""
    from pellucid.cli.recipes import RATES

    return _beginning(incomplete, RATES)


def schedules(incomplete: str) -> list[str]:
    """Return the names of schedules."""
    return _beginning(
        incomplete, ("constant", "step", "exponential", "linear", "cosine", "onecycle")
    )


def engines(incomplete: str) -> list[str]:
    """Return the names of engines."""
    from pellucid import engine

    return _beginning(incomplete, engine.NAMES)


def drawings(incomplete: str) -> list[str]:
    """Return the names of drawings."""
    from pellucid.view import draw

    return _beginning(incomplete, (drawing.name for drawing in draw.DRAWINGS))


def layers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the paths of the layers of the run given earlier on the command line."""
    from pellucid.cli.common import load_model
    from pellucid.errors import PellucidError

    run = ctx.params.get("run") or next(iter(ctx.args), None)
    try:
        model = load_model(Path(run)) if run else None
    except (PellucidError, OSError):
        return []
    paths = [] if model is None else [path for path, _ in model.walk() if path]
    return _beginning(incomplete, paths)


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
