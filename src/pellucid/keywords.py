"""Read keyword arguments from text, such as an option of the command."""

import ast
from typing import Any


def parse(text: str) -> dict[str, Any]:
    """Return the arguments that `text` writes as in Python.

    >>> parse("width=1.5, hidden=(8, 4)")
    {'width': 1.5, 'hidden': (8, 4)}

    Raises
    ------
    ValueError
        The text is anything else.
    """
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if isinstance(call, ast.Call) and not call.args:
            found = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
            if None not in found and len(found) == len(call.keywords):  # no ** and none twice
                return {str(name): value for name, value in found.items()}
    except (SyntaxError, TypeError, RecursionError, MemoryError):
        pass
    raise ValueError(text)
