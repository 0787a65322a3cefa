"""Replace characters that a terminal's encoding lacks, instead of raising an error."""

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
"""Characters in our output, and their replacements in ASCII."""


def use_its_encoding() -> None:
    """Make the output replace characters that the terminal's encoding lacks."""
    codecs.register_error("pellucid", _written_plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="pellucid")


def _written_plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign, "?") for sign in missing), error.end
