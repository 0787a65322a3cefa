"""Typer commands with short help and one-line errors."""

import re
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from pellucid.errors import PellucidError


class Command(TyperCommand):
    """A command whose help shows no types for flags and arguments."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_without_type(param) for param in super().get_params(ctx)]

    def get_short_help_str(self, limit: int = 200) -> str:
        """Return the first sentence of the help, which completion shows, uncut."""
        return super().get_short_help_str(max(limit, 200))


class Commands(TyperGroup):
    """The list of commands, whose help shows no types for flags."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_without_type(param) for param in super().get_params(ctx)]


def _without_type(param: Any) -> Any:
    if getattr(param, "is_flag", False) and param.metavar is None:
        param.metavar = ""
    if param.param_type_name == "argument" and hasattr(param, "display_type_rich"):
        param.display_type_rich = lambda ctx: None
    return param


def run(app: typer.Typer, arguments: list[str] | None) -> int:
    """Run the command, and return the exit status; a usage error is one line on stderr."""
    try:
        return app(arguments, prog_name="pellucid", standalone_mode=False) or 0
    except typer.Abort:
        return 1
    except Exception as error:
        if not hasattr(error, "format_message"):  # every usage error has this method
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
        else:
            raise UsageError(_as_line(error)) from error
        return int(getattr(error, "exit_code", 2))


class UsageError(PellucidError):
    """An invalid command line; the text is one line."""


def _as_line(error: Any) -> str:
    """Return a usage error in one line, with a pointer to the help."""
    text = " ".join(error.format_message().split()).rstrip(".")
    for pattern, replacement in _PLAINLY:
        text = re.sub(pattern, replacement, text)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "pellucid"
    joined = " " if text.endswith("?") else "; "
    return f"{text}{joined}`{command} -h` shows what there is"


_PLAINLY = (
    (r"Input should be a valid integer.*", "a whole number is expected"),
    (r"Input should be a valid number.*", "a number is expected"),
    (r"Input should be greater than or equal to (.*)", r"it is at least \1"),
    (r"Input should be less than or equal to (.*)", r"it is at most \1"),
    (r"'[^']*' is not a valid int\w*( range)?", "a whole number is expected"),
    (r"'[^']*' is not a valid float( range)?", "a number is expected"),
    (r"\.? ?\(?(Possible options|Did you mean):? ([^,)?]*)[^)?]*\)?\??$", r"; did you mean \2?"),
)
"""Patterns of messages from different versions of Typer, and their replacements."""
