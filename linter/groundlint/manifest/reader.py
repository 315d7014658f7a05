"""Manifests from bytes to the base tables: in blocks of whole lines, fast where a line's shape is known."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import polars as pl
from msgspec import MsgspecError
from polars import DataFrame

from groundlint.manifest import sniff
from groundlint.manifest.fast import FastReader
from groundlint.manifest.lines import LineReader, Rows
from groundlint.manifest.problems import Kind
from groundlint.manifest.shape import ESCAPED_QUOTE, MAX_BYTES, Decoded, Shape
from groundlint.tables import BASE

BLOCK = 8 * 1024 * 1024
"""Bytes read at a time: enough that work on columns pays, few enough to stay in the processor's cache."""

LARGE = 10**9
TOO_LARGE = 2**30
"""Bytes of a manifest; the service's limit of 1 GB may mean either."""

MAX_ROWS = 20_000
"""Rows of the slow path that are held as tuples; more are turned into frames."""

READ_TABLES = ("manifests", "lines", "problems", "attributes", "classes", "labels", "boxes", "predictions")
"""The base tables that reading fills."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WHOLE_FILE = 64 * 1024 * 1024
_CONFLICT_MARKER = b"<<<<<<< "


class Source(NamedTuple):
    """A manifest to read: its path as given, what it is for, and where its bytes are."""

    name: str
    split: str
    path: Path | None = None
    data: bytes | None = None


class Reading(NamedTuple):
    """The base tables that reading fills, and the sources that could not be opened or read."""

    tables: dict[str, DataFrame]
    unreadable: tuple[tuple[Source, OSError], ...]


def read(
    sources: Sequence[Source], *, tables: Collection[str] = READ_TABLES, block: int = BLOCK, fast: bool = True
) -> Reading:
    """Read manifests into the base tables. Bad content becomes rows of `problems`, never an exception.

    Args:
        sources: the manifests.
        tables: the base tables wanted. Only `classes` costs extra and is left empty unless named.
        block: bytes read at a time; the tables do not depend on it.
        fast: False reads every line on the slow path; the tables do not depend on it.
    """
    frames: dict[str, list[DataFrame]] = {name: [BASE[name].empty()] for name in READ_TABLES}
    unreadable = []
    with _without_collection():
        for source in sources:
            manifest = _ManifestReader(source, fast=fast, classes="classes" in tables)
            try:
                manifest.read(block)
            except OSError as error:
                unreadable.append((source, error))
                continue
            for name, parts in manifest.frames().items():
                frames[name] += parts
    return Reading({name: pl.concat(parts, rechunk=True) for name, parts in frames.items()}, tuple(unreadable))


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Reading makes millions of objects and no cycles: looking for those costs a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _ManifestReader:
    """Reads one manifest, block by block: lines of known shape together, the others one by one."""

    def __init__(self, source: Source, *, fast: bool, classes: bool) -> None:
        self._source = source
        self._is_fast = fast
        self._rows = Rows()
        self._slow = LineReader(self._rows)
        self._fast = FastReader(classes=classes)
        self._shape = Shape()
        self._decode = self._shape.decoder().decode
        self._frames: dict[str, list[DataFrame]] = {name: [] for name in READ_TABLES}
        self._with_classes = classes
        self._bytes = self._lines = self._blank_lines = self._crlf_lines = 0
        self._conflict: int | None = None
        self._begins_as_list = False

    def read(self, block: int) -> None:
        """Read the whole manifest.

        Raises:
            OSError: the file cannot be opened or read.
        """
        path = self._source.path
        if path is None:
            data = self._source.data or b""
            self._bytes = len(data)
            self._read_stream(io.BytesIO(data), block)
            return
        status = path.stat()
        # A pipe ends; a device may not.
        if stat.S_ISDIR(status.st_mode):
            raise OSError(errno.EISDIR, "the folder holds no manifest")
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISFIFO(status.st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        self._bytes = status.st_size
        if not path.suffix:
            self._add(
                Kind.MANIFEST_WITHOUT_SUFFIX,
                f"the file has no suffix, which the service may refuse; name it {path.name}.manifest",
            )
        if self._bytes > TOO_LARGE:
            self._add(
                Kind.MANIFEST_TOO_LARGE,
                f"the file has {self._bytes:,} bytes, the service takes 1 GB; split the data set",
            )
            return
        if self._bytes > LARGE:
            self._add(
                Kind.LARGE_MANIFEST,
                f"the file has {self._bytes:,} bytes, close to the limit of 1 GB; split the data set",
            )
        with path.open("rb") as stream:
            self._read_stream(stream, block)

    def frames(self) -> dict[str, list[DataFrame]]:
        """The rows read, by table, with the columns of the base tables."""
        self._flush()
        counts = DataFrame({"bytes": [self._bytes], "lines": [self._lines]})
        return {name: self._complete(name, frames) for name, frames in self._frames.items()} | {
            "manifests": self._complete("manifests", [counts])
        }

    def _read_stream(self, stream: BinaryIO, block: int) -> None:
        for lines in _blocks(stream, block):
            data = lines
            if self._lines == 0:
                if detail := sniff.foreign_head(self._source.name, data[:64]):
                    self._add(Kind.NOT_A_MANIFEST, detail)
                    return
                if data.startswith(_BYTE_ORDER_MARK):
                    detail = "the file begins with a byte order mark, which breaks its first line; save it without"
                    self._add(Kind.BYTE_ORDER_MARK, detail, 1)
                    data = data.removeprefix(_BYTE_ORDER_MARK)
                self._begins_as_list = data.lstrip().startswith(b"[")
            self._read_block(data)
        self._judge_file(stream)

    def _read_block(self, data: bytes) -> None:
        """Read the lines of known shape together and the others one by one, and learn from those."""
        lines = data.split(b"\n")
        if data.endswith(b"\n"):
            lines.pop()
        first = self._lines + 1
        self._lines += len(lines)
        # The search for a single byte is many times faster than that for two, and mostly enough.
        self._crlf_lines += data.count(b"\r\n") + data.endswith(b"\r") if b"\r" in data else 0
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
            self._frames[name] += frames
        for number in taken.doubtful:
            self._read_slowly(number, lines[number - first])
        if len(self._rows.problems) + len(self._rows.boxes) > MAX_ROWS:
            self._flush()

    def _read_slowly(self, number: int, raw: bytes) -> None:
        if not raw.strip(b" \t\r"):
            self._blank_lines += 1
        elif raw.startswith(_CONFLICT_MARKER) and self._conflict is None:
            self._conflict = number
        sound = self._slow.read(number, raw)
        if sound and self._is_fast:
            shape = self._shape.learn(sound)
            if shape != self._shape:
                self._shape = shape
                self._decode = shape.decoder().decode

    def _judge_file(self, stream: BinaryIO) -> None:
        """What can be said of the file once all its lines are read."""
        self._flush()
        source_refs = [frame["source_ref"] for frame in self._frames["lines"]]
        has_images = any(refs.is_not_null().any() for refs in source_refs)
        if self._lines == self._blank_lines:
            self._lose(Kind.EMPTY_MANIFEST, "the file is empty; it must hold one line for each image")
        elif self._conflict is not None:
            detail = "the file holds merge-conflict markers of git; resolve the conflict"
            self._lose(Kind.NOT_A_MANIFEST, detail, self._conflict)
        elif (not has_images or self._begins_as_list) and (foreign := _foreign_content(stream)):
            self._lose(Kind.NOT_A_MANIFEST, foreign)
        elif not any(len(refs) for refs in source_refs):
            detail = "no line of the file is a JSON object; write one for each image, each on a line of its own"
            self._lose(Kind.NOT_A_MANIFEST, detail)
        elif self._crlf_lines:
            self._add(Kind.CRLF_LINE_ENDS, f"{self._crlf_lines:,} lines end in CR LF; write LF alone")

    def _add(self, kind: Kind, detail: str, line: int | None = None) -> None:
        self._rows.problems.append((line, None, None, None, kind, detail, None, kind.loses, None, None))

    def _lose(self, kind: Kind, detail: str, line: int | None = None) -> None:
        """Say one thing of the file as a whole, and nothing of its lines."""
        self._frames = {name: [] for name in READ_TABLES}
        self._add(kind, detail, line)

    def _flush(self) -> None:
        """Turn the rows of the slow path into frames."""
        for name in (field.name for field in fields(Rows)):
            rows = getattr(self._rows, name)
            if rows and (name != "classes" or self._with_classes):
                schema = {key: dtype for key, dtype in BASE[name].schema.items() if key not in ("manifest", "split")}
                self._frames[name].append(DataFrame(rows, schema=schema, orient="row"))
            rows.clear()

    def _complete(self, name: str, frames: list[DataFrame]) -> list[DataFrame]:
        """With the columns of the base table, in its order and types."""
        schema = BASE[name].schema
        source = {"manifest": self._source.name, "split": self._source.split}
        columns = [
            pl.lit(source[key], type_).alias(key) if key in source else pl.col(key).cast(type_)
            for key, type_ in schema.items()
        ]
        return [frame.select(columns) for frame in frames]


def _blocks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """The bytes of a stream in blocks of whole lines of about `size` bytes."""
    while data := stream.read(size):
        yield data + stream.readline()


def _suspects(lines: list[bytes], data: bytes) -> set[int]:
    """Positions of lines that the fast path must not take, though the decoder may."""
    suspects = set()
    if max(map(len, lines)) > MAX_BYTES:
        suspects = {k for k, raw in enumerate(lines) if len(raw) > MAX_BYTES}
    # The search for a single byte is many times faster than that for two, and mostly enough.
    if b"\\" in data:
        suspects |= {k for k, raw in enumerate(lines) if b"\\" in raw and ESCAPED_QUOTE in raw}
    return suspects


def _foreign_content(stream: BinaryIO) -> str | None:
    if not stream.seekable() or stream.seek(0, io.SEEK_END) > _WHOLE_FILE:
        return None
    stream.seek(0)
    return sniff.foreign_content(stream.read())
