"""Findings and reports for tests, made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from groundlint.engine.findings import COLUMNS
from groundlint.report.report import Presentation, Report
from groundlint.summary import Counts, Images, NoteEntry, Summary

URL = "https://example.org/rules/BOX101.md"
_SCHEMA = {
    **COLUMNS,
    "data_set": pl.Int32(),
    "pointer": pl.String(),
    "precision": pl.Float64(),
    "suggested_label": pl.String(),
    "typical_of": pl.String(),
}


def finding(**parts: Any) -> dict[str, Any]:
    """A finding; parts may be given."""
    return {
        "code": "BOX101",
        "name": "box-outside-image",
        "severity": "error",
        "message": "box 0 leaves the image",
        "manifest": "data/a.manifest",
        "line": 1,
        "attribute": "animals",
        "box": 0,
        "label": "cat",
        "source_ref": "s3://bucket/1.jpg",
        "image": None,
        "score": None,
        "typical": False,
        "aws": None,
        "loses": "box",
        "caused_by": None,
        "fix": None,
        "related": [],
        "fingerprint": "f",
        "url": URL,
        "pointer": None,
        "precision": 1.0,
        "suggested_label": None,
        "data_set": 0,
        "typical_of": None,
    } | parts


def on_manifest(**parts: Any) -> dict[str, Any]:
    """A finding on a whole manifest, about no image; parts may be given."""
    nothing = dict.fromkeys(("line", "attribute", "box", "label", "source_ref"))
    return finding(**{"code": "MAN102", "name": "too-many-invalid-lines", "loses": None, **nothing} | parts)


def frame(*findings: dict[str, Any]) -> pl.DataFrame:
    """Findings as a table, each with a fingerprint of its own unless it is given one."""
    rows = [
        row | {"fingerprint": row["fingerprint"] + str(n) * (row["fingerprint"] == "f")}
        for n, row in enumerate(findings)
    ]
    return pl.DataFrame(rows, schema=_SCHEMA)


def report(*findings: dict[str, Any], notes: tuple[str, ...] = (), **parts: Any) -> Report:
    """A report of findings."""
    levels = [row["severity"] for row in findings]
    summary = Summary(
        manifests=1,
        lines=len(findings),
        labels=0,
        boxes=len(findings),
        images=Images(total=1, found=None, unreadable=None),
        counts=Counts(**{level: levels.count(level) for level in ("error", "warning", "info")}),
        suppressed=0,
        baselined=0,
        skipped_rules=[],
        notes=[NoteEntry(kind="a-note", manifest=None, count=None, message=text) for text in notes],
    )
    return Report("1.2.3", "rekognition", summary, frame(*findings), **({"folder": "/repository"} | parts))


def presented(of: Report, **parts: Any) -> Report:
    """The same report, presented differently."""
    return replace(of, presentation=replace(of.presentation, **parts))


LISTED = Presentation(lists_infos=True, limit=0)
"""A presentation that leaves nothing out."""
