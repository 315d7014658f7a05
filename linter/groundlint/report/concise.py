"""The report for hooks and logs: one line per finding, none left out."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from polars import DataFrame

from groundlint.report.listing import AT_ONCE, LINE_COLUMNS, line, with_images, with_marks
from groundlint.report.report import Report
from groundlint.sanitize import visible


def render(report: Report) -> Iterator[str]:
    """Findings in order; suppressed and baselined ones after them, with the reason, if they are asked for."""
    marked = with_marks(report.findings, unsafe=report.presentation.unsafe_fixes)
    hidden = hidden_lines(report.hidden) if report.presentation.show_suppressed else ()
    for part in marked.iter_slices(AT_ONCE):
        yield "".join(f"{text}\n" for text in _lines(part))
    yield "".join(f"{text}\n" for text in hidden)


def hidden_lines(findings: DataFrame) -> Iterator[str]:
    """Suppressed and baselined findings as lines, each with the reason."""
    if not findings.is_empty():
        unmarked = findings.with_columns(mark=pl.lit(""))
        for text, reason in zip(_lines(unmarked), findings["suppression"], strict=True):
            yield f"{text} [{'in the baseline' if reason is None else f'suppressed: {visible(reason)}'}]"


def _lines(findings: DataFrame) -> Iterator[str]:
    for row in with_images(findings).select(*LINE_COLUMNS, "mark").iter_rows():
        yield line(*row)
