"""The command `pellucid`: parse arguments, call the library, and show the results."""

import os
import sys

from pellucid.cli import speaking, terminal
from pellucid.errors import PellucidError, missing_extra

USER_ERROR = 2
"""Exit status for errors that the user can fix; Ctrl-C is 130 and SIGTERM 143, as in shells."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command with `arguments` (by default those of the process) and exit.

    An error that the user can fix is printed as one line on stderr, and the exit status is 2. With
    ``PELLUCID_DEBUG=1`` its traceback is shown.
    """
    terminal.use_its_encoding()
    speaking.hush()
    try:
        status = _run(sys.argv[1:] if arguments is None else arguments)
    except (PellucidError, OSError, MemoryError) as error:
        if os.environ.get("PELLUCID_DEBUG"):
            raise
        _complain(_as_line(error))
        status = USER_ERROR
    except Exception:
        speaking.tell_fault()
        raise
    sys.exit(speaking.leave(status))


def _run(arguments: list[str]) -> int:
    try:
        from pellucid.cli import command, processes
        from pellucid.cli.app import app
    except ModuleNotFoundError as error:
        raise missing_extra("the command", str(error.name)) from error
    try:
        return command.run(app, arguments)
    except processes.Several as wanted:
        return processes.start(wanted.count, arguments)


def _as_line(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}; a smaller --batch-size or --image-size needs less"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    message = str(error)
    for argument, option in _OPTIONS.items():
        message = message.replace(argument, option)
    return message


_OPTIONS = {
    "skip_bad=True": "--skip-bad",
    "size=": "--size ",
    "clip_norm in the optimiser": "--clip-norm",
}
"""Python arguments that occur in messages, and the corresponding options of the command."""


def _complain(line: str) -> None:
    """Write `line` to stderr, in red if that is a terminal with colour."""
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    print(f"\033[31mError: {line}\033[0m" if colour else f"Error: {line}", file=sys.stderr)
