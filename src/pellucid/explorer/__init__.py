"""The explorer: a page on which one walks through a network, number by number, live."""

from __future__ import annotations

from pellucid.explorer.runs import Runs
from pellucid.explorer.session import Session
from pellucid.explorer.wire import Answer

__all__ = ["Answer", "Runs", "Session"]
