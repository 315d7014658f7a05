"""Globs over names that come from data, as regular expressions whose time is linear in the text."""

from __future__ import annotations

import re

from polars import Expr, col, lit

_SETS = re.compile(r"\[(!?)([^\]]+)\]|(.)", re.DOTALL)


def pattern(glob: str) -> str:
    """A glob as a regular expression of polars: `*` is any text, `?` one character, `[...]` one of a set.

    Python's own translation relies on groups that engines of linear time do not have.
    """
    parts = []
    for match in _SETS.finditer(glob):
        negation, members, single = match.groups()
        if members:
            parts.append(f"[{'^' if negation else ''}{_members(members)}]")
        else:
            parts.append({"*": ".*", "?": "."}.get(single, re.escape(single)))
    return f"(?s)^{''.join(parts)}$"


def fits(column: str, globs: list[str]) -> Expr:
    """Whether one of the globs fits a column's text; false where there is none."""
    found = lit(False)
    for glob in globs:
        found |= col(column).str.contains(pattern(glob))
    return found.fill_null(False)


def _members(members: str) -> str:
    """The inside of a set: a hyphen between two characters is a range, all else stands for itself."""
    ranges = re.findall(r".-.|.", members, re.DOTALL)
    return "".join(
        f"{re.escape(part[0])}-{re.escape(part[2])}" if len(part) == 3 and part[0] <= part[2] else re.escape(part)
        for part in ranges
    )
