"""The report for the summary of a GitHub step: counts by rule, then the findings that fit into a summary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from polars import DataFrame, col

from groundlint.engine.findings import SEVERITIES, worst_first
from groundlint.phrases import number_of
from groundlint.report.listing import LINE_COLUMNS, sentence, with_images, with_typical_merged
from groundlint.report.report import Report
from groundlint.report.trade_offs import HEADER, worst_labels
from groundlint.sanitize import visible

MAX_REPORT_BYTES = 900 * 1024
"""Size of a report; GitHub drops the summary of a step of 1 MiB and more, and sometimes one slightly below."""

_TAIL = 100
"""Bytes kept free to say what is left out."""

_MAX_LABELS = 20
"""Labels whose thresholds are listed."""

# Beside Markdown's own marks: dollars enclose formulas, `://` and `www.` make links without any mark.
_MARKS = re.compile(r"[\\`*_\[\](){}<>|#!&~$]|:(?=//)|(?<=www)\.", re.IGNORECASE)


def render(report: Report) -> Iterator[str]:
    """A table of counts by rule with links to their pages, and the worst findings."""
    summary, findings = report.summary, worst_first(with_images(report.findings))
    numbers = summary.counts.model_dump() | summary.model_dump(
        include={"suppressed", "baselined", "manifests", "lines"}
    )
    numbers["images"] = summary.images.total
    text = "# groundlint\n\n" + ", ".join(f"{name}: {number:,}" for name, number in numbers.items()) + "\n"
    text += "".join(f"\n> {escaped(visible(note.message))}\n" for note in summary.notes)
    if report.evaluation is not None:
        text += "".join(_evaluation(report.evaluation))
    if findings.is_empty():
        yield text + "\nNo findings to show.\n"
        return
    text += "\n| rule | name | severity | findings |\n| --- | --- | --- | ---: |\n" + "".join(_rows(findings))
    parts = [text + "\n## Findings\n\n"]
    free = MAX_REPORT_BYTES - _TAIL - len(parts[0].encode())
    listed = with_typical_merged(findings)
    for item in _items(listed):
        free -= len(item.encode())
        if free < 0:
            parts.append(f"\n{listed.height - len(parts) + 1:,} findings are left out.\n")
            break
        parts.append(item)
    yield "".join(parts)


def _evaluation(evaluation: DataFrame) -> Iterator[str]:
    """What thresholds give, a table for each of the labels with the lowest F1."""
    if evaluation.is_empty():
        return
    yield "\n## Evaluation\n\nLowest F1 first, with 95% intervals over images.\n"
    labels = list(worst_labels(evaluation))
    for each in labels[:_MAX_LABELS]:
        place = f"{visible(each.manifest, limit=None)}: {visible(each.label)!r}"
        yield f"\n{escaped(place)} ({number_of(each.images, 'image')})\n\n"
        yield f"| {' | '.join(HEADER)} |\n|{' ---: |' * (len(HEADER) - 1)} --- |\n"
        yield from (f"| {' | '.join(row)} |\n" for row in each.rows)
    if left := len(labels[_MAX_LABELS:]):
        yield f"\n{number_of(left, 'other label')}; the report in JSON has all.\n"


def escaped(text: str) -> str:
    """Visible text from data that Markdown shows as it is: no link, image, mention, formula, or tag."""
    # GitHub looks for mentions after Markdown's escapes are resolved: what follows must not be a name.
    return _MARKS.sub(r"\\\g<0>", text).replace("@", "\\@&#8203;")


def _rows(findings: DataFrame) -> Iterator[str]:
    counts = findings.group_by(col("severity").cast(SEVERITIES), "code", "name", "url").len()
    for severity, code, name, url, count in counts.sort("severity", -col("len").cast(int), "code").iter_rows():
        yield f"| {_link(code, url)} | {name} | {severity} | {count:,} |\n"


def _items(findings: DataFrame) -> Iterator[str]:
    for *row, url in findings.select(*LINE_COLUMNS, "url").iter_rows():
        manifest, line, severity, code, name, aws, message, image = row
        place = visible(manifest, limit=None) + (f":{line}" if line is not None else "")
        said = escaped(sentence(name, aws, message, image))
        yield f"- {severity} {_link(code, url)} {name} {escaped(place)}: {said}\n"


def _link(code: str, url: str | None) -> str:
    return f"[{code}]({quote(url, safe='/:?=&%#')})" if url else code
