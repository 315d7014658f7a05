"""Reads manifests into the base tables, large ones in parts by several processes."""

from __future__ import annotations

import errno
import io
import itertools
import stat
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from polars import DataFrame

from groundlint.config.data_sets import DataSet, Source
from groundlint.config.s3_access import is_uri
from groundlint.manifest.assemble import READ_TABLES, Assembler
from groundlint.manifest.filetype import kind_of_head
from groundlint.manifest.first_line import MAX_HEAD, reason_of
from groundlint.manifest.foreign import Foreign, foreign_format, one_value
from groundlint.manifest.kinds import Kind, Values
from groundlint.manifest.part import Manner, Part, blocks, read_blocks, without_collection

BLOCK = 4 * 1024 * 1024
"""Bytes read at a time: enough for column operations to pay off, few enough to stay in the processor's cache."""

PART = 32 * 1024 * 1024
"""Bytes of a manifest for which a further process pays off."""

LARGE = 10**9
TOO_LARGE = 2**30
"""Bytes of a manifest; the service's limit of 1 GB may mean either."""


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
        fast: False reads all lines one by one; the tables do not depend on it.
    """
    assembler = Assembler()
    unreadable = []
    manner = Manner(block, fast, "classes" in tables)
    with without_collection():
        for number, data_set in enumerate(data_sets):
            for source in data_set.sources:
                manifest = _ManifestReader(source, manner, min_part=part, jobs=jobs)
                try:
                    manifest.read()
                except OSError as error:
                    unreadable.append((source, error))
                    assembler.add_unreadable(number, source)
                else:
                    assembler.add(number, source, manifest.bytes, manifest.parts)
        return Reading(assembler.tables(), tuple(unreadable))


class _ManifestReader:
    """Reads one manifest, and judges the file as a whole."""

    def __init__(self, source: Source, manner: Manner, *, min_part: int, jobs: int) -> None:
        self.bytes = 0
        self._source = source
        self._manner = manner
        self._min_part = min_part
        self._jobs = jobs
        self._parts: list[Part] = []
        self._of_file = Part()
        self._begins_as_list = False
        self._head = b""

    @property
    def parts(self) -> list[Part]:
        """The parts of the manifest; the first one has no lines, but the problems of the file as a whole."""
        return [self._of_file, *self._parts]

    def read(self) -> None:
        """Read the whole manifest.

        Raises:
            OSError: The file cannot be opened or read.
        """
        path, data = self._source.path, self._source.data
        if self._source.error:
            raise self._source.error
        if path is not None and data is None:
            self.bytes = _size(path)
        else:
            data = data or b""
            self.bytes = len(data)
        named = PurePosixPath(self._source.name) if is_uri(self._source.name) else path
        if named is not None and not named.suffix:
            self._add(Kind.MANIFEST_WITHOUT_SUFFIX, {"expected": f"{named.name}.manifest"})
        if self.bytes > TOO_LARGE:
            self._add(Kind.MANIFEST_TOO_LARGE, {"count": self.bytes})
            return
        if self.bytes > LARGE:
            self._add(Kind.MANIFEST_NEAR_LIMIT, {"count": self.bytes})
        if path is None or data is not None:
            self._read_stream(io.BytesIO(data or b""))
            return
        with path.open("rb") as stream:
            self._read_stream(stream)

    def _read_stream(self, stream: BinaryIO) -> None:
        first = next(blocks(stream, self._manner.block), b"")
        if first and (kind := kind_of_head(self._source.name, first[:64])):
            self._add(kind)
            return
        start = 0
        if first.startswith(BOM_UTF8):
            self._add(Kind.BYTE_ORDER_MARK, line=1)
            start = len(BOM_UTF8)
        self._head = first[start : start + MAX_HEAD]
        self._begins_as_list = first[start:].lstrip().startswith(b"[")
        jobs = min(self._jobs, self.bytes // self._min_part)
        if self._source.path and self._source.data is None and jobs > 1 and stream.seekable():
            from groundlint.manifest.workers import read_parts

            ends = [self.bytes * n // jobs for n in range(1, jobs)]
            self._parts = read_parts(self._source.path, list(_ranges(stream, start, ends)), self._manner)
        else:
            rest = blocks(stream, self._manner.block)
            self._parts = [read_blocks(itertools.chain([first[start:]], rest), self._manner)]
        self._judge_file(stream)

    def _judge_file(self, stream: BinaryIO) -> None:
        """Add the problems of the file as a whole that show once all its lines are read."""
        has_images = any(part.has_source_refs for part in self._parts)
        befores = itertools.accumulate((part.lines for part in self._parts), initial=0)
        conflicts = [
            part.conflict + before for part, before in zip(self._parts, befores, strict=False) if part.conflict
        ]
        crlf_lines = sum(part.crlf_lines for part in self._parts)
        if all(part.lines == part.blank_lines for part in self._parts):
            self._add_instead_of_lines(Kind.EMPTY_MANIFEST)
        elif conflicts:
            self._add_instead_of_lines(Kind.MERGE_CONFLICT, conflicts[0])
        elif not has_images and stream.seekable() and (foreign := self._foreign(stream)):
            self._add_instead_of_lines(foreign.kind, values=foreign.values)
        elif (not has_images or self._begins_as_list) and (one := one_value(stream)):
            self._add_instead_of_lines(one.kind, values=one.values)
        elif not any(part.has_objects for part in self._parts):
            reason = reason_of(self._head)
            self._add_instead_of_lines(reason.kind, values=reason.values)
        elif crlf_lines:
            self._add(Kind.CRLF_LINE_ENDS, {"count": crlf_lines})

    def _add(self, kind: Kind, values: Values | None = None, line: int | None = None) -> None:
        row = (line, None, None, None, None, kind, values or {}, None, kind.loses, None, None)
        self._of_file.rows.problems.append(row)

    def _foreign(self, stream: BinaryIO) -> Foreign | None:
        stream.seek(0)
        return foreign_format(stream, self._source.name)

    def _add_instead_of_lines(self, kind: Kind, line: int | None = None, values: Values | None = None) -> None:
        """Add one problem of the file as a whole, and drop the rows of its lines."""
        self._parts = [Part(frames={}, lines=part.lines) for part in self._parts]
        self._of_file = Part()
        self._add(kind, values, line)


def _size(path: Path) -> int:
    """The size of a file that ends.

    Raises:
        OSError: The path is a folder or a device, or there is no file.
    """
    status = path.stat()
    # A pipe ends; a device may not.
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EISDIR, "the folder contains no manifest")
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISFIFO(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return status.st_size


def _ranges(stream: BinaryIO, start: int, ends: Sequence[int]) -> Iterator[tuple[int, int | None]]:
    """Where parts of a file begin and stop: after the line at each wanted end; None is the end of the file."""
    for end in ends:
        stream.seek(end)
        stream.readline()
        yield start, stream.tell()
        start = stream.tell()
    yield start, None
