"""The explorer: a page on which one walks through a network, number by number, live."""

from __future__ import annotations

from pellucid.explorer.session import Answer, Session

__all__ = ["Answer", "Session"]
