"""The directive ``{exercise}``: what an exercise asks for, and how the answer is checked."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from pellucid.teach import find


class ExerciseBox(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        exercise = find(self.arguments[0])
        box = nodes.admonition(classes=["admonition-exercise"])
        box += nodes.title("", f"Exercise: {exercise.title}")
        stub = exercise.stub().rstrip()
        check = f"{stub}\n\nteach.check.{exercise.name}({exercise.name})"
        box += nodes.literal_block(check, check, language="python")
        return [box]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("exercise", ExerciseBox)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
