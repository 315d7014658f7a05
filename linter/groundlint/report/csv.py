"""The report for spreadsheets: one row per finding, with the keys of the JSON report as columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import polars as pl
from polars import DataFrame, Series

from groundlint.engine.findings import KEYS
from groundlint.report.listing import AT_ONCE
from groundlint.report.report import Report
from groundlint.sanitize import plain_json, visible

# A spreadsheet takes such a cell for a formula. Tabs and carriage returns are escaped before.
_FORMULA = re.compile(r"^[=+\-@]")


def render(report: Report) -> Iterator[str]:
    """Findings in order, lists as JSON text, text always in quotes.

    Control characters are shown as escapes, and an apostrophe precedes what a spreadsheet would take for a formula.
    """
    findings = report.findings.select(KEYS)
    yield _rows(findings.clear(), has_header=True)
    for part in findings.iter_slices(AT_ONCE):
        yield _rows(part)


def _rows(findings: DataFrame, *, has_header: bool = False) -> str:
    texts = [_texts(findings, name) for name, dtype in findings.schema.items() if dtype == pl.String]
    lists = [
        Series(name, [plain_json(json.dumps(value)) for value in findings[name].to_list()], pl.String)
        for name, dtype in findings.schema.items()
        if dtype.is_nested()
    ]
    cells = findings.with_columns(*texts, *lists)
    return cells.write_csv(quote_style="non_numeric", include_header=has_header)


def _texts(findings: DataFrame, name: str) -> Series:
    """A column of text as cells; equal texts are converted once."""
    cells = {text: cell(text) for text in findings[name].unique().drop_nulls()}
    return findings[name].replace_strict(cells, return_dtype=pl.String) if cells else findings[name]


def cell(text: str) -> str:
    """Text as a cell: control characters as escapes, and an apostrophe before what would be taken for a formula."""
    return _FORMULA.sub(r"'\g<0>", visible(text, limit=None))
