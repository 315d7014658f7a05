"""Phrases that messages share: numbers with nouns, lists cut short, and suggestions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

_SIBILANT = re.compile(r"(?:s|x|z|ch|sh)$")


def number_of(count: int, noun: str) -> str:
    """A number with its noun, as "1 image" or "2,000 images"."""
    return f"{count:,} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """The plural of a regular noun."""
    return f"{noun}es" if _SIBILANT.search(noun) else f"{noun}s"


def first_of(names: Sequence[str], most: int = 3) -> str:
    """The first few names and the number of the others, as "a, b, c and 4 others"."""
    others = len(names) - most
    return ", ".join(names[:most]) + (f" and {number_of(others, 'other')}" if others > 0 else "")


def suggestion(written: str, known: Iterable[str]) -> str:
    """A hint at the closest known name, in any case, as the end of a sentence; empty if none is close."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(written.lower(), names, n=1)
    return f"; did you mean `{names[near[0]]}`?" if near else ""
