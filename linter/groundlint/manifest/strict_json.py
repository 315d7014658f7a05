"""One line of JSON, parsed more strictly than the standard library does."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

MAX_DEPTH = 500
"""Arrays and objects may be nested this deep; deeper lines are refused before any parser recurses into them."""

_MAX_DIGITS = 300
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[][{}]')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class InvalidJson(Exception):
    """The line is not valid JSON; the text says what is wrong and where."""


class Parsed(NamedTuple):
    """A parsed line: its value, and the duplicate keys of its objects, whose last value counts."""

    value: Any
    duplicate_keys: tuple[str, ...]


def parse(raw: bytes) -> Parsed:
    """Parse one line. Whole numbers written as 12.0 become 12, numbers out of range become infinite.

    Raises:
        InvalidJson: For bad syntax, bytes that are not UTF-8, NaN and Infinity, lone surrogates, and nesting
            deeper than `MAX_DEPTH`.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidJson(f"byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None
    if "\0" in text:
        raise InvalidJson(f"character {text.index(chr(0)) + 1} is a NUL byte; remove it")
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise InvalidJson(f"nested deeper than {MAX_DEPTH} levels")
    duplicates: list[str] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen and key not in duplicates:
                    duplicates.append(key)
                seen.add(key)
        return built

    try:
        value = json.loads(
            text, object_pairs_hook=build, parse_constant=_refuse, parse_int=_whole_number, parse_float=_number
        )
    except json.JSONDecodeError as error:
        raise InvalidJson(f"{_REASONS.get(error.msg, error.msg)} at character {error.pos + 1}") from None
    if _SURROGATE.search(raw):
        # What a duplicate key overwrites counts too.
        written = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str) if duplicates else value
        try:
            json.dumps(written, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise InvalidJson("an escape \\ud800 to \\udfff is alone; write the character itself") from None
    return Parsed(value, tuple(duplicates))


_REASONS = {
    "Unexpected UTF-8 BOM (decode using utf-8-sig)": "remove the byte order mark",
    "Expecting value": "a value is missing or is not JSON",
    "Expecting ',' delimiter": "a comma is missing, or the object is not closed,",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting property name enclosed in double quotes": "a key in double quotes is missing",
    "Illegal trailing comma before end of object": "a trailing comma before the end of an object",
    "Illegal trailing comma before end of array": "a trailing comma before the end of a list",
    "Extra data": "there is text after the object; write one object per line; it begins",
    "Unterminated string starting at": "a string is not closed; it begins",
    "Invalid control character at": "a control character that is not escaped",
    "Invalid \\escape": "a backslash that begins no escape",
}


def _refuse(constant: str) -> None:
    raise InvalidJson(f"{constant} is not a JSON number; write a finite number or null")


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float("-inf" if digits.startswith("-") else "inf")


def _number(digits: str) -> int | float:
    number = float(digits)
    return int(number) if number.is_integer() else number


def _depth(text: str) -> int:
    """How deeply arrays and objects are nested; brackets within strings do not count."""
    depth = deepest = 0
    for token in _TOKEN.findall(text):
        if token in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token in ("]", "}"):
            depth -= 1
    return deepest
