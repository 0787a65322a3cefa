"""Pages become notebooks that Jupyter understands."""

import ast
import json
import re

import pytest

from pellucid.teach.notebooks import notebook, pages

PAGE = """---
kernelspec:
  name: python3
---

# Title

A link to [data](../data.md) and to [chapter 3](03-x.md).

:::{note}
Two
lines.
:::

```{code-cell} ipython3
---
mystnb:
  image:
    alt: words
---
x = 1
```

```{code-cell} ipython3
:tags: [remove-input]

y = 2
```

```{exercise} relu
```

```{source} pellucid.reference.activation.relu
:no-docstring:
```

```python
shown = "only"
```
"""


def cells(text, kind):
    return [c["source"] for c in json.loads(text)["cells"] if c["cell_type"] == kind]


def test_what_a_page_has_becomes_cells():
    code = cells(notebook(PAGE), "code")
    assert code[1:3] == ["x = 1", "y = 2"]
    assert code[3].startswith("def relu(x):")
    assert code[3].endswith("teach.check.relu(relu)")
    text = "\n".join(cells(notebook(PAGE), "markdown"))
    assert "> **Note:** Two\n> lines." in text
    assert "[data](https://pellucid-cnn.github.io/pellucid/data.html)" in text
    assert "[chapter 3](03-x.ipynb)" in text
    assert "def relu(x: Array) -> Array:" in text
    assert 'shown = "only"' in text
    assert "kernelspec" not in text


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_every_page_of_the_guide_becomes_a_whole_notebook(page):
    made = notebook(page.read_text(encoding="utf-8"))
    for source in cells(made, "code"):
        ast.parse(re.sub(r"^( *)%.*$", r"\1pass", source, flags=re.MULTILINE))
    text = "\n".join(cells(made, "markdown"))
    assert "{" + "code-cell}" not in text
    assert not re.search(r"^(```|:::)\{", text, re.MULTILINE)
    ids = [cell["id"] for cell in json.loads(made)["cells"]]
    assert len(set(ids)) == len(ids) >= 5


def test_there_are_fourteen_chapters():
    numbers = [int(page.stem[:2]) for page in pages() if page.stem[:2].isdecimal()]
    assert numbers == list(range(1, 15))
