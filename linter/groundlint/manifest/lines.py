"""One line of a manifest, read in the service's order of checks. Faster ways to read must give the same rows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import msgspec

from groundlint.engine.base_tables import BASE
from groundlint.manifest.attributes import Attribute, ground_truth_faults, read_attribute
from groundlint.manifest.explain import Explainer, Fault, closest, describe, escape
from groundlint.manifest.kinds import Effect, Kind, Values
from groundlint.manifest.strict_json import InvalidJson, parse
from groundlint.manifest.unpaired_keys import (
    NO_ATTRIBUTES,
    UnpairedKey,
    attribute_keys,
    has_form_of_label,
    missing_counterpart,
    orphans,
    unpaired,
)

MAX_CHARACTERS = 100_000
"""Characters in a line; the service removes longer ones without a message, and Ground Truth refuses them."""

MAX_ATTRIBUTE_CHARACTERS = 20_000
"""Characters in one value of a line that is input of a Ground Truth job."""

MAX_PARSED_BYTES = 8 * 1024 * 1024
"""Longer lines are not parsed."""

_SOURCE_REF = re.compile(r"[sS]3://([^/]+)/(.+)", re.DOTALL)
_RECORDED_CODE = re.compile(r"(ERROR|WARNING)_[A-Z0-9_]+")
_BLANKS = b" \t\r"
_SCALARS = (str, int, float, bool, type(None))
_NO_VALUES: Values = {}
_OF_LINE_WITHOUT_LABELS = {
    Kind.UNPAIRED_KEY: Kind.LINE_WITH_UNPAIRED_KEY,
    Kind.MISNAMED_METADATA: Kind.LINE_WITH_MISNAMED_METADATA,
    Kind.METADATA_ONLY: Kind.LINE_WITH_METADATA_ONLY,
}


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
"""The base tables to which lines add rows."""

_OF_FILE = ("data_set", "manifest", "split", "line_id", "attribute_id", "box_id")
_OF_LINE = ("source_ref",)

SCHEMAS = {
    name: {
        key: dtype
        for key, dtype in BASE[name].schema.items()
        # A line that is not an object has problems, but no row in `lines` that could give its source-ref.
        if key not in _OF_FILE and (key not in _OF_LINE or name in ("lines", "problems"))
    }
    for name in ROW_TABLES
}
"""Columns of rows by table: those of the base tables without those that the file or `lines` gives."""


class ValidLine(NamedTuple):
    """A line without any fault, from which the shape of a batch is learned."""

    value: Mapping[str, Any]
    attributes: tuple[Attribute, ...]


class LineReader:
    """Reads lines one by one into rows. Between lines it keeps only explanations already made."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._explainer = Explainer()

    def read(self, number: int, raw: bytes) -> ValidLine | None:
        """Append the rows of one line, and return the line if it has no fault.

        Args:
            number: Number of the line, from 1.
            raw: Bytes of the line without the line feed.
        """
        raw = raw.removesuffix(b"\r")
        faults = _LineFaults(number, raw)
        valid = self._read(faults, raw)
        self._rows.problems += faults.rows
        return None if faults.rows else valid

    def _read(self, faults: _LineFaults, raw: bytes) -> ValidLine | None:
        if len(raw) > MAX_PARSED_BYTES:
            faults.add(Kind.LINE_NOT_PARSED, {"count": len(raw), "limit": MAX_PARSED_BYTES})
            return None
        if not raw.strip(_BLANKS):
            faults.add(Kind.BLANK_LINE)
            return None
        try:
            value, duplicate_keys = parse(raw)
        except InvalidJson as error:
            faults.add(Kind.INVALID_JSON, {"found": str(error)})
            return None
        if not isinstance(value, dict):
            faults.add(Kind.NOT_AN_OBJECT)
            return None
        source_ref = value.get("source-ref")
        faults.source_ref = source_ref if isinstance(source_ref, str) else None
        for key in duplicate_keys:
            faults.add(Kind.DUPLICATE_KEY, {"key": key})
        attributes = [
            read_attribute(key, value[key], value[f"{key}-metadata"], self._explainer) for key in attribute_keys(value)
        ]
        line_is_lost = faults.check_line(raw, value, attributes)
        self._append(faults, value, attributes, line_is_lost)
        return ValidLine(value, tuple(attributes))

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
        values: Values = _NO_VALUES,
        *,
        attribute: str | None = None,
        box: int | None = None,
        label: str | None = None,
        pointer: str | None = None,
        recorded: str | None = None,
    ) -> None:
        """Add a fault; its message is made of the values."""
        digest = hashlib.sha256(self.raw).hexdigest() if self.source_ref is None else None
        row = (self.number, attribute, box, self.source_ref, label, kind, values, pointer, kind.loses, recorded, digest)
        self.rows.append(row)

    def check_line(self, raw: bytes, value: dict[str, Any], attributes: list[Attribute]) -> bool:
        """All checks of the line and of its attributes; whether the line as a whole is lost."""
        is_too_long = self._check_length(raw)
        self._check_keys(value, attributes)
        # Unless an escape hides it, the key of a recorded error shows in the bytes.
        if b"errors" in raw or b"warnings" in raw or b"\\u" in raw:
            self._add_recorded(value, attributes)
        if not self._check_source_ref(value):
            return True
        if not attributes:
            self._add_unlabeled(value)
            return True
        for attribute in attributes:
            for fault in [attribute.fault, *attribute.remarks]:
                if fault:
                    self._add_fault(attribute, fault)
        broken = [attribute.fault.kind for attribute in attributes if attribute.fault]
        if len(broken) == len(attributes) and not (len(broken) == 1 and Effect.FINAL in broken[0].effects):
            self.add(Kind.NO_VALID_LABEL_ATTRIBUTES)
        if all(attribute.is_empty_detection for attribute in attributes) and any(a.human for a in attributes):
            self.add(Kind.LINE_WITHOUT_BOXES)
        return is_too_long

    def _check_length(self, raw: bytes) -> bool:
        if len(raw) <= MAX_ATTRIBUTE_CHARACTERS:
            return False
        for key, part in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items():
            length = len(bytes(part).decode())
            if length > MAX_ATTRIBUTE_CHARACTERS:
                values: Values = {"key": key, "count": length, "limit": MAX_ATTRIBUTE_CHARACTERS}
                self.add(Kind.ATTRIBUTE_TOO_LONG, values, attribute=_without_suffix(key))
        characters = len(raw.decode())
        if characters <= MAX_CHARACTERS:
            return False
        self.add(Kind.LINE_TOO_LONG, {"count": characters, "limit": MAX_CHARACTERS})
        return True

    def _check_keys(self, value: dict[str, Any], attributes: list[Attribute]) -> None:
        """Ground Truth's rules on keys, and keys beside valid labels that lack their counterpart."""
        for key in value:
            name = _without_suffix(key)
            if key.startswith("$") and (key == name or name not in value):
                self.add(Kind.DOLLAR_KEY, {"key": key}, attribute=name)
        for name in sorted(NO_ATTRIBUTES & set(value)):
            if has_form_of_label(f"{name}-metadata", value.get(f"{name}-metadata")):
                self.add(Kind.NAME_IS_RESERVED, {"key": name}, attribute=name)
        for attribute in attributes:
            for fault in ground_truth_faults(attribute, value[f"{attribute.name}-metadata"]):
                self._add_fault(attribute, fault)
        if not attributes:
            return
        failed = dict(_failures(value))
        for key, reason in failed.items():
            self.add(Kind.FAILED_LABEL, {"key": key, "found": reason}, attribute=key)
        self._add_orphans(orphan for orphan in orphans(value) if _without_suffix(orphan.key) not in failed)

    def _add_orphans(self, orphans: Iterable[UnpairedKey]) -> None:
        for key, kind, values in orphans:
            self.add(kind, values, attribute=_without_suffix(key), pointer=f"/{escape(key)}")

    def _check_source_ref(self, value: dict[str, Any]) -> bool:
        source_ref = value.get("source-ref")
        if "source-ref" not in value:
            meant = closest("source-ref", (key for key in value if key != "source"))
            values = {"found": meant} if meant else _NO_VALUES
            if "source" not in value:
                self.add(Kind.MISNAMED_SOURCE if meant else Kind.MISSING_SOURCE, values)
            kind = Kind.TEXT_SOURCE if "source" in value else Kind.MISSING_SOURCE_REF
            self.add(Kind.MISNAMED_SOURCE_REF if meant else kind, values)
        elif not isinstance(source_ref, str) or not _SOURCE_REF.fullmatch(source_ref):
            shown = source_ref if isinstance(source_ref, str) and source_ref.strip() else describe(source_ref)
            self.add(Kind.INVALID_SOURCE_REF, {"found": shown}, pointer="/source-ref")
        else:
            return True
        return False

    def _add_unlabeled(self, value: dict[str, Any]) -> None:
        """Only a line with nothing but its image is documented as ignored; any other key may belong to a label."""
        failed = dict(_failures(value))
        single = [orphan for orphan in orphans(value) if _without_suffix(orphan.key) not in failed]
        others = unpaired(value)
        if failed:
            key, reason = next(iter(failed.items()))
            pointer = f"/{escape(key)}-metadata"
            self.add(Kind.LINE_WITH_FAILED_LABEL, {"key": key, "found": reason}, pointer=pointer)
        elif single:
            key, kind, values = single[0]
            self.add(_OF_LINE_WITHOUT_LABELS[kind], values, pointer=f"/{escape(key)}")
        elif others:
            # Neither by name nor by value part of a label: the fault is not in this key, so it has no pointer.
            _, kind, values = missing_counterpart(others[0], value)
            self.add(_OF_LINE_WITHOUT_LABELS[kind], values)
        else:
            self.add(Kind.UNANNOTATED_LINE)
        self._add_orphans(single)

    def _add_fault(self, attribute: Attribute, fault: Fault) -> None:
        self.add(fault.kind, fault.values, attribute=attribute.name, label=fault.label, pointer=fault.pointer)

    def _add_recorded(self, value: dict[str, Any], attributes: list[Attribute]) -> None:
        """Errors that the service wrote into a validation manifest, in all places where it puts them."""
        for code, text in _recorded(value):
            self.add(Kind.RECORDED_ERROR, {"found": text}, recorded=code)
        for attribute in attributes:
            name, label = attribute.name, value[attribute.name]
            for part in (label, value[f"{name}-metadata"]):
                for code, text in _recorded(part):
                    self.add(Kind.RECORDED_ERROR, {"found": text}, attribute=name, recorded=code)
            annotations = label.get("annotations") if isinstance(label, dict) else None
            for box, annotation in enumerate(annotations if isinstance(annotations, list) else []):
                for code, text in _recorded(annotation):
                    self.add(Kind.RECORDED_ERROR, {"found": text}, attribute=name, box=box, recorded=code)


def _without_suffix(key: str) -> str:
    """The name of the attribute that a key belongs to, as findings give it."""
    return key.removesuffix("-metadata")


def is_plain_extra(key: str, value: object) -> bool:
    """Whether a key beside valid labels is certainly not part of a label.

    The answer does not depend on which scalar it has nor on the other keys.
    """
    return isinstance(value, _SCALARS) and not key.startswith("$") and "meta" not in key.casefold()


def _failures(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Attributes whose labeling failed, with the reason: metadata with a failure-reason and no label."""
    for key, metadata in value.items():
        name = _without_suffix(key)
        if name != key and name not in value and isinstance(metadata, dict) and "failure-reason" in metadata:
            yield name, _text(metadata["failure-reason"]) or "the job gives no reason"


def _recorded(part: Any) -> Iterator[tuple[str, str]]:
    """Codes that the service wrote into a part of a line, each with its message."""
    if not isinstance(part, dict):
        return
    for key in ("errors", "warnings", "cl-errors"):
        entries = part.get(key)
        for entry in entries if isinstance(entries, list) else ():
            code = entry.get("code") if isinstance(entry, dict) else None
            if isinstance(code, str) and _RECORDED_CODE.fullmatch(code):
                message = _text(entry.get("message"))
                yield code, f"{code}: {message}" if message else code


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
