"""The report for programs: one JSON object, whose schema is published."""

from __future__ import annotations

import msgspec
from polars import DataFrame

from groundlint.engine.findings import SCHEMA
from groundlint.report.report import Report
from groundlint.sanitize import plain_json

SCHEMA_VERSION = 1

COLUMNS = (*(name for name in SCHEMA if name != "of_data_set"), "fingerprint", "url")
"""Keys of a finding."""


def render(report: Report) -> str:
    """The whole report as JSON, findings in order."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "groundlint", "version": report.version},
        "target": report.target,
        "summary": report.summary,
        "findings": msgspec.Raw(findings_json(report.findings).encode()),
    }
    return plain_json(msgspec.json.encode(value).decode()) + "\n"


def findings_json(findings: DataFrame) -> str:
    """Findings as a JSON list of objects with the keys of `COLUMNS`."""
    return findings.select(COLUMNS).write_json()
