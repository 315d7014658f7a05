"""The report for GitHub Actions: workflow commands that annotate a pull request."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from polars import DataFrame

from groundlint.engine.findings import worst_first
from groundlint.report.listing import repository_path, sentence, with_images, with_typical_merged
from groundlint.report.report import Report
from groundlint.sanitize import visible

MAX_OF_RULE = 3
"""Annotations of a rule, so that one does not crowd out the others."""

MAX_OF_LEVEL = 10
"""Annotations of a severity that GitHub shows for a step; it drops others without a message."""

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report) -> Iterator[str]:
    """The most certain findings as annotations, and how many are left out."""
    findings = with_typical_merged(worst_first(with_images(report.findings)))
    shown = findings.filter(pl.int_range(pl.len()).over("code") < MAX_OF_RULE)
    shown = shown.filter(pl.int_range(pl.len()).over("severity") < MAX_OF_LEVEL)
    lines = list(_annotations(shown, report.folder))
    annotated, total = int(shown["merged"].sum()), report.findings.height
    lines.append(f"groundlint: {annotated:,} of {total:,} findings annotated, {total - annotated:,} left out")
    yield "".join(f"{line}\n" for line in lines)


def _annotations(findings: DataFrame, folder: str) -> Iterator[str]:
    columns = ("code", "name", "severity", "aws", "message", "shown_image", "manifest", "line")
    for code, name, severity, aws, message, image, manifest, line in findings.select(columns).iter_rows():
        file = _property(visible(repository_path(manifest, folder), limit=None))
        title = _property(f"{code} {name}")
        text = _data(sentence(name, aws, message, image))
        yield f"::{_COMMANDS[severity]} file={file},line={line or 1},title={title}::{text}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
