"""Run the command in a terminal of a given size, as on a user's screen."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyte

COMMAND = [sys.executable, "-m", "pellucid"]


class Screen:
    """The output of a program in a terminal with the given numbers of lines and columns."""

    def __init__(self, arguments: list[str], lines: int, columns: int, **environment: str) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        settings = {
            k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        process = subprocess.Popen(
            arguments,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**settings, "TERM": "xterm-256color", **environment},
            close_fds=True,
        )
        os.close(theirs)
        self.raw = b"".join(iter(lambda: _read(ours), b""))
        self.status = process.wait()
        os.close(ours)
        shown = pyte.HistoryScreen(columns, lines, history=5000)
        stream = pyte.Stream(shown)
        stream.feed(self.raw.decode(environment.get("PYTHONIOENCODING", "utf-8")))
        self.last = [line.rstrip() for line in shown.display]
        before = ["".join(line[i].data for i in range(columns)) for line in shown.history.top]
        self.lines = [line.rstrip() for line in before] + self.last

    @property
    def text(self) -> str:
        """Everything that has been on the screen, line by line."""
        return "\n".join(self.lines)


def command(*arguments: object) -> list[str]:
    """Return the command line that runs the command with these arguments."""
    return [*COMMAND, *map(str, arguments)]


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the program has ended
        return b""


def after_tab(shell: str, words: str, folder: Path, seconds: float = 30.0) -> str:
    """Type `words` and Tab into an interactive shell, and return what is on the screen then."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [shell, "-i"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, start_new_session=True,
        env={**os.environ, "TERM": "xterm", "HOME": str(folder), "PATH": _with_command()},
    )  # fmt: skip
    os.close(theirs)
    shown = pyte.Screen(80, 24)
    stream = pyte.Stream(shown)
    began, typed, before = time.monotonic(), False, ""
    while time.monotonic() - began < seconds:
        if select.select([ours], [], [], 1.0)[0]:
            stream.feed(_read(ours).decode("utf-8", "replace"))
            continue
        text = "\n".join(line.rstrip() for line in shown.display).rstrip()
        if not typed and text:  # the prompt is there
            typed, before = True, text
            os.write(ours, words.encode() + b"\t")
        elif typed and text not in (before, before + words, f"{before} {words}".rstrip()):
            break
    process.kill()
    process.wait()
    os.close(ours)
    return "\n".join(line.rstrip() for line in shown.display)


def _with_command() -> str:
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def bash(script: str, folder: Path) -> str:
    """Run a script in bash, and return its output."""
    run = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": _with_command()},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout
