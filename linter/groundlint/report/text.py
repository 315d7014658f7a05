"""The report for a terminal: a line for each finding, a count of what is not shown, and a summary."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from polars import DataFrame, col

from groundlint.report.listing import sentence
from groundlint.report.report import Report
from groundlint.report.sanitize import at_line_start, visible

MAX_SHOWN = 50
"""Findings shown of one rule and manifest."""

_COLOURS = {"error": "31", "warning": "33", "info": "36"}


def render(report: Report) -> str:
    """Findings by manifest and line, and what they come to."""
    lines = [*_findings(report), *_hidden(report.hidden)]
    if report.statistics:
        lines += _statistics(report.findings)
    if not report.quiet:
        lines.append(_summary(report))
    return "".join(f"{line}\n" for line in lines)


def _findings(report: Report) -> Iterator[str]:
    rank = pl.int_range(pl.len()).over("manifest", "code")
    total = pl.len().over("manifest", "code")
    columns = ("manifest", "line", "code", "name", "aws", "severity", "message")
    shown = report.findings.select(*columns, rank=rank, total=total).filter(col("rank") < MAX_SHOWN)
    for manifest, line, code, name, aws, severity, message, rank_, total_ in shown.iter_rows():
        place = at_line_start(visible(manifest, limit=None)) + (f":{line}" if line is not None else "")
        mark = f"\x1b[1;{_COLOURS[severity]}m{code}\x1b[0m" if report.color else code
        yield f"{place}: {mark} {sentence(name, aws, message)}"
        if rank_ == MAX_SHOWN - 1 and total_ > MAX_SHOWN:
            yield f"{place.removesuffix(f':{line}')}: {mark} and {total_ - MAX_SHOWN:,} more of {name}"


def _hidden(findings: DataFrame) -> Iterator[str]:
    """What is not reported, with the reason for each."""
    if findings.is_empty():
        return
    columns = ("manifest", "line", "code", "name", "aws", "message", "suppression")
    for manifest, line, code, name, aws, message, suppression in findings.select(columns).iter_rows():
        place = at_line_start(visible(manifest, limit=None)) + (f":{line}" if line is not None else "")
        why = "in the baseline" if suppression is None else f"suppressed: {visible(suppression)}"
        yield f"{place}: {code} {sentence(name, aws, message)} ({why})"


def _statistics(findings: DataFrame) -> Iterator[str]:
    counts = findings.group_by("code", "name", "severity").len("count").sort("count", "code", descending=[True, False])
    for code, name, severity, count in counts.iter_rows():
        yield f"{count:>7,}  {code}  {severity:<7}  {name}"


def _summary(report: Report) -> str:
    summary = report.summary
    counts = ", ".join(_number(count, level) for level, count in summary["counts"].items())
    data = ", ".join(
        (
            _number(summary["lines"], "line"),
            _number(summary["manifests"], "manifest"),
            _number(summary["images"]["total"], "image"),
            f"target {report.target}",
        )
    )
    return f"{data}: {counts}, {summary['suppressed']:,} suppressed, {summary['baselined']:,} baselined"


def _number(count: int, noun: str) -> str:
    plural = noun if count == 1 or noun == "info" else f"{noun}s"
    return f"{count:,} {plural}"
