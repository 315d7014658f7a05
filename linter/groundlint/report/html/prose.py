"""Docstrings of rules as paragraphs and lists: the part of Markdown that they use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from groundlint.sanitize import visible

_CODE = re.compile(r"`([^`]+)`")
_END = re.compile(r"[.:](?= |$)")
_ITEM = re.compile(r"^\s*- +")


class Span(NamedTuple):
    """A piece of text; code is set in a fixed width."""

    text: str
    is_code: bool = False


class Block(NamedTuple):
    """A paragraph, or a list of several items."""

    items: list[list[Span]]
    is_list: bool = False


def blocks(text: str) -> list[Block]:
    """The paragraphs and lists of a text, which blank lines or the marks of items divide."""
    return [block for part in re.split(r"\n\s*\n", text.strip()) for block in _of_part(part)]


def spans(text: str) -> list[Span]:
    """The pieces of a line of text."""
    parts = _CODE.split(visible(" ".join(text.split()), limit=None))
    return [Span(part, is_code=bool(n % 2)) for n, part in enumerate(parts) if part]


def first_sentence(line: list[Span]) -> list[Span]:
    """The pieces of a line up to the end of its first sentence."""
    found: list[Span] = []
    for span in line:
        end = _END.search(span.text)
        if end and not span.is_code:
            return [*found, Span(span.text[: end.start() + 1])]
        found.append(span)
    return found


def _of_part(part: str) -> Iterator[Block]:
    plain: list[str] = []
    items: list[str] = []
    for line in part.splitlines():
        if _ITEM.match(line):
            items.append(_ITEM.sub("", line))
        elif items:
            items[-1] += f" {line}"
        else:
            plain.append(line)
    if plain:
        yield Block([spans(" ".join(plain))])
    if items:
        yield Block([spans(item) for item in items], is_list=True)
