"""Manifests from bytes to the base tables: whole, or large ones in parts by several processes."""

from __future__ import annotations

import errno
import io
import itertools
import stat
from collections.abc import Collection, Iterator, Sequence
from typing import BinaryIO, NamedTuple

import polars as pl
from polars import DataFrame, col, lit

from groundlint.config.data_sets import DataSet, Source
from groundlint.engine.tables import BASE
from groundlint.manifest import filetype as sniff
from groundlint.manifest.kinds import Kind
from groundlint.manifest.lines import ROW_TABLES, SCHEMAS, Rows
from groundlint.manifest.part import Manner, Part, as_frames, blocks, read_blocks, without_collection

BLOCK = 4 * 1024 * 1024
"""Bytes read at a time: enough that work on columns pays, few enough to stay in the processor's cache."""

PART = 32 * 1024 * 1024
"""Bytes of a manifest from which a further process pays."""

LARGE = 10**9
TOO_LARGE = 2**30
"""Bytes of a manifest; the service's limit of 1 GB may mean either."""

READ_TABLES = ("manifests", *ROW_TABLES)
"""The base tables that reading fills."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WHOLE_FILE = 64 * 1024 * 1024


class Reading(NamedTuple):
    """The base tables that reading fills, and the sources that could not be opened or read."""

    tables: dict[str, DataFrame]
    unreadable: tuple[tuple[Source, OSError], ...]


def read(
    data_sets: Sequence[DataSet],
    *,
    tables: Collection[str] = READ_TABLES,
    jobs: int = 1,
    block: int = BLOCK,
    part: int = PART,
    fast: bool = True,
) -> Reading:
    """Read the manifests of data sets into one set of base tables.

    Bad content becomes rows of `problems`, never an exception. A manifest that is in several splits or data sets has
    its rows once for each.

    Args:
        data_sets: The data sets; their positions are the numbers in `data_set`.
        tables: The base tables wanted. Only `classes` costs extra, and is left empty unless named.
        jobs: Processes that may read parts of a large file.
        block: Bytes read at a time; the tables do not depend on it.
        part: Bytes of a file for each process, at least; the tables do not depend on it.
        fast: False reads every line on the slow path; the tables do not depend on it.
    """
    frames: dict[str, list[DataFrame]] = {name: [] for name in READ_TABLES}
    unreadable = []
    manner = Manner(block, fast, "classes" in tables)
    first_line_id = 0
    with without_collection():
        for number, data_set in enumerate(data_sets):
            for source in data_set.sources:
                manifest = _ManifestReader(source, manner, number, first_line_id, min_part=part, jobs=jobs)
                try:
                    manifest.read()
                except OSError as error:
                    unreadable.append((source, error))
                    frames["manifests"].append(manifest.unread())
                    continue
                for name, rows in manifest.tables():
                    frames[name].append(rows)
                first_line_id = manifest.next_line_id
    # In one piece: what judges them takes half as long again on many.
    united = {name: pl.concat(rows, rechunk=True) if rows else BASE[name].empty() for name, rows in frames.items()}
    return Reading(_numbered(united), tuple(unreadable))


def _numbered(tables: dict[str, DataFrame]) -> dict[str, DataFrame]:
    """Tables with the ids of attributes and boxes.

    A line has each attribute once: the number of its name and that of its line identify it. No order is needed, and
    no join.
    """
    with_attributes = [name for name, table in tables.items() if "attribute_id" in table.columns]
    names = pl.concat([tables[name]["attribute"].unique() for name in with_attributes]).unique().sort()
    line_ids = pl.concat([rows["line_id"] for rows in tables.values() if "line_id" in rows.columns])
    most = line_ids.to_frame().select(pl.max("line_id").fill_null(0) + 1).item()
    number = col("attribute").cast(pl.Enum(names)).to_physical().cast(pl.Int64)
    for name in with_attributes:
        tables[name] = tables[name].with_columns(attribute_id=number * most + col("line_id"))
    tables["boxes"] = tables["boxes"].with_columns(box_id=pl.int_range(pl.len(), dtype=pl.Int32))
    return tables


class _ManifestReader:
    """Reads one manifest, and judges the file as a whole."""

    def __init__(
        self, source: Source, manner: Manner, data_set: int, first_line_id: int, *, min_part: int, jobs: int
    ) -> None:
        self._source = source
        self._data_set = data_set
        self._first_line_id = first_line_id
        self._manner = manner
        self._min_part = min_part
        self._jobs = jobs
        self._parts: list[Part] = []
        self._rows = Rows()
        self._bytes = 0
        self._begins_as_list = False

    def read(self) -> None:
        """Read the whole manifest.

        Raises:
            OSError: the file cannot be opened or read.
        """
        path = self._source.path
        if path is None:
            data = self._source.data or b""
            self._bytes = len(data)
            self._read_stream(io.BytesIO(data))
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
            self._read_stream(stream)

    @property
    def next_line_id(self) -> int:
        """The first line id of the manifest after this one."""
        return self._first_line_id + sum(part.lines for part in self._parts) + 1

    def unread(self) -> DataFrame:
        """The row of `manifests` of a file that could not be read: it is part of the data set all the same."""
        return self._complete("manifests", DataFrame({"bytes": [None], "lines": [None]}))

    def tables(self) -> Iterator[tuple[str, DataFrame]]:
        """The base tables, each once. What they are made of is let go of on the way: there is no room for both."""
        counts = DataFrame({"bytes": [self._bytes], "lines": [sum(part.lines for part in self._parts)]})
        yield "manifests", self._complete("manifests", counts)
        parts = [Part(as_frames(self._rows)), *self._parts]
        line_refs = DataFrame(schema=SCHEMAS["lines"]).select("line", "source_ref")
        for name, schema in SCHEMAS.items():
            rows = _united(parts, name)
            if name == "lines":
                line_refs = rows.select("line", "source_ref")
            elif "source_ref" in BASE[name].schema and "source_ref" not in schema:
                rows = rows.join(line_refs, on="line", how="left", maintain_order="left")
            yield name, self._complete(name, rows)

    def _read_stream(self, stream: BinaryIO) -> None:
        first = next(blocks(stream, self._manner.block), b"")
        if first and (detail := sniff.foreign_head(self._source.name, first[:64])):
            self._add(Kind.NOT_A_MANIFEST, detail)
            return
        start = 0
        if first.startswith(_BYTE_ORDER_MARK):
            detail = "the file begins with a byte order mark, which breaks its first line; save it without"
            self._add(Kind.BYTE_ORDER_MARK, detail, 1)
            start = len(_BYTE_ORDER_MARK)
        self._begins_as_list = first[start:].lstrip().startswith(b"[")
        jobs = min(self._jobs, self._bytes // self._min_part)
        if self._source.path and jobs > 1 and stream.seekable():
            from groundlint.manifest.workers import read_parts

            ends = [self._bytes * n // jobs for n in range(1, jobs)]
            self._parts = read_parts(self._source.path, list(_ranges(stream, start, ends)), self._manner)
        else:
            rest = blocks(stream, self._manner.block)
            self._parts = [read_blocks(itertools.chain([first[start:]], rest), self._manner)]
        self._judge_file(stream)

    def _judge_file(self, stream: BinaryIO) -> None:
        """What can be said of the file once all its lines are read."""
        source_refs = [frame["source_ref"] for part in self._parts for frame in part.frames["lines"]]
        has_images = any(refs.is_not_null().any() for refs in source_refs)
        befores = itertools.accumulate((part.lines for part in self._parts), initial=0)
        conflicts = [
            part.conflict + before for part, before in zip(self._parts, befores, strict=False) if part.conflict
        ]
        crlf_lines = sum(part.crlf_lines for part in self._parts)
        if all(part.lines == part.blank_lines for part in self._parts):
            self._lose(Kind.EMPTY_MANIFEST, "the file is empty; it must hold one line for each image")
        elif conflicts:
            detail = "the file holds merge-conflict markers of git; resolve the conflict"
            self._lose(Kind.NOT_A_MANIFEST, detail, conflicts[0])
        elif (not has_images or self._begins_as_list) and (foreign := _foreign_content(stream)):
            self._lose(Kind.NOT_A_MANIFEST, foreign)
        elif not any(len(refs) for refs in source_refs):
            detail = "no line of the file is a JSON object; write one for each image, each on a line of its own"
            self._lose(Kind.NOT_A_MANIFEST, detail)
        elif crlf_lines:
            self._add(Kind.CRLF_LINE_ENDS, f"{crlf_lines:,} lines end in CR LF; write LF alone")

    def _add(self, kind: Kind, detail: str, line: int | None = None) -> None:
        values = {"found": detail}
        self._rows.problems.append((line, None, None, None, None, kind, values, None, kind.loses, None, None))

    def _lose(self, kind: Kind, detail: str, line: int | None = None) -> None:
        """Say one thing of the file as a whole, and nothing of its lines."""
        for part in self._parts:
            part.frames = {}
        self._rows = Rows()
        self._add(kind, detail, line)

    def _complete(self, name: str, rows: DataFrame) -> DataFrame:
        """With the columns of the base table, in its order and types."""
        source = {"data_set": self._data_set, "manifest": self._source.name, "split": self._source.split}
        values = {key: lit(value, BASE["lines"].schema[key]) for key, value in source.items()}
        # Filled in once all tables are read.
        values |= dict.fromkeys(("attribute_id", "box_id"), lit(0))
        if "line" in rows.columns:
            values["line_id"] = col("line") + self._first_line_id
        return rows.select(values.get(key, col(key)).cast(dtype).alias(key) for key, dtype in BASE[name].schema.items())


def _united(parts: Sequence[Part], name: str) -> DataFrame:
    """The rows of a table, taken from all parts, with lines counted from the beginning of the file."""
    columns = [col(key).cast(dtype) for key, dtype in SCHEMAS[name].items()]
    befores = itertools.accumulate((part.lines for part in parts), initial=0)
    frames = [
        frame.select(columns).with_columns(col("line") + before)
        for part, before in zip(parts, befores, strict=False)
        for frame in part.frames.pop(name, [])
    ]
    return pl.concat(frames, rechunk=True) if frames else DataFrame(schema=SCHEMAS[name])


def _ranges(stream: BinaryIO, start: int, ends: Sequence[int]) -> Iterator[tuple[int, int | None]]:
    """Where parts of a file begin and stop: after the line at each end asked for, and None for the end of the file."""
    for end in ends:
        stream.seek(end)
        stream.readline()
        yield start, stream.tell()
        start = stream.tell()
    yield start, None


def _foreign_content(stream: BinaryIO) -> str | None:
    if not stream.seekable() or stream.seek(0, io.SEEK_END) > _WHOLE_FILE:
        return None
    stream.seek(0)
    return sniff.foreign_content(stream.read())
