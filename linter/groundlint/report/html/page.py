"""From a report to the content of a page: sections, findings, figures, and what comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import polars as pl
from polars import DataFrame, col

from groundlint.engine.findings import SEVERITIES
from groundlint.engine.rule import FACT, Rule, docstring
from groundlint.phrases import number_of
from groundlint.report.html import charts, choice
from groundlint.report.html.choice import Listed, Row
from groundlint.report.html.content import Count, DataSet, Entry, FirstStep, Group, Page, Section
from groundlint.report.html.figures import Figure, Figures
from groundlint.report.html.prose import Span, blocks, first_sentence, spans
from groundlint.report.html.review_data import review_data
from groundlint.report.label_shares import label_shares
from groundlint.report.listing import shortest_names, with_images, with_typical_merged
from groundlint.report.portrait import facts, heading
from groundlint.report.report import Report
from groundlint.sanitize import visible

MAX_FIRST = 8
"""Rules among what to do first."""

_MAX_CANDIDATES = 4
"""Findings of a rule of which one is among what to do first."""

_MAX_COUNTED = 30
"""Labels whose findings are counted in a table."""

_RELIABLE = 0.5
"""Precision from which advice may be among what to do first."""

_EXPLAINED = ("Why it matters", "Causes", "How to fix it", "How reliable it is")


def page(report: Report, most: int = choice.MAX_LISTED) -> Page:
    """The content of a page.

    Args:
        report: The report, with the gallery of what `choice.choose` wants.
        most: Largest number of findings that are listed.
    """
    chosen = choice.choose(report.findings, images=report.description.images, most=most)
    figures = Figures(report.description)
    names = _names(chosen)
    typical = _typical(report.findings)
    shares = label_shares(report.findings.filter(~col("typical")), report.boxes_by_label)
    sections: list[Section] = []
    rows: list[Row] = []
    entries: dict[str, Entry] = {}
    facts_of = _facts_of_rules(report.findings)
    codes = [*chosen.rules, *(code for code in typical if code not in chosen.rules)]
    for code in codes:
        listed = chosen.rules.get(code, Listed([], 0))
        section = _section(code, facts_of[code], report.rules.get(code), shares.get(code, ""))
        section.typical, section.left_out = typical.get(code, []), listed.left_out
        section.count = len(listed.rows) + listed.left_out
        for rank, row in enumerate(listed.rows):
            is_illustrated = rank < listed.illustrated
            shown = figures.of(row) if is_illustrated else []
            entry = _entry(len(rows), row, names, shown)
            rows.append(row)
            entries[row["fingerprint"]] = entry
            (section.illustrated if shown else section.listed).append(entry)
        sections.append(section)
    groups, groups_left_out = _groups(chosen, entries, figures)
    evaluation, evaluation_left_out = charts.curves(report.evaluation) if report.evaluation is not None else ([], 0)
    return Page(
        title=_title(report),
        version=report.version,
        target=report.target,
        verdict=_verdict(report),
        tiles=_tiles(report),
        first=_first(sections),
        by_label=_by_label(report.findings),
        by_split=_by_split(report),
        not_looked_at=list(_not_looked_at(report)),
        data_sets=_data_sets(report),
        curves=evaluation,
        curves_left_out=evaluation_left_out,
        sections=sections,
        groups=groups,
        groups_left_out=groups_left_out,
        images=figures.images,
        labels=sorted({str(row["label"]) for row in rows if row["label"] is not None}),
        left_out=list(_left_out(chosen, report, sections)),
        data=review_data(report, rows),
    )


def _title(report: Report) -> str:
    names = [heading(portrait) for portrait in report.description.portraits]
    names = names or sorted({visible(name, limit=200) for name in report.findings["manifest"].drop_nulls()})[:3]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "no findings"


def _verdict(report: Report) -> str:
    numbers = report.summary.counts.model_dump()
    counts = [number_of(numbers[level], level) for level in SEVERITIES.categories if numbers[level]]
    images = report.summary.images
    of = f"{number_of(report.summary.lines, 'line')} of {number_of(report.summary.manifests, 'manifest')}"
    looked = f"{images.found:,} of {number_of(images.total, 'image')}" if images.found is not None else "no image"
    return f"{', '.join(counts) or 'No findings'} in {of}; {looked} looked at."


def _tiles(report: Report) -> list[tuple[str, str]]:
    summary = report.summary
    numbers = {
        **{f"{level}s": getattr(summary.counts, level) for level in SEVERITIES.categories},
        "images": summary.images.total,
        "labels": summary.labels,
        "boxes": summary.boxes,
    }
    return [(name, f"{number:,}") for name, number in numbers.items() if number or name in ("errors", "warnings")]


def _facts_of_rules(findings: DataFrame) -> dict[str, Row]:
    first = findings.sort(col("severity").cast(SEVERITIES), maintain_order=True)
    rows = first.select("code", "name", "severity", "precision", "url").unique(
        "code", keep="first", maintain_order=True
    )
    return {row["code"]: row for row in rows.iter_rows(named=True)}


def _typical(findings: DataFrame) -> dict[str, list[str]]:
    """The sentences that stand for findings that are typical of their data set, by rule."""
    merged = with_typical_merged(with_images(findings)).filter(col("typical"))
    found: dict[str, list[str]] = {}
    for code, manifest, message, count in merged.select("code", "manifest", "message", "merged").iter_rows():
        sentence = f"{visible(message or '')} ({visible(manifest, limit=200)}, {number_of(count, 'finding')})"
        found.setdefault(code, []).append(sentence)
    return found


def _section(code: str, row: Row, rule: type[Rule] | None, shares: str) -> Section:
    summary, parts = docstring(rule) if rule else ("", {})
    return Section(
        code=visible(code),
        name=visible(row["name"]),
        severity=row["severity"],
        count=0,
        url=row["url"],
        summary=visible(summary, limit=None),
        reliability=_reliability(row["precision"]),
        figure=_figure(row["precision"]),
        is_reliable=(row["precision"] or 0) >= _RELIABLE,
        shares=shares,
        explanation=[(name, blocks(parts[name])) for name in _EXPLAINED if name in parts],
    )


def _reliability(precision: float | None) -> str:
    if precision is None:
        return "Not measured: look before you act."
    if precision == FACT:
        return "A fact, not an estimate."
    return f"Precision {precision:.2f}: where people checked, {precision:.0%} of such findings were right."


def _figure(precision: float | None) -> str:
    return "not measured" if precision is None else "fact" if precision == FACT else f"{precision:.2f}"


def _names(chosen: choice.Choice) -> dict[str, str]:
    """Short names of the manifests and images of the findings that are listed."""
    rows = [row for listed in chosen.rules.values() for row in listed.rows]
    manifests = shortest_names({row["manifest"] for row in rows})
    images = shortest_names({row["shown_image"] for row in rows if row["shown_image"] is not None})
    return manifests | images


def _entry(number: int, row: Row, names: Mapping[str, str], figures: list[Figure]) -> Entry:
    place = visible(names[row["manifest"]], limit=None) + (f":{row['line']}" if row["line"] is not None else "")
    message = row["message"] if row["message"].strip() else row["name"]
    return Entry(
        number,
        visible(row["code"]),
        visible(row["name"]),
        row["severity"],
        place,
        visible(names.get(row["shown_image"], ""), limit=200),
        visible(row["aws"] or ""),
        spans(visible(message)),
        figures,
    )


def _first(sections: Sequence[Section]) -> list[FirstStep]:
    """The most harmful rules, the most reliable ones of each severity first, each with one of its worst findings."""
    worst = [section for section in sections if section.illustrated or section.listed]
    # Infos are advice: only the reliable ones are among what to do first, unless there is nothing else.
    harmful = [section for section in worst if section.severity != "info" or section.is_reliable] or worst
    steps = []
    images: set[str] = set()
    for section in harmful[:MAX_FIRST]:
        candidates = section.illustrated[:_MAX_CANDIDATES] or section.listed[:1]
        # Where one image is the worst by several rules, others are shown too.
        entry = next((each for each in candidates if each.image not in images), candidates[0])
        images.add(entry.image)
        steps.append(FirstStep(section, entry, _two(entry.figures), _first_sentence(section), section.count - 1))
    return steps


def _two(figures: Sequence[Figure]) -> list[Figure]:
    """The two figures that say most: a box or image, and what it is related to or lies in."""
    related = [figure for figure in figures if figure.kind == "related"]
    boxes = [figure for figure in figures if figure.kind == "box"]
    own = boxes or [figure for figure in figures if figure.kind == "image"]
    return [*own[:1], *related[: 2 - len(own[:1])]] if related else list(figures[:2])


def _first_sentence(section: Section) -> list[Span]:
    """What the explanation of a rule says first on how to fix it."""
    for name, parts in section.explanation:
        if name == "How to fix it" and parts and not parts[0].is_list:
            return first_sentence(parts[0].items[0])
    return []


def _by_label(findings: DataFrame) -> list[Count]:
    named = findings.drop_nulls("label")
    counts = _counts(named, named["label"])
    return sorted(counts, key=lambda row: (-row.error, -row.warning, -row.info, row.name))[:_MAX_COUNTED]


def _by_split(report: Report) -> list[Count]:
    keys = report.findings.select("data_set", "manifest").iter_rows()
    names = [report.description.splits.get(key, "") for key in keys]
    if len({name for name in names if name}) < 2:
        return []
    return sorted(_counts(report.findings, pl.Series(names, dtype=pl.String)), reverse=True)


def _counts(findings: DataFrame, names: pl.Series) -> list[Count]:
    counts: dict[str, Counter[str]] = {}
    for name, severity in zip(names, findings["severity"], strict=True):
        counts.setdefault(visible(name or "none", limit=200), Counter())[severity] += 1
    return [Count(name, each["error"], each["warning"], each["info"]) for name, each in counts.items()]


def _not_looked_at(report: Report) -> Iterable[str]:
    summary = report.summary
    yield from (visible(note.message) for note in summary.notes)
    reasons: dict[str, list[str]] = {}
    for skipped in summary.skipped_rules:
        reasons.setdefault(skipped.reason, []).append(skipped.code)
    for reason, codes in reasons.items():
        yield f"{number_of(len(codes), 'rule')} skipped ({visible(reason)}): {', '.join(codes)}"
    if summary.images.unreadable:
        yield f"{number_of(summary.images.unreadable, 'image')} could not be read"
    if summary.suppressed:
        yield f"{number_of(summary.suppressed, 'finding')} suppressed by the configuration"
    if summary.baselined:
        yield f"{number_of(summary.baselined, 'finding')} known from the baseline"
    if not report.is_whole:
        yield "something could not be checked; standard error says what"


def _data_sets(report: Report) -> list[DataSet]:
    described = report.description
    return [
        DataSet(heading(portrait), list(facts(portrait)), charts.charts(portrait, counts))
        for portrait, counts in zip(described.portraits, described.distributions, strict=True)
    ]


def _groups(chosen: choice.Choice, entries: Mapping[str, Entry], figures: Figures) -> tuple[list[Group], int]:
    """The images with the worst and most findings, and the number of the other images with several."""
    worst = choice.worst_images(chosen)
    groups = []
    for rows in worst[: choice.MAX_GROUPS]:
        those = [entries[row["fingerprint"]] for row in rows]
        groups.append(Group(those[0].image, figures.of_image(rows), those))
    return groups, len(worst) - len(groups)


def _left_out(chosen: choice.Choice, report: Report, sections: Sequence[Section]) -> Iterable[str]:
    hidden = sum(listed.left_out for listed in chosen.rules.values())
    if hidden:
        yield f"{number_of(hidden, 'finding')} not listed here; `--output csv:findings.csv` has all"
    bare = sum(len(section.listed) for section in sections)
    if bare and report.description.images:
        yield f"{number_of(bare, 'finding')} listed without images"
    elif bare:
        yield "no images: they were not asked for, or none was found"
    if gallery_left_out := report.description.gallery.left_out:
        yield f"{number_of(gallery_left_out, 'image')} could not be shown: not found, unreadable, or no room left"
