"""The report for a terminal: findings by manifest, worst first, and a summary of the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import polars as pl
from polars import DataFrame, col

from groundlint.engine.findings import worst_first
from groundlint.phrases import number_of
from groundlint.report.concise import hidden_lines
from groundlint.report.label_shares import label_shares
from groundlint.report.layout import Cell, Layout, bold, dim, wrapped
from groundlint.report.listing import (
    FIXABLE,
    first_of_each,
    header_path,
    is_fixable,
    sentence,
    shortest_names,
    with_images,
    with_marks,
    with_typical_merged,
)
from groundlint.report.report import Presentation, Report
from groundlint.report.trade_offs import HEADER, worst_labels
from groundlint.sanitize import visible

_COLUMNS = ("line", "severity", "code", "name", "aws", "message", "shown_image", "caused_by", "more", "mark")
_MAX_SUGGESTIONS = 3


def render(report: Report) -> Iterator[str]:
    """Findings by manifest, counts of those not listed, and a summary with suggestions of what to run next."""
    look = report.presentation
    findings = worst_first(with_marks(with_images(report.findings), unsafe=look.unsafe_fixes))
    is_counted = _is_counted(look)
    listed = with_typical_merged(findings.filter(~is_counted))
    shares = label_shares(findings.filter(col("severity") == "info"), report.boxes_by_label)
    lines = [*_section("Boxes by label:", _shares_of(listed, shares)), *_manifests(listed, look)]
    lines += _counted(findings.filter(is_counted), shares, look)
    if report.evaluation is not None and not look.quiet:
        lines += _evaluation(report.evaluation, look)
    if look.show_suppressed:
        lines += _section("Suppressed and in the baseline:", hidden_lines(report.hidden))
    if look.statistics:
        lines += _section("Findings by rule:", _statistics(findings))
    if not look.quiet:
        lines += [*_wrapped(_summary(report), look.width), ""]
        lines += _section("Next:", _wrapped(_suggestions(report, findings), look.width - 2))
    yield "\n".join(lines).rstrip("\n") + "\n" if lines else ""


def _is_counted(look: Presentation) -> pl.Expr:
    """Whether a finding is counted instead of listed."""
    if look.lists_infos:
        return pl.lit(False)
    return (col("severity") == "info") & ~col("typical") & ~col("code").is_in(sorted(look.listed))


def _manifests(findings: DataFrame, look: Presentation) -> Iterator[str]:
    names = shortest_names(findings["shown_image"].drop_nulls().unique())
    for part in findings.partition_by("manifest", maintain_order=True):
        shown = first_of_each(part, look.limit)
        path = header_path(part["manifest"][0])
        yield f"\x1b[1m{path}\x1b[0m" if look.color else path
        layout = Layout(look.width, look.color)
        for row, depth in _folded(shown.select(_COLUMNS).rows()):
            number, severity, code, name, aws, message, image, caused_by, more, mark = row
            said = sentence(name, aws, message, mark=mark)
            # Where the cause is not listed, the consequence names it.
            cause = f" (caused by {caused_by})" if caused_by and not depth else ""
            image_name = visible(names[image]) if image else ""
            layout.add(Cell(number, severity, f"{code} {name}", image_name, said + cause, depth))
            if more:
                layout.add_note(f"{more:,} more of {code} {name}; --limit 0 lists all", depth)
        yield from layout.lines()
        yield ""


_Row = tuple[int | None, str, str, str, str | None, str, str | None, str | None, int, str]


def _folded(rows: Iterable[_Row]) -> Iterator[tuple[_Row, int]]:
    """The rows of a manifest with their depth: consequences follow the last row of the rule that is their cause."""
    rows = list(rows)
    last = {row[2]: n for n, row in enumerate(rows)}
    effects: dict[str, list[int]] = {}
    for n, row in enumerate(rows):
        cause = row[7]
        if cause is not None and cause != row[2] and cause in last:
            effects.setdefault(cause, []).append(n)
    folded = {n for those in effects.values() for n in those}
    done: set[int] = set()

    def emit(n: int, depth: int) -> Iterator[tuple[_Row, int]]:
        if n in done:
            return
        done.add(n)
        yield rows[n], depth
        code = rows[n][2]
        if n == last[code]:
            for effect in effects.get(code, ()):
                yield from emit(effect, depth + 1)

    for n in range(len(rows)):
        if n not in folded:
            yield from emit(n, 0)
    # Rules that name each other as their cause have no first row.
    for n in range(len(rows)):
        yield from emit(n, 0)


def _shares_of(listed: DataFrame, shares: Mapping[str, str]) -> Iterator[str]:
    """How the boxes that are listed as infos spread over labels, by rule."""
    infos = listed.filter(col("severity") == "info", ~col("typical"))
    for code, name in infos.select("code", "name").unique().sort("code").iter_rows():
        if code in shares:
            yield f"{code} {name}: {shares[code]}"


def _counted(findings: DataFrame, shares: Mapping[str, str], look: Presentation) -> Iterator[str]:
    """The infos that are not listed, as one count per rule, and for boxes their shares by label."""
    if findings.is_empty():
        return
    rules = findings["code"].n_unique()
    total = number_of(findings.height, "info")
    title = f"{total} of {number_of(rules, 'rule')}, not listed; --min-severity info lists them:"
    yield from _wrapped([title], look.width)
    counts = findings.group_by("code", "name", maintain_order=True).len()
    rows = counts.sort(-col("len").cast(pl.Int64), "code").rows()
    width = len(f"{rows[0][2]:,}")
    for code, name, count in rows:
        yield f"  {count:>{width},}  {dim(f'{code} {name}', look.color)}"
        if code in shares:
            indent = " " * (width + 6)
            yield from wrapped(shares[code], max(look.width, 40), initial_indent=indent, subsequent_indent=indent)
    yield ""


def _evaluation(evaluation: DataFrame, look: Presentation) -> Iterator[str]:
    """What thresholds give, a table for each label; of many labels, those with the lowest F1."""
    if evaluation.is_empty():
        return
    yield from _wrapped(["Evaluation, lowest F1 first (with 95% intervals over images):"], look.width)
    labels = list(worst_labels(evaluation))
    for each in labels[: look.limit or None]:
        where = f"{header_path(each.manifest)}: " if evaluation["manifest"].n_unique() > 1 else ""
        yield f"  {bold(f'{where}{visible(each.label)!r}', look.color)} ({number_of(each.images, 'image')})"
        rows = [HEADER, *each.rows]
        *widths, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
        for *cells, remark in rows:
            aligned = "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
            yield f"    {aligned}  {remark}".rstrip()
    if left := len(labels[look.limit :]) if look.limit else 0:
        yield f"  {number_of(left, 'other label')}; --limit 0 lists all"
    yield ""


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    lines = list(lines)
    if lines:
        yield title
        yield from (f"  {line}" for line in lines)
        yield ""


def _wrapped(lines: Iterable[str], width: int) -> Iterator[str]:
    """Lines of prose within the width; what continues is indented."""
    for line in lines:
        yield from wrapped(line, max(width, 40), subsequent_indent="  ")


def _statistics(findings: DataFrame) -> Iterator[str]:
    counts = findings.group_by("code", "name", "severity").agg(count=pl.len(), mark=col("mark").max())
    width = max((len(mark) for mark in counts["mark"]), default=0)
    for code, name, severity, count, mark in counts.sort("count", "code", descending=[True, False]).iter_rows():
        yield f"{count:>7,}  {severity:<7}  {mark:<{width}}{code} {name}"


def _summary(report: Report) -> Iterator[str]:
    summary = report.summary
    images = number_of(summary.images.total, "image")
    if summary.images.found is not None:
        images = f"{summary.images.found:,} of {images} found"
    read = (number_of(summary.lines, "line"), number_of(summary.manifests, "manifest"), images)
    yield f"{', '.join(read)}, target {report.target}"
    counts = [number_of(count, level) for level, count in summary.counts.model_dump().items()]
    known = f"{summary.baselined:,} baselined"
    if report.baseline:
        known += f" (baseline: {visible(report.baseline, limit=None)})"
    yield f"{', '.join(counts)}, {summary.suppressed:,} suppressed, {known}"
    yield from _fixable(report)


def _fixable(report: Report) -> Iterator[str]:
    """How many findings can be fixed, and by which flags."""
    safe, both = (report.findings.filter(is_fixable(unsafe=unsafe)).height for unsafe in (False, True))
    if report.presentation.unsafe_fixes and both:
        yield f"{FIXABLE} {both:,} fixable with `--fix --unsafe-fixes`"
    elif safe:
        more = f", {both - safe:,} more with `--unsafe-fixes`" if both > safe else ""
        yield f"{FIXABLE} {safe:,} fixable with `--fix`{more}"
    elif both:
        yield f"{both:,} fixable with `--fix --unsafe-fixes`"


def _suggestions(report: Report, findings: DataFrame) -> list[str]:
    """Commands that the user may want to run next."""
    commands = []
    if not findings.is_empty():
        code, name = findings.select("code", "name").row(0)
        commands.append((f"groundlint rule {code}", f"explains {name}"))
    if report.summary.images.total and report.summary.images.found == 0:
        commands.append(("groundlint check --images FOLDER", "checks the images too"))
    if report.baseline is None and any(findings["severity"] != "info"):
        commands.append(("groundlint baseline create", "records these findings, so that only new ones are reported"))
    width = max((len(command) for command, _ in commands), default=0)
    return [f"{command:<{width}}  {what}" for command, what in commands[:_MAX_SUGGESTIONS]]
