"""The report for streams: one line of JSON per finding."""

from __future__ import annotations

from collections.abc import Iterator

from groundlint.engine.findings import KEYS
from groundlint.report.listing import AT_ONCE
from groundlint.report.report import Report
from groundlint.sanitize import plain_json


def render(report: Report) -> Iterator[str]:
    """Findings in order, each with the keys of the JSON report."""
    for part in report.findings.iter_slices(AT_ONCE):
        yield plain_json(part.select(KEYS).write_ndjson())
