"""The report for hooks and logs: one line per finding, none left out."""

from __future__ import annotations

from collections.abc import Iterator

from polars import DataFrame

from groundlint.report.listing import LINE_COLUMNS, line, with_images
from groundlint.report.report import Report
from groundlint.sanitize import visible


def render(report: Report) -> str:
    """Findings in order; suppressed and baselined ones after them, with the reason, if they are asked for."""
    lines = [*_lines(report.findings), *(hidden_lines(report.hidden) if report.presentation.show_suppressed else ())]
    return "".join(f"{text}\n" for text in lines)


def hidden_lines(findings: DataFrame) -> Iterator[str]:
    """Suppressed and baselined findings as lines, each with the reason."""
    if not findings.is_empty():
        for text, reason in zip(_lines(findings), findings["suppression"], strict=True):
            yield f"{text} [{'in the baseline' if reason is None else f'suppressed: {visible(reason)}'}]"


def _lines(findings: DataFrame) -> Iterator[str]:
    for row in with_images(findings).select(LINE_COLUMNS).iter_rows():
        yield line(*row)
