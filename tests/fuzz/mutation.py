"""Changes of valid files: of their bytes, and of the plain data that they hold."""

import copy
import json
from random import Random
from typing import Any

EDGES = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
HUGE = (2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 10**30)
DIGITS, DEEP = "@digits@", "@deep@"
"""In a text that `as_json` or `as_toml` writes, a number of 5,000 digits, and 10,000 brackets."""

_JUNK: tuple[Any, ...] = (
    *(None, True, False, -1, *EDGES, *HUGE, -(2**31), -(2**63), DIGITS, DEEP),
    *(0.5, -0.0, 1.5, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
    *("", "x", "0", "\x00", "ä\u2028", "x" * 1000, "same", "classes", "../x", "1e999"),
    *([], {}, [[]], [None], [0, 0], [[1, 2], [3, 4]], {"type": "ReLU"}, {"type": "Sequential"}),
    *({"type": "Shared", "path": "0"}, {"layers": []}, [{"type": "Linear"}]),
)


def junk(random: Random) -> Any:
    """Return a value that seldom belongs where it is put."""
    return copy.deepcopy(random.choice(_JUNK))


def mutated_plain(value: Any, random: Random) -> Any:
    """Return plain data (tables, lists, numbers, text) with one to four changes."""
    root = [copy.deepcopy(value)]
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        places = _places(root)
        holder, key = random.choice(places)
        action = random.randrange(8)
        if action < 3:
            holder[key] = junk(random)
        elif action == 3 and holder is not root:
            del holder[key]
        elif action == 4:
            other, place = random.choice(places)
            holder[key] = copy.deepcopy(other[place])
        elif action == 5 and isinstance(holder, dict):
            holder[random.choice(("type", "name", "layers", "x", str(key) * 2))] = holder[key]
        elif action == 6:
            holder[key] = [holder[key]] * random.choice((1, 2, 3))
        else:
            holder[key] = _near(holder[key], random)
    return root[0]


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = range(len(value)) if isinstance(value, list) else list(value)
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += _places(value[key])
    return found


def _near(value: Any, random: Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return random.choice((value + 1, value - 1, -value, value * 2, value / 2, value * 1000))
    if isinstance(value, str):
        return mutated(value.encode(), random).decode("utf-8", "replace")
    return junk(random)


def as_json(value: Any) -> str:
    """Return JSON, as Python writes and reads it: with NaN and infinity."""
    return _without_marks(json.dumps(value))


def as_toml(value: Any) -> str:
    """Return an inline value of TOML."""
    if isinstance(value, dict):
        entries = (f"{json.dumps(str(key))} = {_inline(item)}" for key, item in value.items())
        return "{ " + ", ".join(entries) + " }"
    return _inline(value)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return as_toml(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return _without_marks(json.dumps(value))


def _without_marks(text: str) -> str:
    return text.replace(f'"{DIGITS}"', "9" * 5000).replace(f'"{DEEP}"', "[" * 10_000)


def mutated(content: bytes, random: Random) -> bytes:
    """Return bytes with one to eight changes."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 2, 4, 8))):
        _change(data, random)
    return bytes(data)


def _change(data: bytearray, random: Random) -> None:
    at, length = random.randrange(len(data) + 1), random.choice((1, 2, 4, 8, 16, 64))
    action = random.randrange(9)
    if action == 0 and data:
        data[at % len(data)] ^= 1 << random.randrange(8)
    elif action == 1 and data:
        data[at % len(data)] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    elif action == 2:
        size = random.choice((2, 4, 8))
        number = random.choice(EDGES + HUGE) % 256**size
        data[at : at + size] = number.to_bytes(size, random.choice(("little", "big")))
    elif action == 3:
        del data[at : at + length]
    elif action == 4:
        data[at:at] = data[at : at + length]
    elif action == 5:
        data[at:at] = random.randbytes(length)
    elif action == 6:
        del data[at:]
    elif action == 7:
        data[at : at + length] = bytes(len(data[at : at + length]))
    else:
        start = random.randrange(len(data) + 1)
        data[at : at + length] = data[start : start + length]
