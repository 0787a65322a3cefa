"""Run a notebook, cell by cell, in its own kernel."""

from html import escape

import nbclient
import nbformat


def run_notebook(*cells):
    """Run the cells and return the outputs of each."""
    return [cell.outputs for cell in ran(*cells).cells]


def ran(*cells):
    """Return an executed notebook of these cells."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, timeout=600, kernel_name="python3").execute()
    return book


def as_html(book):
    """Return HTML that shows each cell's outputs in their richest form, as a notebook does."""
    return "\n".join(
        f'<pre>{escape(cell.source)}</pre><div class="output">{_shown(cell.outputs)}</div>'
        for cell in book.cells
    )


def _shown(outputs):
    return "\n".join(_one(output.get("data", {})) for output in outputs)


def _one(data):
    if "text/html" in data:
        return data["text/html"]
    if "image/png" in data:
        return f'<img src="data:image/png;base64,{data["image/png"].strip()}">'
    return f"<pre>{escape(data.get('text/plain', ''))}</pre>"
