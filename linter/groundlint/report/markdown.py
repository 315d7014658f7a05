"""The report for the summary of a GitHub step: counts by rule, then findings, as far as a summary holds them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from polars import DataFrame, col

from groundlint.report.listing import SEVERITIES, first_of_each, sentence, worst_first
from groundlint.report.report import Report
from groundlint.sanitize import visible

MAX_BYTES = 900 * 1024
"""Size of a report; a step's summary of 1 MiB and more is dropped, near it sometimes."""

_TAIL = 100
"""Bytes kept free to say what is left out."""

# Beside Markdown's own marks: dollars enclose formulas, `://` and `www.` make links without any mark.
_MARKS = re.compile(r"[\\`*_\[\](){}<>|#!&~$]|:(?=//)|(?<=www)\.", re.IGNORECASE)


def render(report: Report) -> str:
    """A table of counts by rule with links to their pages, and the worst findings."""
    summary, findings = report.summary, worst_first(report.findings)
    numbers = summary["counts"] | {name: summary[name] for name in ("suppressed", "baselined", "manifests", "lines")}
    numbers["images"] = summary["images"]["total"]
    text = "# groundlint\n\n" + ", ".join(f"{name}: {number:,}" for name, number in numbers.items()) + "\n"
    if findings.is_empty():
        return text + "\nNo findings to show.\n"
    text += "\n| rule | name | severity | findings |\n| --- | --- | --- | ---: |\n" + "".join(_rows(findings))
    parts = [text + "\n## Findings\n\n"]
    free = MAX_BYTES - _TAIL - len(parts[0].encode())
    listed = first_of_each(findings, findings.height, report.summed_up)
    for item in _items(listed):
        free -= len(item.encode())
        if free < 0:
            rest = listed[len(parts) - 1 :]
            parts.append(f"\n{rest.height + rest['more'].sum():,} findings are left out.\n")
            break
        parts.append(item)
    return "".join(parts)


def escaped(text: str) -> str:
    """Visible text from data that Markdown shows as it is: no link, image, mention, formula, or tag."""
    # GitHub looks for mentions when Markdown's escapes are gone: what follows must not be a name.
    return _MARKS.sub(r"\\\g<0>", text).replace("@", "\\@&#8203;")


def _rows(findings: DataFrame) -> Iterator[str]:
    counts = findings.group_by(col("severity").cast(SEVERITIES), "code", "name", "url").len()
    for severity, code, name, url, count in counts.sort("severity", -col("len").cast(int), "code").iter_rows():
        yield f"| {_link(code, url)} | {name} | {severity} | {count:,} |\n"


def _items(findings: DataFrame) -> Iterator[str]:
    columns = ("code", "name", "severity", "aws", "message", "manifest", "line", "url", "more")
    for code, name, severity, aws, message, manifest, line, url, more in findings.select(columns).iter_rows():
        place = visible(manifest, limit=None) + (f":{line}" if line is not None else "")
        rest = f" (and {more:,} more of the manifest)" if more else ""
        yield f"- {severity} {_link(code, url)} {escaped(place)}: {escaped(sentence(name, aws, message))}{rest}\n"


def _link(code: str, url: str | None) -> str:
    return f"[{code}]({quote(url, safe='/:?=&%#')})" if url else code
