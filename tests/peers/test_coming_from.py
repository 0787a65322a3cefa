"""The other side of the pages for those who come from Keras or PyTorch runs as it is written."""

import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
THEIRS = re.compile(r"^```python no-run\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["keras", "pytorch"])
@pytest.mark.filterwarnings("default")
def test_their_side_of_the_page_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (PAGES / f"coming-from-{name}.md").read_text(encoding="utf-8")
    known: dict[str, object] = {}
    found = THEIRS.findall(page)
    assert len(found) >= 4
    for code in found:
        exec(compile(code, f"coming-from-{name}.md", "exec"), known)
    assert "probabilities" in known
