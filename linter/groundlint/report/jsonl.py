"""The report for streams: a line of JSON for each finding."""

from __future__ import annotations

from groundlint.report.json import COLUMNS
from groundlint.report.report import Report
from groundlint.sanitize import plain_json


def render(report: Report) -> str:
    """Findings in order, each with the keys of the JSON report."""
    return plain_json(report.findings.select(COLUMNS).write_ndjson())
