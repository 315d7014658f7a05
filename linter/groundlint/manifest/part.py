"""Reads whole lines of a manifest into rows: in batches where their shape is known, the others one by one."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec
from msgspec import MsgspecError
from polars import DataFrame

from groundlint.manifest.batches import BatchReader
from groundlint.manifest.lines import ROW_TABLES, SCHEMAS, LineReader, Rows, ValidLine
from groundlint.manifest.shape import ESCAPED_QUOTE, MAX_BYTES, Decoded, Shape

MAX_ROWS = 20_000
"""Rows that are held as tuples; more are turned into frames."""

MIN_BATCH = 64
"""Lines of a known shape that are worth a batch: a batch costs at least as much as reading so many one by one."""

_CONFLICT_MARKER = b"<<<<<<< "


Frames = dict[str, list[DataFrame]]
"""Rows by table, with the columns of `SCHEMAS`."""


def no_frames() -> Frames:
    """No rows of any table."""
    return {name: [] for name in ROW_TABLES}


@dataclass
class Part:
    """The rows of some lines of a manifest, as frames or as tuples, and what the file as a whole is judged by.

    Lines are counted from 1 at the beginning of the part; `conflict` is the first line with a merge conflict marker.
    """

    frames: Frames = field(default_factory=no_frames)
    lines: int = 0
    blank_lines: int = 0
    crlf_lines: int = 0
    conflict: int | None = None
    rows: Rows = field(default_factory=Rows)

    @property
    def has_objects(self) -> bool:
        """Whether a line is a JSON object."""
        return bool(self.rows.lines) or any(not frame.is_empty() for frame in self.frames.get("lines", []))

    @property
    def has_source_refs(self) -> bool:
        """Whether a line has a source-ref."""
        is_in_rows = any(source_ref is not None for _, source_ref, *_ in self.rows.lines)
        return is_in_rows or any(frame["source_ref"].is_not_null().any() for frame in self.frames.get("lines", []))


class Manner(msgspec.Struct):
    """How lines are read. The rows do not depend on it, except that `classes` is empty unless wanted."""

    block: int
    fast: bool
    classes: bool


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Turn off garbage collection, a fifth of the time: reading makes millions of objects and no cycles."""
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
        stream: A stream at the beginning of a line.
        size: Bytes that are read at a time.
        stop: Position of the first line that is not wanted; None reads to the end.
    """
    left = sys.maxsize if stop is None else stop - stream.tell()
    while data := stream.read(min(size, left)):
        lines = data if len(data) == left else data + stream.readline()
        left -= len(lines)
        yield lines


def read_blocks(data: Iterable[bytes], manner: Manner) -> Part:
    """Read blocks of whole lines; empty blocks are skipped."""
    reader = PartReader(manner)
    for lines in data:
        if lines:
            reader.read(lines)
    return reader.finish()


def as_frames(rows: Rows) -> Frames:
    """Rows as frames, by table."""
    frames = {}
    for name in ROW_TABLES:
        some = getattr(rows, name)
        frames[name] = [DataFrame(some, schema=SCHEMAS[name], orient="row")] if some else []
    return frames


class PartReader:
    """Reads lines, block by block: those of known shape in batches, the others one by one."""

    def __init__(self, manner: Manner) -> None:
        self._uses_batches = manner.fast
        self._with_classes = manner.classes
        self._rows = Rows()
        self._line_reader = LineReader(self._rows)
        self._batch_reader = BatchReader(classes=manner.classes)
        self._shape = Shape()
        self._decode: Callable[[bytes], Any] | None = None
        self._part = Part()

    def take(self) -> Frames:
        """The rows read since they were last taken."""
        self._flush()
        frames, self._part.frames = self._part.frames, no_frames()
        return frames

    def finish(self) -> Part:
        """What was read, without the rows that were taken; nothing may be read afterwards."""
        if not self._with_classes:
            self._rows.classes.clear()
        self._part.rows = self._rows
        return self._part

    def read(self, data: bytes) -> None:
        """Read the lines of known shape in batches and the others one by one, and learn the shape of these."""
        lines = data.split(b"\n")
        if data.endswith(b"\n"):
            lines.pop()
        first = self._part.lines + 1
        self._part.lines += len(lines)
        # Searching for one byte is many times faster than searching for two, and usually enough.
        self._part.crlf_lines += data.count(b"\r\n") + data.endswith(b"\r") if b"\r" in data else 0
        if not self._uses_batches or len(lines) < MIN_BATCH:
            for number, raw in enumerate(lines, first):
                self._read_line(number, raw)
            return
        suspects = _suspects(lines, data)
        self._decode = self._decode or self._shape.decoder().decode
        rows: list[Any] = []
        rest = iter(lines)
        while len(rows) < len(lines):
            shape, begin = self._shape, len(rows)
            while len(rows) < len(lines) and self._shape is shape:
                try:
                    # Runs in C until a line is refused: the line after the last row.
                    rows.extend(map(self._decode, rest))
                except (MsgspecError, UnicodeDecodeError, RecursionError):
                    self._learn(self._read_line(first + len(rows), lines[len(rows)]))
                    rows.append(None)
            taken = [k for k in range(begin, len(rows)) if rows[k] is not None and k not in suspects]
            quotes = [lines[k].count(b'"') for k in taken]
            numbers = [first + k for k in taken]
            self._take(first, lines, Decoded(shape, numbers, [rows[k] for k in taken], quotes))
        for k in sorted(suspects):
            if rows[k] is not None:
                self._read_line(first + k, lines[k])

    def _take(self, first: int, lines: list[bytes], decoded: Decoded) -> None:
        """Keep the rows of decoded lines that pass all checks, and read the other lines one by one."""
        doubtful = decoded.numbers
        if len(doubtful) >= MIN_BATCH:
            taken = self._batch_reader.take(decoded)
            for name, frames in taken.tables.items():
                self._part.frames[name] += frames
            doubtful = taken.doubtful
        for number in doubtful:
            self._read_line(number, lines[number - first])
        if len(self._rows.problems) + len(self._rows.boxes) > MAX_ROWS:
            self._flush()

    def _read_line(self, number: int, raw: bytes) -> ValidLine | None:
        if not raw.strip(b" \t\r"):
            self._part.blank_lines += 1
        elif raw.startswith(_CONFLICT_MARKER) and self._part.conflict is None:
            self._part.conflict = number
        return self._line_reader.read(number, raw)

    def _learn(self, valid: ValidLine | None) -> None:
        """Include a line without faults in the shape."""
        shape = self._shape.learn(valid) if valid else self._shape
        if shape != self._shape:
            self._shape = shape
            self._decode = shape.decoder().decode

    def _flush(self) -> None:
        """Turn rows into frames."""
        if not self._with_classes:
            self._rows.classes.clear()
        for name, frames in as_frames(self._rows).items():
            self._part.frames[name] += frames
            getattr(self._rows, name).clear()


def _suspects(lines: list[bytes], data: bytes) -> set[int]:
    """Positions of lines that must be read one by one, although the decoder may accept them."""
    suspects = set()
    if max(map(len, lines)) > MAX_BYTES:
        suspects = {k for k, raw in enumerate(lines) if len(raw) > MAX_BYTES}
    # Searching for one byte is many times faster than searching for two, and usually enough.
    if b"\\" in data:
        suspects |= {k for k, raw in enumerate(lines) if b"\\" in raw and ESCAPED_QUOTE in raw}
    return suspects
