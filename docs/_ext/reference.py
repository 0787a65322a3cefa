"""Make the pages of the reference from the library itself, before Sphinx reads pages."""

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from sphinx.application import Sphinx
from typer.main import get_command

MODULES = {
    "pellucid": "the front door",
    "pellucid.layers": "layers and what joins them",
    "pellucid.models": "networks by name",
    "pellucid.losses": "losses",
    "pellucid.optim": "optimisers and schedules",
    "pellucid.parallel": "training by several processes",
    "pellucid.data": "data sets",
    "pellucid.data.augment": "augmentation",
    "pellucid.training": "the loop, checkpoints, history",
    "pellucid.evaluation": "predictions and metrics",
    "pellucid.explain": "what happens inside a network",
    "pellucid.view": "pictures of networks and results",
    "pellucid.view.draw": "pictures that explain the mathematics",
    "pellucid.teach": "exercises and their checks",
    "pellucid.estimator": "networks for scikit-learn",
    "pellucid.interchange": "exchange",
    "pellucid.interchange.onnx": "ONNX",
    "pellucid.interchange.torch": "PyTorch",
    "pellucid.interchange.keras": "Keras",
    "pellucid.interchange.compare": "side by side with other frameworks",
    "pellucid.ops": "the mathematics: checked operations and their gradients",
    "pellucid.engine": "which engine computes",
    "pellucid.execution": "how networks are made to run fast",
    "pellucid.errors": "what can go wrong",
    "pellucid.testing.gradients": "checking gradients by differences",
    "pellucid.testing.adjoint": "checking gradients by adjoints",
}


def public(module: ModuleType) -> list[str]:
    """Return the names that a module offers, those of modules not among them."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and not isinstance(value, ModuleType)
            and f"{getattr(value, '__module__', '')}.".startswith(f"{module.__name__}.")
        ]
    return [name for name in names if not isinstance(getattr(module, name), ModuleType)]


def api_page() -> str:
    """Return the page that leads to the modules."""
    rows = "\n".join(f"| [{name}]({name}.rst) | {about} |" for name, about in MODULES.items())
    tree = "\n".join(MODULES)
    return f"""# API

| module | what is in it |
| --- | --- |
{rows}

```{{toctree}}
:hidden:

{tree}
```
"""


def module_page(name: str) -> str:
    """Return the page of a module: its docstring, a table, and each name."""
    module = importlib.import_module(name)
    names = public(module)
    table = "\n".join(f"   {n}" for n in names)
    entries = "\n\n".join(_entry(name, n, getattr(module, n)) for n in names)
    return f"""{name}
{"=" * len(name)}

.. automodule:: {name}
   :no-members:

.. autosummary::
   :nosignatures:

{table}

{entries}
"""


def _entry(module: str, name: str, value: Any) -> str:
    """Return what a page says of a name: what it is or, if another page says so, where that is."""
    if (home := _home(value)) not in (None, module):
        return f".. py:data:: {name}\n\n   The same as :py:obj:`{home}.{name}`."
    if inspect.isclass(value):
        return f".. autoclass:: {module}.{name}\n   :members:"
    if callable(value):
        return f".. autofunction:: {module}.{name}"
    return f".. autodata:: {module}.{name}\n   :no-value:"


def _home(value: Any) -> str | None:
    """Return the module whose page describes a class or function; the nearest to its file."""
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return None
    offering = [name for name in MODULES if value in vars(importlib.import_module(name)).values()]
    near = [name for name in offering if f"{value.__module__}.".startswith(f"{name}.")]
    return max(near or offering, key=len)


def skip(app: Sphinx, what: str, name: str, value: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out what scikit-learn adds to its estimators."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def mark_formula(
    app: Sphinx, what: str, name: str, value: Any, options: Any, said: list[str]
) -> None:
    """Mark the formula that follows a docstring's first line, which numpydoc would unindent."""
    for i, line in enumerate(said):
        if not line.strip():
            return
        if line.rstrip().endswith("::"):
            text = line.rstrip()[:-2].rstrip()
            said[i : i + 1] = [
                text if text.endswith(".") else f"{text}:",
                "",
                ".. code-block:: text",
            ]
            return


def command_page() -> str:
    """Return the page of all commands, with what they take."""
    from pellucid.cli.app import app

    group: Any = get_command(app)
    parts = ["# Commands\n\nThis page is made from the commands themselves.\n"]
    for name, command in group.commands.items():
        parts.append(_command(f"pellucid {name}", command))
        for inner, sub in getattr(command, "commands", {}).items():
            parts.append(_command(f"pellucid {name} {inner}", sub))
    return "\n".join(parts)


def _command(name: str, command: click.Command) -> str:
    said = (command.help or "").replace("[bold]", "`").replace("[/bold]", "`")
    shown = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    words = [_usage(p) for p in shown if p.param_type_name == "argument"]
    rows = [f"| {_name(p)} | {_about(p)} |" for p in shown]
    table = "\n".join(["| option | what it says |", "| --- | --- |", *rows]) if rows else ""
    return (
        f"\n## {name}\n\n```sh\n{' '.join([name, *words, '[OPTIONS]'])}\n```\n\n{said}\n\n{table}\n"
    )


def _usage(argument: click.Parameter) -> str:
    metavar = argument.metavar or str(argument.name).upper()
    return metavar if argument.required else f"[{metavar}]"


def _name(parameter: click.Parameter) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or str(parameter.name).upper()}`".replace("|", "\\|")
    options = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
    metavar = getattr(parameter, "metavar", None)
    return options + (f" `{metavar}`".replace("|", "\\|") if metavar else "")


def _about(parameter: click.Parameter) -> str:
    said = (getattr(parameter, "help", "") or "").replace("[bold]", "`").replace("[/bold]", "`")
    shown = getattr(parameter, "show_default", None)
    default = shown if isinstance(shown, str) else parameter.default
    known = default is not None and default is not False and not callable(default)
    known = known and "UNSET" not in str(default).upper()
    return " ".join([said.replace("|", "\\|"), f"Default: {default}." if known else ""]).strip()


def write(app: Sphinx) -> None:
    folder = Path(app.srcdir, "reference", "made")
    folder.mkdir(exist_ok=True)
    pages = {f"{name}.rst": module_page(name) for name in MODULES}
    pages["commands.md"] = command_page()
    pages["api.md"] = api_page()
    for path in folder.iterdir():
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", mark_formula, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
