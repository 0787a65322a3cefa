"""A terminal's encoding: what it cannot show is written with other signs, never an error."""

import codecs
import sys
from io import TextIOWrapper

_PLAIN = {
    "×": "x",
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "·": "-",
    "≥": ">=",
    "≤": "<=",
    "→": "->",
    "⋆": "*",
    "∗": "*",
    "⊙": "*",
    "±": "+-",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "²": "2",
    "⁻": "-",
    "°": " degrees",
    "λ": "lambda",
    "ε": "epsilon",
    "μ": "mu",
    "∂": "d",
    "Σ": "sum",
    "√": "sqrt",
    "∞": "inf",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "─": "-",
    "│": "|",
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼", "+"),
    **dict.fromkeys("▁▂▃▄▅▆▇█", "#"),
}
"""Signs that we use, and how they are written in letters that every encoding has."""


def use_its_encoding() -> None:
    """Have the output write what the terminal's encoding lacks with other signs."""
    codecs.register_error("pellucid", _written_plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="pellucid")


def _written_plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign, "?") for sign in missing), error.end
