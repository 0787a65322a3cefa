"""The directive ``{source}``: the real lines of a function or class of the library, by its name."""

import importlib
import inspect
import textwrap
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from outside import REPOSITORY
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def find(name: str) -> Any:
    """Return what a dotted name stands for: a function, a class, or a method."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise LookupError(f"there is nothing called {name}")


def lines_of(thing: Any, docstring: bool = True) -> str:
    """Return its source, without the docstring if it is not wanted."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(thing)))
    if not docstring and (said := inspect.unwrap(thing).__doc__):
        start = source.index('"""')
        end = source.index('"""', start + 3) + 3
        assert said.strip()[:10] in source
        source = source[:start].rstrip() + source[end:]
    return source.rstrip()


class Source(SphinxDirective):
    required_arguments = 1
    option_spec: ClassVar = {"no-docstring": directives.flag}

    def run(self) -> list[nodes.Node]:
        thing = inspect.unwrap(find(self.arguments[0]))
        path = Path(inspect.getsourcefile(thing) or "").resolve()
        self.env.note_dependency(str(path))
        text = lines_of(thing, "no-docstring" not in self.options)
        code = nodes.literal_block(text, text, language="python")
        relative = path.relative_to(Path(self.env.srcdir).parent)
        line = inspect.getsourcelines(thing)[1]
        link = nodes.reference("", str(relative), refuri=f"{REPOSITORY}/{relative}#L{line}")
        caption = nodes.caption("", "", link)
        return [
            nodes.container(
                "", caption, code, literal_block=True, classes=["literal-block-wrapper"]
            )
        ]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("source", Source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
