"""HTML from templates that escape every inserted value."""

from __future__ import annotations

import string
from collections.abc import Iterable
from html import escape
from typing import Any


class Html(str):
    """Text that is HTML already; any other text is escaped when inserted into a template."""

    __slots__ = ()


class _Escaping(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        text = super().format_field(value, format_spec)
        return text if isinstance(value, Html) else escape(text)


def html(template: str, /, **values: Any) -> Html:
    """Format `template` as `str.format` does, with escaped values.

    >>> html("<p>{text}, {share:.0%}</p>", text="cats & <b>", share=0.5)
    '<p>cats &amp; &lt;b&gt;, 50%</p>'
    >>> html("<div>{inside}</div>", inside=html("<p>{n}</p>", n=1))
    '<div><p>1</p></div>'
    """
    return Html(_Escaping().vformat(template, (), values))


def joined(parts: Iterable[Html], between: str = "\n") -> Html:
    """Concatenate pieces of HTML.

    >>> joined([html("<i>{x}</i>", x=x) for x in "<3"], "")
    '<i>&lt;</i><i>3</i>'
    """
    return Html(between.join(parts))
