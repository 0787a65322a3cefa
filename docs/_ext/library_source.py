"""The directive ``{source}``: the real lines of a function or class of the library, by its name."""

import inspect
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from outside import REPOSITORY
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from pellucid.teach.sources import find, lines_of


class Source(SphinxDirective):
    required_arguments = 1
    option_spec: ClassVar = {"no-docstring": directives.flag}

    def run(self) -> list[nodes.Node]:
        thing = find(self.arguments[0])
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
