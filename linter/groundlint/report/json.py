"""The report for programs: one JSON object with a published schema."""

from __future__ import annotations

import msgspec
from polars import DataFrame

from groundlint.engine.findings import KEYS
from groundlint.report.report import Report
from groundlint.sanitize import plain_json

SCHEMA_VERSION = 1


def render(report: Report) -> str:
    """The whole report as JSON, findings in order."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "groundlint", "version": report.version},
        "target": report.target,
        "summary": report.summary.model_dump(),
        "findings": msgspec.Raw(findings_json(report.findings).encode()),
    }
    if report.evaluation is not None:
        value["evaluation"] = msgspec.Raw(report.evaluation.write_json().encode())
    return plain_json(msgspec.json.encode(value).decode()) + "\n"


def findings_json(findings: DataFrame) -> str:
    """Findings as a JSON list of objects."""
    return findings.select(KEYS).write_json()
