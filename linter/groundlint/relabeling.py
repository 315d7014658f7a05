"""Label changes and removals that a review accepts, as the bytes of a changed manifest."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from groundlint.manifest.attributes import Attribute, read_attribute
from groundlint.manifest.explain import Explainer
from groundlint.manifest.label_edits import LabelIds, NotEditable, edit_boxes, relabel_image, replace_label
from groundlint.manifest.physical_lines import split_lines
from groundlint.manifest.strict_json import InvalidJson, parse
from groundlint.manifest.unpaired_keys import attribute_keys
from groundlint.phrases import first_of, number_of
from groundlint.report.csv import cell
from groundlint.review_file import Decision, Problem, Row

_LABELED = ("classification", "detection", "multilabel")
"""Kinds of label attributes whose labels have names that a review can change."""

_SPACED = re.compile(rb'\s*\{\s*"(?:[^"\\]|\\.)*"\s*: ')


class Relabeled(NamedTuple):
    """A changed manifest, with the numbers of its changes, or the problems because of which it is not to be used."""

    manifest: bytes
    problems: list[Problem]
    relabeled: int
    removed_boxes: int
    removed_labels: int
    removed_lines: int
    kept: int


def relabel(rows: Sequence[Row], manifest: bytes) -> Relabeled:
    """Apply the decisions of a review to a manifest. Lines that nothing changes keep their bytes.

    Boxes are numbered as in the given manifest. A label gets the id that it has on the same line, else the one that it
    has on most lines, else a new one; the result does not depend on the order of rows and lines.

    Args:
        rows: The decisions.
        manifest: Bytes of the manifest.
    """
    mark = codecs.BOM_UTF8 if manifest.startswith(codecs.BOM_UTF8) else b""
    texts = split_lines(manifest.removeprefix(mark))
    found = _Manifest(texts, rows)
    decided, problems = _decided(rows, found)
    problems += _contradictions(decided)
    for each in decided:
        if each.row.decision is Decision.RELABEL and each.attribute is not None:
            found.ids.want(each.attribute, each.row.new_label)
    counts = Counter[str]()
    changed: dict[int, bytes] = {}
    for line, decisions in _by_line(decided) if not problems else ():
        try:
            changed[line.number] = _edited(line, decisions, found.ids, counts)
        except NotEditable as error:
            text = f"line {line.number}: {error}; fix the line first"
            problems += [Problem(each.row.number, text) for each in decisions]
    return Relabeled(
        manifest=mark + b"".join(changed.get(number, text) for number, text in enumerate(texts, 1)),
        problems=problems,
        relabeled=counts["relabeled"],
        removed_boxes=counts["boxes"],
        removed_labels=counts["labels"],
        removed_lines=counts["lines"],
        kept=sum(row.decision is Decision.KEEP for row in rows),
    )


@dataclass
class _Line:
    """A line that rows are about: its number, its bytes, its object, and the keys that the object has twice."""

    number: int
    text: bytes
    value: dict[str, Any]
    duplicate_keys: tuple[str, ...]

    @cached_property
    def attributes(self) -> dict[str, Attribute]:
        """The label attributes by name."""
        explainer = Explainer()
        return {
            key: read_attribute(key, self.value[key], self.value[f"{key}-metadata"], explainer)
            for key in attribute_keys(self.value)
        }


class _Manifest:
    """The lines that rows are about, by source-ref, and the ids of labels on all lines."""

    def __init__(self, texts: Sequence[bytes], rows: Sequence[Row]) -> None:
        wanted = {row.source_ref for row in rows} | {row.source_ref.strip() for row in rows}
        renamed = [row for row in rows if row.decision is Decision.RELABEL]
        self.ids = LabelIds()
        attributes = {row.attribute for row in renamed}
        self._lines: dict[str, list[_Line]] = {}
        for number, text in enumerate(texts, 1):
            try:
                value, duplicate_keys = parse(text.strip())
            except InvalidJson:
                continue
            if not isinstance(value, dict):
                continue
            for key in attribute_keys(value) if renamed else ():
                if any(_is(attribute, key) for attribute in attributes):
                    self.ids.add(key, value)
            source_ref = value.get("source-ref")
            if isinstance(source_ref, str) and (source_ref in wanted or cell(source_ref) in wanted):
                self._lines.setdefault(source_ref, []).append(_Line(number, text, value, duplicate_keys))

    @cached_property
    def _by_cell(self) -> dict[str, list[_Line]]:
        lines: dict[str, list[_Line]] = {}
        for source_ref, some in self._lines.items():
            lines.setdefault(cell(source_ref), []).extend(some)
        return lines

    def lines(self, source_ref: str) -> list[_Line]:
        """The lines of an image, as a cell names it."""
        for known in (self._lines, self._by_cell):
            for name in (source_ref, source_ref.strip()):
                if name in known:
                    return known[name]
        return []


def _is(written: str, name: str | None) -> bool:
    """Whether a cell means a name."""
    return name is not None and (name in (written, written.strip()) or cell(name) == written.strip())


_Place = tuple[int, str | None, int | None, str | None]
"""Line, attribute, box and label; None for the whole."""


class _Decided(NamedTuple):
    """A row with the line, attribute, box and label that it is about; None where it is about the whole."""

    row: Row
    line: _Line
    attribute: str | None
    box: int | None
    label: str | None

    @property
    def place(self) -> _Place:
        """What the row decides on."""
        return self.line.number, self.attribute, self.box, self.label

    @property
    def around(self) -> list[_Place]:
        """What the place is part of."""
        number, attribute, box, label = self.place
        whole: list[_Place] = [(number, attribute, None, None), (number, None, None, None)]
        return [place for place in whole if place != (number, attribute, box, label)]

    @property
    def what(self) -> str:
        """The place in words."""
        if self.box is not None:
            return f"box {self.box}"
        return f"attribute {self.attribute!r}" if self.attribute is not None else "line"


def _decided(rows: Sequence[Row], manifest: _Manifest) -> tuple[list[_Decided], list[Problem]]:
    """The places of all rows, and the rows whose place is not in the manifest."""
    decided: list[_Decided] = []
    problems = []
    for row in rows:
        places = [_place(row, line) for line in manifest.lines(row.source_ref)]
        known = [place for place in places if isinstance(place, _Decided)]
        if len(known) == 1 or (known and row.decision is Decision.KEEP):
            decided += known
        elif known:
            lines = first_of([str(place.line.number) for place in known])
            text = f"lines {lines} name this image; remove all but one from the manifest first"
            problems.append(Problem(row.number, text))
        else:
            unknown = f"the manifest has no image {row.source_ref!r}; remove the row if it is about another manifest"
            why = [place for place in places if isinstance(place, str)] or [unknown]
            problems.append(Problem(row.number, why[0]))
    return decided, problems


def _place(row: Row, line: _Line) -> _Decided | str:
    """The place of a row on a line, or why it is not there."""
    if not row.attribute.strip():
        return _Decided(row, line, None, None, None)
    names = [name for name in line.attributes if _is(row.attribute, name)]
    if not names:
        has = first_of([repr(name) for name in line.attributes]) or "none"
        return f"line {line.number} has no label attribute {row.attribute!r}; it has {has}"
    attribute = line.attributes[row.attribute if row.attribute in names else names[0]]
    if row.box is not None:
        return _place_of_box(row, line, attribute)
    changed = "the manifest has changed since the review, or the row is about another image"
    labels = [box.label for box in attribute.boxes] or [label for label, _ in attribute.labels]
    if row.label.strip() and not any(_is(row.label, label) for label in labels):
        has = first_of(sorted({repr(label) for label in labels if label})) or "no label"
        return f"{attribute.name!r} on line {line.number} has {has}, not {row.label!r}; {changed}"
    is_relabel = row.decision is Decision.RELABEL
    if is_relabel and (attribute.kind not in _LABELED or (attribute.kind == "classification" and not labels)):
        return (
            f"{attribute.name!r} on line {line.number} has no label that can be changed; remove it, or label it again"
        )
    if attribute.kind == "detection" and (is_relabel or (row.label.strip() and row.decision is Decision.REMOVE)):
        return f"box is empty; {attribute.name!r} has {number_of(len(attribute.boxes), 'box')}: name one, from 0"
    if attribute.kind != "multilabel":
        return _Decided(row, line, attribute.name, None, None)
    if is_relabel and not row.label.strip():
        return f"label is empty; {attribute.name!r} has several labels: name the one that changes"
    label = next((label for label in labels if _is(row.label, label)), None)
    return _Decided(row, line, attribute.name, None, label)


def _place_of_box(row: Row, line: _Line, attribute: Attribute) -> _Decided | str:
    box, count = row.box or 0, len(attribute.boxes)
    if box >= count:
        has = f"has {number_of(count, 'box')}, counted from 0" if count else "has no boxes"
        return f"{attribute.name!r} on line {line.number} {has}; there is no box {box}"
    label = attribute.boxes[box].label
    if row.label.strip() and not _is(row.label, label):
        is_now = repr(label) if label is not None else "without a label"
        return (
            f"box {box} of {attribute.name!r} on line {line.number} is {is_now}, not {row.label!r}; check the box again"
        )
    return _Decided(row, line, attribute.name, box, None)


def _contradictions(decided: Sequence[_Decided]) -> Iterator[Problem]:
    """Rows that decide differently on one place, or change or keep what another row removes."""
    first: dict[Any, Row] = {}
    for each in decided:
        row, other = each.row, first.setdefault(each.place, each.row)
        if row.decision is not other.decision:
            says = f"this row says {row.decision} and row {other.number} {other.decision}"
        elif row.decision is Decision.RELABEL and row.new_label != other.new_label:
            says = f"this row says {row.new_label!r} and row {other.number} {other.new_label!r}"
        else:
            continue
        yield Problem(row.number, f"contradiction about the same {each.what}: {says}; keep one of the two rows")
    removed = {each.place: each for each in decided if each.row.decision is Decision.REMOVE}
    for each in decided:
        outer = next((removed[place] for place in each.around if place in removed), None)
        if outer and each.row.decision is not Decision.REMOVE:
            says = f"this row says {each.row.decision}, but row {outer.row.number} removes the {outer.what} around it"
            yield Problem(each.row.number, f"contradiction: {says}; keep one of the two rows")


def _by_line(decided: Iterable[_Decided]) -> list[tuple[_Line, list[_Decided]]]:
    """The changes of each line, each once, in an order that is not that of the rows."""
    places = {each.place: each for each in decided if each.row.decision is not Decision.KEEP}
    lines: dict[int, tuple[_Line, list[_Decided]]] = {}
    for each in sorted(places.values(), key=lambda each: (each.line.number, each.box or 0, each.label or "")):
        lines.setdefault(each.line.number, (each.line, []))[1].append(each)
    return list(lines.values())


def _edited(line: _Line, decisions: Sequence[_Decided], ids: LabelIds, counts: Counter[str]) -> bytes:
    """The bytes of a line after its changes, which are counted; none if the line is removed.

    Raises:
        NotEditable: Something in the line must be fixed first.
    """
    if any(each.attribute is None for each in decisions):
        counts["lines"] += 1
        return b""
    if line.duplicate_keys:
        key = line.duplicate_keys[0]
        raise NotEditable(f"the key {key!r} is there twice")
    of_attribute: dict[str, list[_Decided]] = {}
    for each in decisions:
        of_attribute.setdefault(each.attribute or "", []).append(each)
    try:
        value = json.loads(line.text)
        before = counts.copy()
        for name, some in of_attribute.items():
            _edit_attribute(value, line.attributes[name], some, ids, counts)
        return _written(value, line.text) if counts != before else line.text
    except ValueError:
        raise NotEditable("a number is too large") from None


def _written(value: dict[str, Any], text: bytes) -> bytes:
    """A line with another object, with spaces, escapes and end as in its text."""
    separators = (", ", ": ") if _SPACED.match(text) else (",", ":")
    written = json.dumps(value, ensure_ascii=text.isascii(), separators=separators, allow_nan=False)
    return written.encode() + text[len(text.rstrip(b"\r\n")) :]


def _edit_attribute(
    value: dict[str, Any], attribute: Attribute, decisions: Sequence[_Decided], ids: LabelIds, counts: Counter[str]
) -> None:
    """Change the label attribute of a line, and count the changes."""
    name = attribute.name
    if any(each.box is None and each.label is None and each.row.decision is Decision.REMOVE for each in decisions):
        del value[name], value[f"{name}-metadata"]
        counts["labels"] += 1
        return
    if attribute.kind == "detection":
        boxes = {each.box: each.row for each in decisions if each.box is not None}
        removed = {box for box, row in boxes.items() if row.decision is Decision.REMOVE}
        of_box = {box: row.new_label for box, row in boxes.items() if box not in removed}
        new = {box: label for box, label in of_box.items() if attribute.boxes[box].label != label}
        edit_boxes(value, name, new, removed, ids)
        counts.update(relabeled=len(new), boxes=len(removed))
        return
    for each in decisions:
        old = each.label or attribute.class_name
        label = each.row.new_label if each.row.decision is Decision.RELABEL else None
        if label == old:
            continue
        if attribute.kind == "multilabel":
            replace_label(value, name, old or "", label, ids)
        else:
            relabel_image(value, name, label or "", ids)
        counts["labels" if label is None else "relabeled"] += 1
