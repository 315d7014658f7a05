"""One line of a manifest, read in the service's order of checks: the truth that every faster path must agree with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import msgspec

from groundlint.engine.tables import BASE
from groundlint.manifest.attributes import Attribute, Fault, read_attribute
from groundlint.manifest.explain import Explainer, closest, describe, escape
from groundlint.manifest.kinds import Kind
from groundlint.manifest.strict_json import InvalidJson, parse
from groundlint.manifest.unpaired_keys import (
    NO_ATTRIBUTES,
    attribute_keys,
    is_half_of_label,
    missing,
    orphans,
    unpaired,
)

MAX_CHARACTERS = 100_000
"""Characters in a line; longer ones are removed silently by the service and refused by Ground Truth."""

MAX_ATTRIBUTE_CHARACTERS = 20_000
"""Characters in one value of a line that goes into a Ground Truth job."""

MAX_BYTES = 8 * 1024 * 1024
"""Longer lines are not parsed."""

_SOURCE_REF = re.compile(r"[sS]3://([^/]+)/(.+)", re.DOTALL)
_RECORDED_CODE = re.compile(r"(ERROR|WARNING)_[A-Z0-9_]+")
_BLANKS = b" \t\r"
_SCALARS = (str, int, float, bool, type(None))


@dataclass(slots=True)
class Rows:
    """Rows of the base tables, as tuples in the order of `SCHEMAS`."""

    lines: list[tuple[Any, ...]] = field(default_factory=list)
    problems: list[tuple[Any, ...]] = field(default_factory=list)
    attributes: list[tuple[Any, ...]] = field(default_factory=list)
    classes: list[tuple[Any, ...]] = field(default_factory=list)
    labels: list[tuple[Any, ...]] = field(default_factory=list)
    boxes: list[tuple[Any, ...]] = field(default_factory=list)
    predictions: list[tuple[Any, ...]] = field(default_factory=list)


ROW_TABLES = tuple(field.name for field in fields(Rows))
"""The base tables of which lines make rows."""

_OF_FILE = ("data_set", "manifest", "split", "line_id", "attribute_id", "box_id")
_OF_LINE = ("source_ref",)

SCHEMAS = {
    name: {
        key: dtype
        for key, dtype in BASE[name].schema.items()
        # A fault may be of what is no object, and so has no row in `lines`.
        if key not in _OF_FILE and (key not in _OF_LINE or name in ("lines", "problems"))
    }
    for name in ROW_TABLES
}
"""The columns of rows by table: those of the base tables, less what the file says and what `lines` says of the line."""


class SoundLine(NamedTuple):
    """A line without any fault: what a faster path may learn from."""

    value: Mapping[str, Any]
    attributes: tuple[Attribute, ...]


class LineReader:
    """Reads lines one by one into rows. Keeps nothing between lines but explanations already given."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._explainer = Explainer()

    def read(self, number: int, raw: bytes) -> SoundLine | None:
        """Append what one line says to the rows; the line if it has no fault.

        Args:
            number: of the line, from 1.
            raw: its bytes without the line feed.
        """
        raw = raw.removesuffix(b"\r")
        faults = _LineFaults(number, raw)
        sound = self._read(faults, raw)
        self._rows.problems += faults.rows
        return None if faults.rows else sound

    def _read(self, faults: _LineFaults, raw: bytes) -> SoundLine | None:
        if len(raw) > MAX_BYTES:
            faults.add(
                Kind.LINE_TOO_LONG, f"the line has {len(raw):,} bytes, more than {MAX_BYTES:,}; it was not parsed"
            )
            return None
        if not raw.strip(_BLANKS):
            faults.add(Kind.INVALID_JSON, "the line is blank and counts as an invalid one; remove it")
            return None
        try:
            value, repeated = parse(raw)
        except InvalidJson as error:
            faults.add(Kind.INVALID_JSON, f"the line is no valid JSON: {error}")
            return None
        if not isinstance(value, dict):
            faults.add(Kind.INVALID_JSON, "the line is no JSON object; write {…} with source-ref and labels")
            return None
        source_ref = value.get("source-ref")
        faults.source_ref = source_ref if isinstance(source_ref, str) else None
        for key in repeated:
            faults.add(Kind.REPEATED_KEY, f"the key `{key}` stands twice in one object; only the last one counts")
        attributes = [
            read_attribute(key, value[key], value[f"{key}-metadata"], self._explainer) for key in attribute_keys(value)
        ]
        line_is_lost = faults.check_line(raw, value, attributes)
        self._append(faults, value, attributes, line_is_lost)
        return SoundLine(value, tuple(attributes))

    def _append(
        self, faults: _LineFaults, value: dict[str, Any], attributes: list[Attribute], line_is_lost: bool
    ) -> None:
        rows, number, source_ref = self._rows, faults.number, faults.source_ref
        match = _SOURCE_REF.fullmatch(source_ref or "")
        rows.lines.append((number, source_ref, *(match.groups() if match else (None, None))))
        for attribute in attributes:
            usable = attribute.fault is None and not line_is_lost
            head = (number, attribute.name)
            is_detection = attribute.kind == "detection"
            rows.attributes.append(
                (
                    *head,
                    attribute.type,
                    "prediction" if attribute.is_prediction else attribute.kind,
                    attribute.human,
                    attribute.job,
                    attribute.created,
                    attribute.image_width,
                    attribute.image_height,
                    len(attribute.boxes) if is_detection else None,
                    attribute.class_name,
                    attribute.adjustment,
                    usable,
                )
            )
            rows.classes += [(*head, *entry) for entry in attribute.classes]
            if attribute.is_prediction:
                none = (None, None, None, None)
                rows.predictions += [(*head, None, *label, *none) for label in attribute.labels]
                rows.predictions += [
                    (*head, n, b.label, b.confidence, b.left, b.top, b.width, b.height)
                    for n, b in enumerate(attribute.boxes)
                ]
                continue
            rows.labels += [(*head, *label, usable) for label in attribute.labels]
            size = (attribute.image_width, attribute.image_height)
            rows.boxes += [
                (*head, n, b.label, b.left, b.top, b.width, b.height, *size, b.confidence, usable)
                for n, b in enumerate(attribute.boxes)
            ]
        for key, _ in _failures(value):
            metadata = value[f"{key}-metadata"]
            job, created = metadata.get("job-name"), metadata.get("creation-date")
            rows.attributes.append(
                (number, key, _text(metadata.get("type")), "failed", None, _text(job), _text(created))
                + (None,) * 5
                + (False,)
            )


@dataclass(slots=True)
class _LineFaults:
    """The faults of one line, as rows of `problems`."""

    number: int
    raw: bytes
    source_ref: str | None = None
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def add(
        self,
        kind: Kind,
        detail: str,
        *,
        attribute: str | None = None,
        box: int | None = None,
        label: str | None = None,
        pointer: str | None = None,
        recorded: str | None = None,
    ) -> None:
        digest = hashlib.sha256(self.raw).hexdigest() if self.source_ref is None else None
        values = {"found": detail}
        row = (self.number, attribute, box, self.source_ref, label, kind, values, pointer, kind.loses, recorded, digest)
        self.rows.append(row)

    def check_line(self, raw: bytes, value: dict[str, Any], attributes: list[Attribute]) -> bool:
        """All checks of the line and of its attributes; whether the line as a whole is lost."""
        is_too_long = self._check_length(raw)
        self._check_keys(value, attributes)
        self._add_recorded(value, attributes)
        if not self._check_source_ref(value):
            return True
        if not attributes:
            self._add_unlabelled(value)
            return True
        for attribute in attributes:
            for fault in [attribute.fault, *attribute.notes]:
                if fault and fault.kind is not Kind.ODD_ATTRIBUTE_NAME and fault.kind is not Kind.MASK_WITHOUT_COLOURS:
                    self._add_fault(attribute, fault)
        broken = [attribute.fault.kind for attribute in attributes if attribute.fault]
        first_group = {
            Kind.INVALID_LABEL_ATTRIBUTE,
            Kind.INVALID_LABEL_METADATA,
            Kind.MISSING_BOX_CONFIDENCE,
            Kind.MISSING_CLASS_ID,
        }
        if len(broken) == len(attributes) and not (len(broken) == 1 and broken[0] in first_group):
            self.add(
                Kind.NO_VALID_LABEL_ATTRIBUTES,
                "none of the line's label attributes can be used; see its other findings",
            )
        if all(attribute.is_empty_detection for attribute in attributes) and any(a.human for a in attributes):
            self.add(Kind.LINE_WITHOUT_BOXES, "the line has no boxes; the service ignores it, remove it or draw boxes")
        return is_too_long

    def _check_length(self, raw: bytes) -> bool:
        if len(raw) <= MAX_ATTRIBUTE_CHARACTERS:
            return False
        for key, part in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items():
            length = len(bytes(part).decode())
            if length > MAX_ATTRIBUTE_CHARACTERS:
                detail = f"the value of `{key}` has {length:,} characters; {MAX_ATTRIBUTE_CHARACTERS:,} are allowed"
                self.add(Kind.ATTRIBUTE_TOO_LONG, detail, attribute=_without_suffix(key))
        characters = len(raw.decode())
        if characters <= MAX_CHARACTERS:
            return False
        mend = "split its labels or leave out what training does not need"
        self.add(Kind.LINE_TOO_LONG, f"the line has {characters:,} characters; {MAX_CHARACTERS:,} are allowed; {mend}")
        return True

    def _check_keys(self, value: dict[str, Any], attributes: list[Attribute]) -> None:
        """Ground Truth's rules on keys, and what stands beside sound labels without being one."""
        for key in value:
            name = _without_suffix(key)
            if key.startswith("$") and (key == name or name not in value):
                detail = (
                    f"the key `{key}` begins with $, which the input of a labeling job must not; rename or remove it"
                )
                self.add(Kind.DOLLAR_KEY, detail, attribute=name)
        for name in sorted(NO_ATTRIBUTES & set(value)):
            if is_half_of_label(f"{name}-metadata", value.get(f"{name}-metadata")):
                detail = f"a label attribute must not be called `{name}`; rename `{name}-metadata` and its label"
                self.add(Kind.ODD_ATTRIBUTE_NAME, detail, attribute=name)
        for attribute in attributes:
            for fault in attribute.notes:
                if fault.kind is Kind.ODD_ATTRIBUTE_NAME or fault.kind is Kind.MASK_WITHOUT_COLOURS:
                    self._add_fault(attribute, fault)
        if not attributes:
            return
        failed = dict(_failures(value))
        for key, reason in failed.items():
            self.add(Kind.FAILED_LABEL, f"labeling of `{key}` failed: {reason}", attribute=key)
        for key, detail in orphans(value):
            name = _without_suffix(key)
            if name not in failed:
                self.add(Kind.ORPHAN_KEY, detail, attribute=name, pointer=f"/{escape(key)}")

    def _check_source_ref(self, value: dict[str, Any]) -> bool:
        source_ref = value.get("source-ref")
        if "source-ref" not in value:
            meant = closest("source-ref", (key for key in value if key != "source"))
            hint = f"{meant}: did you mean source-ref?" if meant else "write the image's URI as s3://bucket/key"
            if "source" in value:
                hint = "source holds text, which Custom Labels does not train on; " + hint
            else:
                self.add(Kind.MISSING_SOURCE, f"the line has neither source-ref nor source; {hint}")
            self.add(Kind.MISSING_SOURCE_REF, f"the line has no source-ref; {hint}")
        elif not isinstance(source_ref, str) or not _SOURCE_REF.fullmatch(source_ref):
            shown = source_ref if isinstance(source_ref, str) and source_ref.strip() else describe(source_ref)
            detail = f"source-ref is {shown}; write the image's URI as s3://bucket/key"
            self.add(Kind.INVALID_SOURCE_REF, detail, pointer="/source-ref")
        else:
            return True
        return False

    def _add_unlabelled(self, value: dict[str, Any]) -> None:
        """Only a line with nothing but its image is documented as ignored; any other key may be half a label."""
        failed = ((f"{key}-metadata", f"labeling of `{key}` failed: {why}") for key, why in _failures(value))
        halves = [*failed, *orphans(value)]
        others = unpaired(value)
        if halves or others:
            key, reason = halves[0] if halves else (others[0], missing(others[0], value))
            detail = "the line has no label attribute, which is a key and the same key with -metadata; " + reason
            # By name and value no half of a label: only the line as a whole can be blamed.
            self.add(Kind.NO_LABEL_ATTRIBUTES, detail, pointer=f"/{escape(key)}" if halves else None)
        else:
            self.add(Kind.UNANNOTATED_LINE, "the line names an image without labels; the service ignores it")

    def _add_fault(self, attribute: Attribute, fault: Fault) -> None:
        name = attribute.name
        self.add(fault.kind, fault.detail, attribute=name, box=fault.box, label=fault.label, pointer=fault.pointer)

    def _add_recorded(self, value: dict[str, Any], attributes: list[Attribute]) -> None:
        """Errors that the service wrote into a validation manifest, wherever it puts them."""
        for code, detail in _recorded(value):
            self.add(Kind.RECORDED_ERROR, detail, recorded=code)
        for attribute in attributes:
            name, label = attribute.name, value[attribute.name]
            for part in (label, value[f"{name}-metadata"]):
                for code, detail in _recorded(part):
                    self.add(Kind.RECORDED_ERROR, detail, attribute=name, recorded=code)
            annotations = label.get("annotations") if isinstance(label, dict) else None
            for box, annotation in enumerate(annotations if isinstance(annotations, list) else []):
                for code, detail in _recorded(annotation):
                    self.add(Kind.RECORDED_ERROR, detail, attribute=name, box=box, recorded=code)


def _without_suffix(key: str) -> str:
    """The name of the attribute that a key is of: findings name attributes so."""
    return key.removesuffix("-metadata")


def is_plain_extra(key: str, value: object) -> bool:
    """Whether a key beside sound labels is passed through by the service and can be no half of a label.

    The answer holds whatever scalar it has and whatever stands beside it.
    """
    return isinstance(value, _SCALARS) and not key.startswith("$") and "meta" not in key.casefold()


def _failures(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Attributes that a labeling job gave up on: metadata with a failure-reason and no label."""
    for key, metadata in value.items():
        name = _without_suffix(key)
        if name != key and name not in value and isinstance(metadata, dict) and "failure-reason" in metadata:
            yield name, _text(metadata["failure-reason"]) or "the job gives no reason"


def _recorded(part: Any) -> Iterator[tuple[str, str]]:
    """Codes that the service wrote into a part of a line, each with a sentence."""
    if not isinstance(part, dict):
        return
    for key in ("errors", "warnings", "cl-errors"):
        entries = part.get(key)
        for entry in entries if isinstance(entries, list) else ():
            code = entry.get("code") if isinstance(entry, dict) else None
            if isinstance(code, str) and _RECORDED_CODE.fullmatch(code):
                message = _text(entry.get("message"))
                yield code, f"the file records {code}" + (f": {message}" if message else "")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
