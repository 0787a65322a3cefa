"""Links that lead out of the documentation, to the repository's files, lead to them on GitHub."""

import re
from pathlib import Path

from sphinx.application import Sphinx

REPOSITORY = "https://github.com/pellucid-cnn/pellucid/blob/main"
LINK = re.compile(r"(?<!!)\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")


def lead_out(app: Sphinx, page: str, source: list[str]) -> None:
    docs = Path(app.srcdir)
    folder = (docs / page).parent

    def address(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        if target.is_relative_to(docs):
            return match[0]
        if not target.exists():
            raise FileNotFoundError(f"{page}: the link {match[1]} leads nowhere")
        return f"]({REPOSITORY}/{target.relative_to(docs.parent)}{match[2] or ''})"

    source[0] = LINK.sub(address, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", lead_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
