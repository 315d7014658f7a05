"""Portraits of data sets as text for a terminal, as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from groundlint.phrases import first_of, number_of
from groundlint.portrait import BoxSizes, Duplicates, Exposure, ImageSizes, Job, LabelPart, Portrait, Quantiles, Workers
from groundlint.report.layout import bold, columns, dim, padded, shortened, wrapped
from groundlint.report.listing import header_path
from groundlint.report.markdown import escaped
from groundlint.sanitize import at_line_start, plain_json, visible
from groundlint.summary import NoteEntry

SCHEMA_VERSION = 1

MAX_LABELS = 10
"""Labels that are listed for people; JSON has all."""

_MAX_NAMED = 3
_TITLE_WIDTH = 16
_MIN_LABEL_WIDTH = 12
_USE_CASES = {"classification": "image-level", "detection": "boxes"}


@dataclass(frozen=True)
class Portraits:
    """The data sets of a run as they are described. `width` is that of the terminal."""

    version: str
    target: str
    data_sets: Sequence[Portrait]
    notes: Sequence[NoteEntry] = field(default_factory=list)
    width: int = 100
    color: bool = False


class Fact(NamedTuple):
    """What there is to say of one aspect."""

    title: str
    text: str


def as_text(report: Portraits) -> str:
    """Each data set as a list of facts and a table of its most frequent labels."""
    lines: list[str] = []
    for portrait in report.data_sets:
        lines += [bold(heading(portrait), report.color), *_text(portrait, max(report.width, 40), report.color), ""]
    return "\n".join(lines[:-1]) + "\n" if lines else ""


def as_json(report: Portraits) -> str:
    """All numbers of all data sets."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "groundlint", "version": report.version},
        "target": report.target,
        "data_sets": [portrait.model_dump() for portrait in report.data_sets],
        "notes": [note.model_dump() for note in report.notes],
    }
    return plain_json(msgspec.json.encode(value).decode()) + "\n"


def as_markdown(report: Portraits) -> str:
    """A heading for each data set, its facts, and a table of its most frequent labels."""
    text = "# groundlint profile\n"
    text += "".join(f"\n> {escaped(visible(note.message))}\n" for note in report.notes)
    for portrait in report.data_sets:
        text += f"\n## {escaped(heading(portrait))}\n\n"
        text += "".join(f"- **{fact.title}:** {escaped(fact.text)}\n" for fact in facts(portrait))
        rows = _label_rows(portrait)
        if rows:
            head = ["label", "images", "", "boxes", ""] if any(row[3] for row in rows) else ["label", "images", ""]
            text += f"\n| {' | '.join(head)} |\n| ---{' | ---:' * (len(head) - 1)} |\n"
            text += "".join(f"| {' | '.join(map(escaped, row[: len(head)]))} |\n" for row in rows)
        if len(portrait.labels) > MAX_LABELS:
            text += f"\n{_others(portrait)}\n"
    return text


FORMATS: Mapping[str, Callable[[Portraits], str]] = {"text": as_text, "json": as_json, "markdown": as_markdown}


def heading(portrait: Portrait) -> str:
    """The names of the manifests of a data set."""
    return first_of([header_path(name) for name in portrait.manifests], _MAX_NAMED)


def _text(portrait: Portrait, width: int, color: bool) -> Iterator[str]:
    for title, text in facts(portrait):
        first, *rest = wrapped(text, width - _TITLE_WIDTH - 2)
        yield f"  {dim(f'{title:<{_TITLE_WIDTH}}', color)}{first}"
        yield from (at_line_start(f"{'':<{_TITLE_WIDTH + 2}}{line}") for line in rest)
    rows = [[at_line_start(row[0]), *row[1:]] for row in _label_rows(portrait)]
    if not rows:
        return
    head = ["", "images", "", "boxes", ""] if any(row[3] for row in rows) else ["", "images", "", "", ""]
    numbers = [max(len(row[n]) for row in [head, *rows]) for n in range(1, len(head))]
    room = max(width - 4 - sum(numbers) - 2 * len(numbers), _MIN_LABEL_WIDTH)
    names = [shortened(row[0], room) for row in rows]
    name_width = max(columns(name) for name in names)
    for name, row in zip(["", *names], [head, *rows], strict=True):
        cells = "  ".join(f"{cell:>{size}}" for cell, size in zip(row[1:], numbers, strict=True))
        yield f"    {padded(name, name_width)}  {cells}".rstrip()
    if len(portrait.labels) > MAX_LABELS:
        yield f"    {dim(_others(portrait), color)}"


def facts(portrait: Portrait) -> Iterator[Fact]:
    """What there is to say of a data set; what was not measured has no line, except in the last one."""
    yield Fact("contents", _contents(portrait))
    if len(portrait.splits) > 1:
        yield Fact("splits", "; ".join(_splits(portrait)))
    if (boxes := _boxes(portrait.boxes)) is not None:
        yield Fact("boxes", boxes)
    if portrait.image_sizes:
        yield Fact("image sizes", _image_sizes(portrait.image_sizes))
    if portrait.duplicates:
        yield Fact("near-duplicates", _duplicates(portrait.duplicates))
    if portrait.exposure:
        yield Fact("exposure", "; ".join(_exposure(portrait.exposure)))
    if any(job.job is not None for job in portrait.jobs):
        yield Fact("jobs", _jobs(portrait.jobs))
    if workers := "; ".join(_workers(portrait.workers)):
        yield Fact("workers", workers)
    yield Fact("looked at", _looked_at(portrait))
    if missing := "; ".join(_not_looked_at(portrait)):
        yield Fact("not looked at", missing)
    if portrait.use_cases:
        yield Fact("labels", "; ".join(_use_cases(portrait)))


def _contents(portrait: Portrait) -> str:
    lines, labels, boxes = (
        sum(getattr(part, name) for part in portrait.splits) for name in ("lines", "labels", "boxes")
    )
    parts = [number_of(lines, "line"), number_of(portrait.images, "image")]
    parts += [number_of(labels, "image-level label")] if labels else []
    parts += [number_of(boxes, "box")] if boxes else []
    if portrait.unlabeled_images:
        parts.append(f"{number_of(portrait.unlabeled_images, 'image')} without image-level label or box")
    return ", ".join(parts)


def _splits(portrait: Portrait) -> Iterator[str]:
    for part in portrait.splits:
        counts = [number_of(part.images, "image")]
        counts += [number_of(part.labels, "label")] if part.labels else []
        counts += [number_of(part.boxes, "box")] if part.boxes else []
        yield f"{part.split}: {', '.join(counts)}"


def _use_cases(portrait: Portrait) -> Iterator[str]:
    for part in portrait.use_cases:
        several = part.images_with_several_labels
        those = f", {percent(several / part.images)} of them with several" if several else ", one label each"
        noun = {"classification": "image-level label", "detection": "label"}[part.use_case]
        of_boxes = " of boxes" if part.use_case == "detection" else ""
        yield f"{number_of(part.labels, noun)}{of_boxes} on {number_of(part.images, 'image')}{those}"


def _boxes(sizes: BoxSizes) -> str | None:
    parts = []
    if sizes.short_side:
        parts.append(f"shorter side {_spread(sizes.short_side, _number, ' px')}")
    if sizes.area_share:
        parts.append(f"share of the image {_spread(sizes.area_share, percent)}")
    if sizes.per_image:
        parts.append(f"per image with boxes {_spread(sizes.per_image, _number)}")
    return "; ".join(parts) or None


def _image_sizes(sizes: ImageSizes) -> str:
    width, height = sizes.most_frequent
    origin = "files" if sizes.source == "files" else "`image_size`, not measured"
    if sizes.sizes == 1:
        return f"{width:,} x {height:,} px, all {sizes.images:,} ({origin})"
    share = percent(sizes.most_frequent_images / sizes.images)
    return (
        f"width {_spread(sizes.width, _number, ' px')}; height {_spread(sizes.height, _number, ' px')}; "
        f"{number_of(sizes.sizes, 'size')}, {share} are {width:,} x {height:,} ({origin})"
    )


def _duplicates(part: Duplicates) -> str:
    text = f"{part.images:,} of {number_of(part.measured, 'image')} ({percent(part.share)})"
    return text + (
        f" in {number_of(part.groups, 'group')}; {part.redundant:,} beside those to keep" if part.images else ""
    )


def _exposure(part: Exposure) -> Iterator[str]:
    if part.bright_level:
        yield f"brightest pixels {_spread(part.bright_level, _number)} of 255"
    if part.clipped_share:
        yield f"share of white pixels {_spread(part.clipped_share, percent)}"


def _jobs(jobs: Sequence[Job]) -> str:
    named = [job for job in jobs if job.job is not None]
    shown = [
        f"{visible(job.job or '', limit=60)} ({number_of(job.attributes, 'attribute')}{_dates(job)})" for job in named
    ]
    return first_of(shown, _MAX_NAMED)


def _dates(job: Job) -> str:
    if job.first_date is None or job.last_date is None:
        return ""
    return f", {job.first_date}" + (f" to {job.last_date}" if job.last_date != job.first_date else "")


def _workers(part: Workers) -> Iterator[str]:
    total = part.by_people + part.by_machine + part.unknown
    if part.by_people or part.by_machine:
        by = {"people": part.by_people, "a machine": part.by_machine, "unknown": part.unknown}
        yield "labeled by " + ", ".join(f"{who} {percent(count / total)}" for who, count in by.items() if count)
    if part.single_worker:
        share = percent(part.single_worker / part.labels)
        yield f"{share} of labels with confidence 0, as from a single worker"


def _looked_at(portrait: Portrait) -> str:
    left_out = portrait.not_looked_at
    lines = sum(part.lines for part in portrait.splits) - left_out.lines
    found = f"{portrait.images_found - left_out.images_unreadable:,} of {number_of(portrait.images, 'image')}"
    return f"{number_of(max(lines, 0), 'line')}, {found}"


def _not_looked_at(portrait: Portrait) -> Iterator[str]:
    part = portrait.not_looked_at
    if part.images_not_found:
        yield f"{number_of(part.images_not_found, 'image')} not found"
    if part.images_unreadable:
        yield f"{number_of(part.images_unreadable, 'unreadable image')}"
    if part.lines:
        yield f"{number_of(part.lines, 'line')} blank or not a JSON object"
    for kind, count in part.other_attributes.items():
        yield f"{number_of(count, 'attribute')} of kind {kind}"
    if part.skipped_rules:
        yield f"{number_of(len(part.skipped_rules), 'rule')} skipped for lack of images"


def _label_rows(portrait: Portrait) -> list[list[str]]:
    """The most frequent labels: name, images, their share, boxes, their share; what does not apply is empty."""
    is_mixed = len(portrait.use_cases) > 1
    return [_label_row(part, is_mixed) for part in portrait.labels[:MAX_LABELS]]


def _label_row(part: LabelPart, is_mixed: bool) -> list[str]:
    name = visible(part.label, limit=100) + (f" ({_USE_CASES[part.use_case]})" if is_mixed else "")
    boxes = ["", ""] if part.boxes is None else [f"{part.boxes:,}", percent(part.box_share or 0)]
    return [name, f"{part.images:,}", percent(part.image_share), *boxes]


def _others(portrait: Portrait) -> str:
    rest = portrait.labels[MAX_LABELS:]
    least = min(part.images for part in rest)
    return f"{number_of(len(rest), 'more label')}, the rarest on {number_of(least, 'image')}"


def _spread(part: Quantiles, shown: Callable[[float], str], unit: str = "") -> str:
    """The median, and between what limits 90% lie."""
    low, high = shown(part.p5), shown(part.p95)
    return f"{shown(part.median)}{unit}" + (f" (90%: {low} to {high}{unit})" if low != high else "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.1f}"


def percent(share: float) -> str:
    """A share in percent; one that is not 0 is never shown as 0."""
    return "<0.1%" if 0 < share < 0.0005 else f"{share:.0%}" if share >= 0.095 or share == 0 else f"{share:.1%}"
