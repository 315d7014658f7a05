"""The report for a terminal: a line for each finding, a count of what is not shown, and a summary."""

from __future__ import annotations

from collections.abc import Iterator

from polars import DataFrame

from groundlint.report.listing import first_of_each, sentence
from groundlint.report.report import Report
from groundlint.sanitize import at_line_start, visible

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
    shown = first_of_each(report.findings, MAX_SHOWN, report.summed_up)
    columns = ("manifest", "line", "code", "name", "aws", "severity", "message", "more")
    for manifest, line, code, name, aws, severity, message, more in shown.select(columns).iter_rows():
        place = at_line_start(visible(manifest, limit=None)) + (f":{line}" if line is not None else "")
        mark = f"\x1b[1;{_COLOURS[severity]}m{code}\x1b[0m" if report.color else code
        yield f"{place}: {mark} {sentence(name, aws, message)}"
        if more:
            yield f"{place.removesuffix(f':{line}')}: {mark} and {more:,} more of {name}"


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
