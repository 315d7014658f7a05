"""One line of JSON, parsed strictly: what the standard library lets pass is refused or told."""

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
    """The line is no valid JSON; the text says what is wrong and where."""


class Parsed(NamedTuple):
    """A parsed line: its value, and the keys that stand twice in one object (the last one counts)."""

    value: Any
    repeated_keys: tuple[str, ...]


def parse(raw: bytes) -> Parsed:
    """Parse one line. Whole numbers written as 12.0 become 12, numbers out of range infinite.

    Raises:
        InvalidJson: for bad syntax, bytes that are not UTF-8, NaN and Infinity, lone surrogates, and nesting
            deeper than `MAX_DEPTH`.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidJson(f"byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None
    if "\0" in text:
        raise InvalidJson(f"character {text.index(chr(0)) + 1} is a NUL byte; remove it")
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise InvalidJson(f"it is nested deeper than {MAX_DEPTH} levels")
    repeated: list[str] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen and key not in repeated:
                    repeated.append(key)
                seen.add(key)
        return built

    try:
        value = json.loads(
            text, object_pairs_hook=build, parse_constant=_refuse, parse_int=_whole_number, parse_float=_number
        )
    except json.JSONDecodeError as error:
        raise InvalidJson(f"{_MENDS.get(error.msg, error.msg)} at character {error.pos + 1}") from None
    if _SURROGATE.search(raw):
        # What a repeated key overwrites is written all the same.
        written = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str) if repeated else value
        try:
            json.dumps(written, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise InvalidJson("an escape \\ud800 to \\udfff stands alone; write the character itself") from None
    return Parsed(value, tuple(repeated))


_MENDS = {
    "Unexpected UTF-8 BOM (decode using utf-8-sig)": "remove the byte order mark",
    "Expecting value": "a value is missing or not written as JSON",
    "Expecting ',' delimiter": "a comma is missing, or the object is not closed,",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting property name enclosed in double quotes": "a key in double quotes is missing",
    "Illegal trailing comma before end of object": "a comma stands before the end of an object",
    "Illegal trailing comma before end of array": "a comma stands before the end of a list",
    "Extra data": "something follows the object; write one object a line; it begins",
    "Unterminated string starting at": "a string is not closed; it begins",
    "Invalid control character at": "a control character must be escaped",
    "Invalid \\escape": "a backslash is followed by no escape",
}


def _refuse(constant: str) -> None:
    raise InvalidJson(f"{constant} is no JSON number; write a finite number or null")


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float("-inf" if digits.startswith("-") else "inf")


def _number(digits: str) -> int | float:
    number = float(digits)
    return int(number) if number.is_integer() else number


def _depth(text: str) -> int:
    """How deep arrays and objects are nested; brackets within strings do not count."""
    depth = deepest = 0
    for token in _TOKEN.findall(text):
        if token in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token in ("]", "}"):
            depth -= 1
    return deepest
