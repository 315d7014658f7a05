"""The process that reads a part of a manifest: told on standard input which, it writes its rows to standard output."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import polars as pl
from polars import col

from groundlint.manifest.lines import SCHEMAS
from groundlint.manifest.part import Manner, Part, PartReader, blocks, no_frames, read_blocks, without_collection
from groundlint.processes.messages import receive, send


class Task(msgspec.Struct):
    """Lines of a file: from one position to another, or to its end."""

    path: bytes
    start: int
    stop: int | None
    manner: Manner


class Follows(msgspec.Struct, tag=True):
    """Comes before some rows of a table."""

    table: str


class Counts(msgspec.Struct, tag=True):
    """Comes last: what the lines of a part count."""

    lines: int
    blank_lines: int
    crlf_lines: int
    conflict: int | None


def read_task(task: Task) -> Part:
    """Read what a task asks for.

    Raises:
        OSError: the file cannot be opened or read.
    """
    with _opened(task) as data:
        return read_blocks(data, task.manner)


def write_part(task: Task, stream: BinaryIO) -> None:
    """Send what a task asks for to another process: rows as soon as a block is read, so that they are held once.

    Raises:
        OSError: the file cannot be opened or read.
    """
    reader = PartReader(task.manner)
    with _opened(task) as data:
        for lines in data:
            reader.read(lines)
            for name, frames in reader.take().items():
                if frames:
                    columns = [col(key).cast(dtype) for key, dtype in SCHEMAS[name].items()]
                    rows = io.BytesIO()
                    pl.concat([frame.select(columns) for frame in frames], rechunk=True).write_ipc_stream(rows)
                    send(stream, msgspec.msgpack.encode(Follows(name)))
                    send(stream, rows.getvalue())
    part = reader.finish()
    counts = Counts(part.lines, part.blank_lines, part.crlf_lines, part.conflict)
    send(stream, msgspec.msgpack.encode(counts))


def receive_part(stream: BinaryIO) -> Part | None:
    """What another process has read; None where it ended before all was said."""
    frames = no_frames()
    while (message := receive(stream)) is not None:
        head = msgspec.msgpack.decode(message, type=Follows | Counts)
        if isinstance(head, Counts):
            return Part(frames, head.lines, head.blank_lines, head.crlf_lines, head.conflict)
        if (rows := receive(stream)) is not None:
            frames[head.table].append(pl.read_ipc_stream(io.BytesIO(rows)))
    return None


def main() -> None:
    """Read one part."""
    task = msgspec.msgpack.decode(receive(sys.stdin.buffer) or b"", type=Task)
    write_part(task, sys.stdout.buffer)


@contextlib.contextmanager
def _opened(task: Task) -> Iterator[Iterator[bytes]]:
    """The blocks of lines that a task asks for."""
    with Path(os.fsdecode(task.path)).open("rb") as stream, without_collection():
        stream.seek(task.start)
        yield blocks(stream, task.manner.block, task.stop)


if __name__ == "__main__":
    main()
