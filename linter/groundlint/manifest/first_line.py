"""Why no line of a file is a JSON object, by its first line: usually the fault of one converter."""

from __future__ import annotations

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
_DELIMITED = re.compile(r"[^{}\[\]]*[,;\t|][^{}\[\]]*")
_TRAILING_COMMA = re.compile(r",\s*[}\]]")
_JSON_TYPES = {bool: "true or false", int: "a number", float: "a number", list: "a list", type(None): "null"}


class Reason(NamedTuple):
    """The kind of fault that the first line has, and the values for its message."""

    kind: Kind
    values: Values


def reason_of(head: bytes) -> Reason:
    """Why the first line with content is not a JSON object.

    Args:
        head: The beginning of a file no line of which is one.
    """
    lines = head.split(b"\n")
    number, raw = next(((n, line) for n, line in enumerate(lines, 1) if line.strip()), (1, b""))
    kind, found = _kind_of(raw.strip())
    return Reason(kind, {"count": number, "found": found})


def _kind_of(raw: bytes) -> tuple[Kind, str]:
    text = raw.decode(errors="replace")
    try:
        value = parse(raw).value
    except InvalidJson as error:
        kind = next((kind for kind, is_met in _KINDS.items() if is_met(text)), Kind.NO_JSON_OBJECTS)
        return kind, str(error)
    if isinstance(value, str):
        return (Kind.ENCODED_TWICE if _is_object(value) else Kind.NO_JSON_OBJECTS), "it is a string"
    return Kind.NO_JSON_OBJECTS, f"it is {_JSON_TYPES.get(type(value), 'not an object')}"


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
    Kind.CSV: lambda text: bool(_DELIMITED.fullmatch(text)),
}
"""Tests of a line that is not JSON, in their order."""
