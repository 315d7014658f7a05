"""A part of a manifest, whole lines of it, to rows: fast where a line's shape is known."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec
from msgspec import MsgspecError
from polars import DataFrame

from groundlint.manifest.fast import FastReader
from groundlint.manifest.lines import ROW_TABLES, SCHEMAS, LineReader, Rows
from groundlint.manifest.shape import ESCAPED_QUOTE, MAX_BYTES, Decoded, Shape

MAX_ROWS = 20_000
"""Rows of the slow path that are held as tuples; more are turned into frames."""

_CONFLICT_MARKER = b"<<<<<<< "


Frames = dict[str, list[DataFrame]]
"""Rows by table, with the columns of `SCHEMAS`."""


def no_frames() -> Frames:
    """Nothing of any table."""
    return {name: [] for name in ROW_TABLES}


@dataclass
class Part:
    """What lines made: their rows, and what the file as a whole is judged by.

    Lines are counted from 1 at the beginning of the part; `conflict` is the first that marks a merge conflict.
    """

    frames: Frames = field(default_factory=no_frames)
    lines: int = 0
    blank_lines: int = 0
    crlf_lines: int = 0
    conflict: int | None = None


class Manner(msgspec.Struct):
    """How lines are read; what is read does not depend on it, but that `classes` is empty unless wanted."""

    block: int
    fast: bool
    classes: bool


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Reading makes millions of objects and no cycles: looking for those costs a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def blocks(stream: BinaryIO, size: int, stop: int | None = None) -> Iterator[bytes]:
    """The bytes of a stream in blocks of whole lines of about `size` bytes.

    Args:
        stream: at the beginning of a line.
        size: bytes that are read at a time.
        stop: position in the stream at which a line begins that is no more wanted; None reads to the end.
    """
    left = sys.maxsize if stop is None else stop - stream.tell()
    while data := stream.read(min(size, left)):
        lines = data if len(data) == left else data + stream.readline()
        left -= len(lines)
        yield lines


def read_blocks(data: Iterable[bytes], manner: Manner) -> Part:
    """Read blocks of whole lines; empty ones are passed over."""
    reader = PartReader(manner)
    for lines in data:
        if lines:
            reader.read(lines)
    return reader.finish()


def as_frames(rows: Rows) -> Frames:
    """Rows of the slow path as frames, by table."""
    frames = {}
    for name in ROW_TABLES:
        some = getattr(rows, name)
        frames[name] = [DataFrame(some, schema=SCHEMAS[name], orient="row")] if some else []
    return frames


class PartReader:
    """Reads lines, block by block: those of known shape together, the others one by one."""

    def __init__(self, manner: Manner) -> None:
        self._is_fast = manner.fast
        self._with_classes = manner.classes
        self._rows = Rows()
        self._slow = LineReader(self._rows)
        self._fast = FastReader(classes=manner.classes)
        self._shape = Shape()
        self._decode = self._shape.decoder().decode
        self._part = Part()

    def take(self) -> Frames:
        """The rows read since they were last taken."""
        self._flush()
        frames, self._part.frames = self._part.frames, no_frames()
        return frames

    def finish(self) -> Part:
        """What was read, less the rows that were taken; nothing may be read after."""
        self._flush()
        return self._part

    def read(self, data: bytes) -> None:
        """Read the lines of known shape together and the others one by one, and learn from those."""
        lines = data.split(b"\n")
        if data.endswith(b"\n"):
            lines.pop()
        first = self._part.lines + 1
        self._part.lines += len(lines)
        # The search for a single byte is many times faster than that for two, and mostly enough.
        self._part.crlf_lines += data.count(b"\r\n") + data.endswith(b"\r") if b"\r" in data else 0
        if not self._is_fast:
            for number, raw in enumerate(lines, first):
                self._read_slowly(number, raw)
            return
        suspects = _suspects(lines, data)
        rows: list[Any] = []
        rest = iter(lines)
        while len(rows) < len(lines):
            shape, begin = self._shape, len(rows)
            while len(rows) < len(lines) and self._shape is shape:
                try:
                    # Runs on in C until a line is refused, which then is the one after the last row.
                    rows.extend(map(self._decode, rest))
                except (MsgspecError, UnicodeDecodeError, RecursionError):
                    self._read_slowly(first + len(rows), lines[len(rows)])
                    rows.append(None)
            taken = [k for k in range(begin, len(rows)) if rows[k] is not None and k not in suspects]
            quotes = [lines[k].count(b'"') for k in taken]
            numbers = [first + k for k in taken]
            self._take(first, lines, Decoded(shape, numbers, [rows[k] for k in taken], quotes))
        for k in sorted(suspects):
            if rows[k] is not None:
                self._read_slowly(first + k, lines[k])

    def _take(self, first: int, lines: list[bytes], decoded: Decoded) -> None:
        """Keep the rows of decoded lines that pass all checks, and read the doubtful ones slowly."""
        if not decoded.rows:
            return
        taken = self._fast.take(decoded)
        for name, frames in taken.tables.items():
            self._part.frames[name] += frames
        for number in taken.doubtful:
            self._read_slowly(number, lines[number - first])
        if len(self._rows.problems) + len(self._rows.boxes) > MAX_ROWS:
            self._flush()

    def _read_slowly(self, number: int, raw: bytes) -> None:
        if not raw.strip(b" \t\r"):
            self._part.blank_lines += 1
        elif raw.startswith(_CONFLICT_MARKER) and self._part.conflict is None:
            self._part.conflict = number
        sound = self._slow.read(number, raw)
        if sound and self._is_fast:
            shape = self._shape.learn(sound)
            if shape != self._shape:
                self._shape = shape
                self._decode = shape.decoder().decode

    def _flush(self) -> None:
        """Turn the rows of the slow path into frames."""
        if not self._with_classes:
            self._rows.classes.clear()
        for name, frames in as_frames(self._rows).items():
            self._part.frames[name] += frames
            getattr(self._rows, name).clear()


def _suspects(lines: list[bytes], data: bytes) -> set[int]:
    """Positions of lines that the fast path must not take, though the decoder may."""
    suspects = set()
    if max(map(len, lines)) > MAX_BYTES:
        suspects = {k for k, raw in enumerate(lines) if len(raw) > MAX_BYTES}
    # The search for a single byte is many times faster than that for two, and mostly enough.
    if b"\\" in data:
        suspects |= {k for k, raw in enumerate(lines) if b"\\" in raw and ESCAPED_QUOTE in raw}
    return suspects
