"""A review as people write it in a spreadsheet: which label is kept, changed or removed."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from groundlint.errors import GroundlintError
from groundlint.manifest.label_formats import MAX_LABEL_NAME
from groundlint.phrases import suggestion
from groundlint.sanitize import visible

COLUMNS = ("source_ref", "attribute", "box", "label", "decision", "new_label", "rule", "note")
"""Columns of a review. `source_ref` and `decision` are required, `rule` and `note` are for people only."""

_REQUIRED = ("source_ref", "decision")
_DELIMITERS = ",;\t"
_BOX = re.compile(r"([0-9]{1,9})(?:\.0+)?")
# Excel takes the first line of a file for the delimiter if it looks like this.
_DELIMITER_LINE = re.compile(r"sep=(.)\r?\n")
# As reports write what a spreadsheet would take for a formula.
_ESCAPED_FORMULA = re.compile(r"^'(?=[=+\-@])")


class ReviewFileError(GroundlintError):
    """The file as a whole is not a review."""


class Decision(StrEnum):
    """What is done with a label."""

    KEEP = "keep"
    RELABEL = "relabel"
    REMOVE = "remove"


class Row(NamedTuple):
    """A decision on a box, on a label attribute, or on a line if `attribute` is empty.

    `number` counts rows as spreadsheets do, from 1, the header included. Cells of text are as they are in the file.
    """

    number: int
    source_ref: str
    attribute: str
    box: int | None
    label: str
    decision: Decision
    new_label: str


class Problem(NamedTuple):
    """What is wrong with a row, and how to fix it."""

    row: int
    text: str


class ReviewFile(NamedTuple):
    """The rows of a review, and the problems of rows that are left out.

    `undecided` is the number of rows without a decision, `unused` that of rows whose new label is not used, and
    `ignored` are columns that are not those of a review.
    """

    rows: list[Row]
    problems: list[Problem]
    undecided: int
    unused: int
    ignored: list[str]


def read_review(data: bytes) -> ReviewFile:
    """Read a review with commas, semicolons or tabs between its cells.

    Args:
        data: Bytes of the file, in UTF-8.

    Raises:
        ReviewFileError: It is not text in UTF-8, or its first row does not name the columns.
    """
    records = _records(data)
    at, header = next(((n, cells) for n, cells in enumerate(records) if any(map(str.strip, cells))), (0, []))
    names = [name.strip().lower() for name in header]
    if missing := [name for name in _REQUIRED if name not in names]:
        found = ", ".join(f"`{name}`" for name in names[: len(COLUMNS)] if name) or "nothing"
        raise ReviewFileError(
            f"the first row does not name the column `{missing[0]}`; it has {found}; "
            f"a review has the columns {', '.join(COLUMNS)}"
        )
    if repeated := [name for name in COLUMNS if names.count(name) > 1]:
        raise ReviewFileError(f"the column `{repeated[0]}` appears twice; remove one of the two")
    read = ReviewFile([], [], 0, 0, [name for name in names if name and name not in COLUMNS])
    undecided = unused = 0
    for number, cells in enumerate(records[at + 1 :], at + 2):
        if not any(map(str.strip, cells)):
            continue
        values = dict(zip(names, cells, strict=False))
        if any(map(str.strip, cells[len(names) :])):
            text = f"{len(cells)} cells, but {len(names)} columns; put text that has a delimiter in double quotes"
            read.problems.append(Problem(number, text))
        elif not values.get("decision", "").strip() and not values.get("new_label", "").strip():
            undecided += 1
        elif isinstance(row := _row(number, values), Row):
            read.rows.append(row)
            unused += row.decision is not Decision.RELABEL and bool(row.new_label)
        else:
            read.problems.append(Problem(number, row))
    return read._replace(undecided=undecided, unused=unused)


def _records(data: bytes) -> list[list[str]]:
    """The rows of cells, empty ones too, by the delimiter with which the first one names the columns."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ReviewFileError("the text is UTF-16; save it as CSV UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ReviewFileError(f"line {line} is not UTF-8; save the file as CSV UTF-8") from None
    stated = _DELIMITER_LINE.match(text)
    if stated:
        return _parsed(text[stated.end() :], stated[1])
    by_delimiter = [_parsed(text, delimiter) for delimiter in _DELIMITERS]
    return max(by_delimiter, key=lambda records: next((len(cells) for cells in records if cells), 0))


def _parsed(text: str, delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise ReviewFileError(f"not CSV: {error}") from None


def _row(number: int, values: Mapping[str, str]) -> Row | str:
    """The row of some cells, or what is wrong with them."""
    source_ref, attribute, label = (values.get(name, "") for name in ("source_ref", "attribute", "label"))
    box, new_label = (values.get(name, "").strip() for name in ("box", "new_label"))
    written = values.get("decision", "").strip()
    if written.lower() not in [*Decision]:
        known = ", ".join(Decision)
        return f"decision {written!r} is not one of {known}{suggestion(written, Decision) if written else ''}"
    decision = Decision(written.lower())
    if not source_ref.strip():
        return "source_ref is empty; write the source-ref of the image"
    number_of_box = _BOX.fullmatch(box)
    if box and not number_of_box:
        return f"box {box!r} is not a number; write the position of the box in `annotations`, from 0"
    if not attribute.strip() and (box or label.strip()):
        return "a box or label without attribute; name its attribute, or leave both empty to decide on the whole line"
    if decision is Decision.RELABEL:
        if not attribute.strip():
            return "attribute is empty; name the label attribute whose label changes"
        if fault := _fault_of_name(new_label):
            return fault
    position = int(number_of_box[1]) if number_of_box else None
    plain = _ESCAPED_FORMULA.sub("", new_label)
    return Row(number, source_ref, attribute, position, label, decision, plain)


def _fault_of_name(label: str) -> str | None:
    if not label:
        return "new_label is empty; write the name of the right label"
    if visible(label, limit=None) != label:
        return f"new_label {label!r} has invisible characters; write it again without them"
    if len(label) > MAX_LABEL_NAME:
        return f"new_label has {len(label)} characters; at most {MAX_LABEL_NAME} are allowed"
    return None
