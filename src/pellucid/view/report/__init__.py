"""The report on a training run: a self-contained HTML page, and its pictures as files."""

from __future__ import annotations

from pellucid.view.report.contents import Contents, Judged
from pellucid.view.report.frame import Report
from pellucid.view.report.page import report

__all__ = ["Contents", "Judged", "Report", "report"]
