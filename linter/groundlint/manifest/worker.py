"""The process that reads a part of a manifest: told on standard input which, it writes its rows to standard output."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec
import polars as pl
from polars import DataFrame, col

from groundlint.manifest.part import SCHEMAS, Manner, Part, blocks, read_blocks, without_collection
from groundlint.messages import receive, send


class Task(msgspec.Struct):
    """Lines of a file: from one position to another, or to its end."""

    path: bytes
    start: int
    stop: int | None
    manner: Manner


class Result(msgspec.Struct):
    """What comes before the rows: the counts of a part, and the tables in whose order their rows follow."""

    lines: int
    blank_lines: int
    crlf_lines: int
    conflict: int | None
    tables: list[str]


def read_task(task: Task) -> Part:
    """Read what a task asks for.

    Raises:
        OSError: the file cannot be opened or read.
    """
    with Path(os.fsdecode(task.path)).open("rb") as stream, without_collection():
        stream.seek(task.start)
        return read_blocks(blocks(stream, task.manner.block, task.stop), task.manner)


def write_part(part: Part, stream: BinaryIO) -> None:
    """Send what was read to another process."""
    tables = [name for name, frames in part.frames.items() if frames]
    send(
        stream,
        msgspec.msgpack.encode(Result(part.lines, part.blank_lines, part.crlf_lines, part.conflict, tables)),
    )
    for name in tables:
        rows = io.BytesIO()
        # What is written is let go of: the rest of the rows is still in memory.
        columns = [col(key).cast(dtype) for key, dtype in SCHEMAS[name].items()]
        pl.concat([frame.select(columns) for frame in part.frames.pop(name)]).write_ipc_stream(rows)
        send(stream, rows.getvalue())


def receive_part(stream: BinaryIO) -> Part | None:
    """What another process has read; None where it ended before all was said."""
    message = receive(stream)
    if message is None:
        return None
    result = msgspec.msgpack.decode(message, type=Result)
    frames: dict[str, list[DataFrame]] = {}
    for name in result.tables:
        rows = receive(stream)
        if rows is None:
            return None
        frames[name] = [pl.read_ipc_stream(io.BytesIO(rows))]
    part = Part(lines=result.lines, blank_lines=result.blank_lines, crlf_lines=result.crlf_lines)
    part.conflict = result.conflict
    part.frames |= frames
    return part


def main() -> None:
    """Read one part."""
    task = msgspec.msgpack.decode(receive(sys.stdin.buffer) or b"", type=Task)
    write_part(read_task(task), sys.stdout.buffer)


if __name__ == "__main__":
    main()
