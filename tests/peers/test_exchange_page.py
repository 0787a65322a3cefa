"""The page on exchange with other programs: here all of it runs."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "exchange.md"
BLOCK = re.compile(r"^```python[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_runs_from_beginning_to_end(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    known: dict[str, object] = {}
    found = list(BLOCK.finditer(text))
    for block in found:
        line = text[: block.start("code")].count("\n")
        exec(compile("\n" * line + block["code"], str(PAGE), "exec"), known)
    assert len(found) > 3
    assert known["scores"].shape == (5, 10)
    assert known["ours"].output_shape((2, 3, 32, 32)) == (2, 10)
