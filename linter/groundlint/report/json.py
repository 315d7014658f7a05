"""The report for programs: one JSON object with a published schema."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from polars import DataFrame

from groundlint.engine.findings import KEYS
from groundlint.report.listing import AT_ONCE
from groundlint.report.report import Report
from groundlint.sanitize import plain_json

SCHEMA_VERSION = 1


def render(report: Report) -> Iterator[str]:
    """The whole report as JSON, findings in order."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "groundlint", "version": report.version},
        "target": report.target,
        "summary": report.summary.model_dump(),
    }
    yield plain_json(msgspec.json.encode(value).decode().removesuffix("}"))
    yield ',"findings":['
    for n, part in enumerate(report.findings.iter_slices(AT_ONCE)):
        listed = findings_json(part).removeprefix("[").removesuffix("]")
        yield plain_json(f",{listed}" if n else listed)
    yield "]"
    if report.evaluation is not None:
        yield plain_json(f',"evaluation":{report.evaluation.write_json()}')
    yield "}\n"


def findings_json(findings: DataFrame) -> str:
    """Findings as a JSON list of objects."""
    return findings.select(KEYS).write_json()
