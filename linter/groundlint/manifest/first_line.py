"""Why no line of a file is a JSON object, by its first lines: usually the fault of one converter."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from groundlint.manifest.kinds import Kind, Values
from groundlint.manifest.strict_json import InvalidJson, parse

MAX_HEAD = 1_000_000
"""Bytes of a file within which its first line is looked for."""

# What `str` and `repr` write for a dictionary, for its subclasses and for bytes.
_PYTHON = re.compile(
    r"""\{\s*u?'|\{\s*"[^"]*"\s*:\s*(?:'|None\b|True\b|False\b)|(?:OrderedDict|defaultdict|dict)\(|b["']\{"""
)
_OPENED = re.compile(r"[\[{]|[\[{].*[\[{,]", re.DOTALL)
_TRAILING_COMMA = re.compile(r",\s*[}\]]")
_DELIMITERS = ",;\t|"
_KEPT = 3
"""Lines by which CSV is recognized."""

_JSON_TYPES = {bool: "true or false", int: "a number", float: "a number", list: "a list", type(None): "null"}


class Reason(NamedTuple):
    """The kind of fault that the first line has, the values for its message, and whether the line is valid JSON."""

    kind: Kind
    values: Values
    is_json: bool


def reason_of(head: bytes) -> Reason:
    """Why the first line with content is not a JSON object.

    Args:
        head: The beginning of a file no line of which is one.
    """
    lines = ((n, line.strip()) for n, line in enumerate(head.split(b"\n"), 1) if line.strip())
    first = list(itertools.islice(lines, _KEPT)) or [(1, b"")]
    kind, found, is_json = _kind_of([line for _, line in first])
    return Reason(kind, {"count": first[0][0], "found": found}, is_json)


def _kind_of(lines: list[bytes]) -> tuple[Kind, str, bool]:
    text = lines[0].decode(errors="replace")
    try:
        value = parse(lines[0]).value
    except InvalidJson as error:
        kind = next((kind for kind, is_met in _KINDS.items() if is_met(text)), Kind.NO_JSON_OBJECTS)
        if kind is Kind.NO_JSON_OBJECTS and _is_csv(lines):
            kind = Kind.CSV
        return kind, str(error), False
    if isinstance(value, str):
        return (Kind.ENCODED_TWICE if _is_object(value) else Kind.NO_JSON_OBJECTS), "it is a string", True
    return Kind.NO_JSON_OBJECTS, f"it is {_JSON_TYPES.get(type(value), 'not an object')}", True


def _is_csv(lines: list[bytes]) -> bool:
    """Whether several lines have the same number of values, by one of the usual delimiters."""
    rows = [line.decode(errors="replace") for line in lines]
    if len(rows) < 2 or any(bracket in rows[0] for bracket in "{}[]"):
        return False
    counts = ({len(row) for row in csv.reader(rows, delimiter=delimiter)} for delimiter in _DELIMITERS)
    return any(len(found) == 1 and found.pop() > 1 for found in counts)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _has_trailing_comma(text: str) -> bool:
    """Whether a line is an object once commas before closing brackets are removed."""
    return bool(_TRAILING_COMMA.search(text)) and _is_object(_TRAILING_COMMA.sub(lambda found: found[0][-1], text))


_KINDS: Mapping[Kind, Callable[[str], bool]] = {
    Kind.PYTHON_LITERALS: lambda text: bool(_PYTHON.match(text)),
    Kind.COMMAS_BETWEEN_LINES: lambda text: text.endswith(",") and _is_object(text.lstrip("[").rstrip(", \t")),
    Kind.TRAILING_COMMAS: _has_trailing_comma,
    Kind.SEVERAL_LINES_PER_OBJECT: lambda text: bool(_OPENED.fullmatch(text)),
}
"""Tests of a line that is not JSON, in their order."""
