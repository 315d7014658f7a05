"""The report for streams: one line of JSON per finding."""

from __future__ import annotations

from groundlint.engine.findings import KEYS
from groundlint.report.report import Report
from groundlint.sanitize import plain_json


def render(report: Report) -> str:
    """Findings in order, each with the keys of the JSON report."""
    return plain_json(report.findings.select(KEYS).write_ndjson())
