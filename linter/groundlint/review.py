"""The images of selected findings as a manifest, to be labeled again or verified."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from groundlint.config.settings import first_fault
from groundlint.engine.findings import Finding
from groundlint.engine.rule import Severity
from groundlint.errors import GroundlintError
from groundlint.manifest.label_formats import TYPES
from groundlint.manifest.physical_lines import movable_lines
from groundlint.manifest.strict_json import InvalidJson, parse
from groundlint.manifest.unpaired_keys import attribute_keys
from groundlint.phrases import first_of, number_of
from groundlint.policy.severity import at_least
from groundlint.report.json import SCHEMA_VERSION
from groundlint.report.schema import JsonReport

_MAX_CHANGED = 3
"""Changed lines that an error names."""

_SCHEMES = ("s3://", "S3://")


class ReviewError(GroundlintError):
    """The report cannot be read, or does not fit its manifests."""


class LabelAttribute(NamedTuple):
    """A label attribute of the lines to be labeled again, its `type`, and the number of these lines that have it."""

    name: str
    type: str | None
    lines: int

    @property
    def is_adjustable(self) -> bool:
        """Whether adjustment and verification jobs take it. Labels of images are labeled again by a new job."""
        return self.type in (TYPES["detection"], TYPES["segmentation"])


class Review(NamedTuple):
    """A manifest of the images to be labeled again.

    `findings` is the number of selected findings on its images. `attributes` are those that the findings of a line
    name, else all of the line, the most frequent first. `notes` say what was left out.
    """

    manifest: bytes
    images: int
    findings: int
    attributes: list[LabelAttribute]
    notes: list[str]


def read_report(data: bytes, name: str) -> JsonReport:
    """A JSON report.

    Args:
        data: Its bytes.
        name: Name of the file, for errors.

    Raises:
        ReviewError: It is not a JSON report, or one of another version.
    """
    fix = "write a new one with `groundlint check --output json:FILE`"
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ReviewError(f"{name}: not a JSON report; {fix}") from None
    if not isinstance(value, dict) or "schema_version" not in value:
        raise ReviewError(f"{name}: not a JSON report of groundlint, which has `schema_version`; {fix}")
    if value["schema_version"] != SCHEMA_VERSION:
        found = json.dumps(value["schema_version"])[:20]
        raise ReviewError(f"{name}: `schema_version` is {found}, this groundlint reads {SCHEMA_VERSION}; {fix}")
    try:
        return JsonReport.model_validate_json(data)
    except ValidationError as error:
        raise ReviewError(
            f"{name}: not a report of this groundlint: {first_fault(error, lambda _: [])}; {fix}"
        ) from None


def chosen(
    findings: Iterable[Finding], *, codes: Collection[str] | None = None, min_severity: Severity = Severity.INFO
) -> list[Finding]:
    """The findings of some rules at or above a severity.

    Args:
        findings: Findings of a report.
        codes: Codes of the rules; None for all.
        min_severity: Lowest severity.
    """
    levels = {level.value for level in at_least(min_severity)}
    return [finding for finding in findings if finding.severity in levels and (codes is None or finding.code in codes)]


def with_score(findings: Sequence[Finding], min_score: float | None) -> list[Finding]:
    """The findings at or above a score; None keeps all. Those that rest on no measurement have no score."""
    if min_score is None:
        return list(findings)
    return [finding for finding in findings if finding.score is not None and finding.score >= min_score]


def review(findings: Sequence[Finding], read_manifest: Callable[[str], bytes]) -> Review:
    """Collect the lines of the images that findings are about, each image once, in the order of manifests and lines.

    Lines keep their bytes; a byte order mark is left out.

    Args:
        findings: The selected findings.
        read_manifest: Function from the path of a manifest, as the report gives it, to its bytes.

    Raises:
        ReviewError: A line no longer names the image that the report gives for it.
        GroundlintError: A manifest cannot be read.
    """
    of_line: dict[tuple[str, int], list[Finding]] = {}
    for finding in findings:
        if finding.line is not None:
            of_line.setdefault((finding.manifest, finding.line), []).append(finding)
    texts: list[bytes] = []
    attributes = Counter[tuple[str, str | None]]()
    taken: set[str] = set()
    counted = not_lines = 0
    changed: list[str] = []
    manifest, lines = None, list[bytes]()
    for (name, number), about in sorted(of_line.items()):
        if name != manifest:
            manifest, lines = name, movable_lines(read_manifest(name))
        source_refs = {finding.source_ref for finding in about if finding.source_ref is not None}
        text = lines[number - 1] if 0 < number <= len(lines) else b""
        value = _object(text)
        source_ref = value.get("source-ref") if value else None
        if any(wanted != source_ref for wanted in source_refs):
            changed.append(f"{name}:{number}")
            continue
        if not value or not isinstance(source_ref, str) or not source_ref.startswith(_SCHEMES):
            not_lines += len(about)
            continue
        counted += len(about)
        if source_ref not in taken:
            taken.add(source_ref)
            texts.append(text)
            attributes.update(_label_attributes(value, {finding.attribute for finding in about}))
    if changed:
        are = "no longer names the image" if len(changed) == 1 else "no longer name the images"
        raise ReviewError(
            f"{first_of(changed, _MAX_CHANGED)}: {are} of the report; "
            "the manifest has changed since: run `groundlint check` again for a new report"
        )
    without_line = len(findings) - sum(map(len, of_line.values()))
    return Review(
        manifest=b"".join(texts),
        images=len(texts),
        findings=counted,
        attributes=sorted(
            (LabelAttribute(*attribute, count) for attribute, count in attributes.items()),
            key=lambda each: (-each.lines, each.name, each.type or ""),
        ),
        notes=list(_notes(without_line, not_lines)),
    )


def _object(text: bytes) -> dict[str, Any] | None:
    """The object of a line; None if the line is not valid JSON or not an object."""
    try:
        value = parse(text.strip()).value
    except InvalidJson:
        return None
    return value if isinstance(value, dict) else None


def _label_attributes(value: dict[str, Any], named: Collection[str | None]) -> Iterable[tuple[str, str | None]]:
    """The label attributes of a line that its findings name, else all of them, with their types."""
    keys = attribute_keys(value)
    for key in [key for key in keys if key in named] or keys:
        metadata = value[f"{key}-metadata"]
        type_ = metadata.get("type") if isinstance(metadata, dict) else None
        yield key, type_ if isinstance(type_, str) else None


def _notes(without_line: int, not_lines: int) -> Iterable[str]:
    if without_line:
        are = "is" if without_line == 1 else "are"
        yield f"{number_of(without_line, 'finding')} {are} not about an image, but about a label, manifest or data set"
    if not_lines:
        are = "is on a line" if not_lines == 1 else "are on lines"
        yield (
            f"{number_of(not_lines, 'finding')} {are} without valid JSON or an S3 URI in source-ref, "
            "which no job can label: fix the manifest first"
        )
