"""The explorer: an interactive page that shows every number of a network, live."""

from __future__ import annotations

from pellucid.explorer.runs import Runs
from pellucid.explorer.session import Session
from pellucid.explorer.wire import Answer

__all__ = ["Answer", "Runs", "Session"]
