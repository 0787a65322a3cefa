"""What applies when a user gives no value: the defaults are those that are documented."""

import ast
import inspect
import re
from pathlib import Path

from public_names import public

KEPT = Path(__file__).with_name("defaults.txt")
"""One line for each public function and class: a changed default is a decision, not an accident."""


PUBLIC = public()


def defaults(function):
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some classes of Python's have none
        return {}
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def documented(function):
    """Yield each parameter whose description ends with a default that Python can read."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(\n\n\S+\n---|\Z)", text, re.S | re.M)
    described = re.findall(r"^(\w[^\n]*)\n((?:    .*\n?|\n)+)", section[1] if section else "", re.M)
    for names, description in described:
        said = re.search(r"Defaults?: ([^;]+?)\.?(?:;|\. [A-Z]|$)", " ".join(description.split()))
        try:
            value = ast.literal_eval(said[1].strip("`").replace(" each", "")) if said else ...
        except (SyntaxError, ValueError):
            continue  # words, such as "all"
        names = [name for name in re.split(r",\s*", names) if name.isidentifier()]
        if value is not ...:
            several = isinstance(value, tuple) and len(value) == len(names) > 1
            yield from zip(names, value if several else [value] * len(names), strict=True)


def test_the_documented_defaults_are_those_of_the_signatures():
    seen, wrong = 0, []
    for name, function in PUBLIC.items():
        own = defaults(function)
        for parameter, said in documented(function):
            if parameter in own:
                seen += 1
                if own[parameter] != said:
                    wrong.append(f"{name}: {parameter}={own[parameter]!r}, documented: {said!r}")
    assert not wrong, "\n".join(wrong)
    assert seen > 120


def written(name, function):
    return f"{name}: " + ", ".join(f"{k}={v!r}" for k, v in defaults(function).items())


def simple(value):
    return value is None or isinstance(value, bool | int | float | str | tuple)


LINES = {
    name: written(name, function)
    for name, function in sorted(PUBLIC.items())
    if defaults(function) and all(map(simple, defaults(function).values()))
}


def test_no_default_changes_by_accident():
    kept = KEPT.read_text(encoding="utf-8").splitlines()
    now = list(LINES.values())
    assert now == kept, (
        f"if this is intended, write it into {KEPT.name} and the changelog:\n"
        + "\n".join(f"- {line}" for line in kept if line not in now)
        + "\n".join(f"\n+ {line}" for line in now if line not in kept)
    )


if __name__ == "__main__":  # write the table anew
    KEPT.write_text("\n".join(LINES.values()) + "\n", encoding="utf-8")
