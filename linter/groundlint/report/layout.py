"""Rows of a terminal: aligned columns, and messages wrapped to the width."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from unicodedata import east_asian_width

from groundlint.sanitize import at_line_start

# Foregrounds that are legible on light and on dark terminals, as gcc uses them.
_COLORS = {"error": "1;31", "warning": "1;35", "info": "1;36"}
_SEVERITY_WIDTH = max(map(len, _COLORS))
_MIN_MESSAGE = 46
"""Columns below which a message stands under its row instead of beside it."""
_GAP = "  "
_CONSEQUENCE = "└ "


class Cell(NamedTuple):
    """A row: the line of the manifest, severity, rule, image and message; consequences have a depth above 0."""

    line: int | None
    severity: str
    rule: str
    image: str
    message: str
    depth: int = 0


@dataclass
class Layout:
    """The rows of one manifest. Columns are as wide as their widest entry."""

    width: int
    color: bool
    rows: list[Cell | tuple[str, int]] = field(default_factory=list)

    def add(self, row: Cell) -> None:
        """Add a row."""
        self.rows.append(row)

    def add_note(self, text: str, depth: int) -> None:
        """Add a remark on the rows above."""
        self.rows.append((text, depth))

    def lines(self) -> Iterator[str]:
        """The rows as lines of text."""
        cells = [row for row in self.rows if isinstance(row, Cell)]
        line_width = max((len(_number(cell)) for cell in cells), default=0)
        rule_width = max((columns(_rule(cell)) for cell in cells), default=0)
        image_width = max((columns(cell.image) for cell in cells), default=0)
        indent = len(_GAP) * 3 + line_width + _SEVERITY_WIDTH
        beside = indent + rule_width + len(_GAP) + (image_width + len(_GAP) if image_width else 0)
        is_beside = self.width - beside >= _MIN_MESSAGE
        for row in self.rows:
            if not isinstance(row, Cell):
                text, depth = row
                yield from self._wrapped(dim, text, indent + len(_CONSEQUENCE) * depth)
                continue
            severity = f"{row.severity:<{_SEVERITY_WIDTH}}"
            if self.color:
                severity = f"\x1b[{_COLORS[row.severity]}m{severity}\x1b[0m"
            start = f"{_GAP}{_number(row):>{line_width}}{_GAP}{severity}{_GAP}"
            rule = _rule(row)
            if is_beside:
                head = f"{start}{bold(padded(rule, rule_width), self.color)}{_GAP}"
                if image_width:
                    head += f"{padded(row.image, image_width)}{_GAP}"
                first, *rest = self._wrapped(_plain, row.message, beside)
                yield head + first.lstrip()
                yield from rest
            else:
                below = indent + len(_CONSEQUENCE) * row.depth
                fits = indent + columns(rule) + len(_GAP) + columns(row.image) <= self.width
                yield f"{start}{bold(rule, self.color)}" + (f"{_GAP}{row.image}" if row.image and fits else "")
                if row.image and not fits:
                    yield " " * below + row.image
                yield from self._wrapped(_plain, row.message, below)

    def _wrapped(self, style: Callable[[str, bool], str], text: str, indent: int) -> Iterator[str]:
        for line in wrapped(text, max(self.width - indent, _MIN_MESSAGE // 2)):
            yield " " * indent + style(at_line_start(line), self.color)


def wrapped(text: str, width: int, *, initial_indent: str = "", subsequent_indent: str = "") -> list[str]:
    """Return the lines of a text within a width; paths, addresses and flags stay whole, so that they can be copied."""
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=initial_indent,
        subsequent_indent=subsequent_indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [""]


def dim(text: str, color: bool) -> str:
    """Text of lesser importance."""
    return f"\x1b[2m{text}\x1b[0m" if color else text


def bold(text: str, color: bool) -> str:
    """Text that stands out."""
    return f"\x1b[1m{text}\x1b[0m" if color else text


def _plain(text: str, color: bool) -> str:  # noqa: ARG001 - a style
    return text


def _number(cell: Cell) -> str:
    return "-" if cell.line is None else str(cell.line)


def _rule(cell: Cell) -> str:
    return f"{_CONSEQUENCE * cell.depth}{cell.rule}"


def columns(text: str) -> int:
    """Columns that a terminal uses for a text: wide characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def padded(text: str, width: int) -> str:
    """A text with spaces after it, up to a width in columns."""
    return text + " " * (width - columns(text))


def shortened(text: str, width: int) -> str:
    """A text of at most a width in columns; the end of a longer one is an ellipsis."""
    if columns(text) <= width:
        return text
    while text and columns(text) >= width:
        text = text[:-1]
    return f"{text}…"
