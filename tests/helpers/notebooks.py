"""A notebook that is run, cell by cell, in a kernel of its own."""

import nbclient
import nbformat


def run_notebook(*cells):
    """Run the cells and return the outputs of each."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, timeout=600, kernel_name="python3").execute()
    return [cell.outputs for cell in book.cells]
