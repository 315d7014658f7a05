"""The worker process that reads a part of a manifest and sends its rows."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import polars as pl
from polars import col

from groundlint.manifest.lines import SCHEMAS
from groundlint.manifest.part import Manner, Part, PartReader, blocks, no_frames, read_blocks, without_collection

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class PartTask(msgspec.Struct):
    """The lines of a file from one position to another, or to its end; both are beginnings of lines."""

    path: bytes
    start: int
    stop: int | None
    manner: Manner


class RowsFollow(msgspec.Struct, tag=True):
    """Announces that the next message holds rows of a table."""

    table: str


class Counts(msgspec.Struct, tag=True):
    """The last message: the numbers of a `Part`."""

    lines: int
    blank_lines: int
    crlf_lines: int
    conflict: int | None


def serve(connection: Connection) -> None:
    """Read the part that the first message asks for. Rows are sent after each block, so that they are held once."""
    task = msgspec.msgpack.decode(connection.recv_bytes(), type=PartTask)
    reader = PartReader(task.manner)
    with _opened(task) as data:
        for lines in data:
            reader.read(lines)
            for name, frames in reader.take().items():
                if frames:
                    columns = [col(key).cast(dtype) for key, dtype in SCHEMAS[name].items()]
                    rows = io.BytesIO()
                    pl.concat([frame.select(columns) for frame in frames], rechunk=True).write_ipc_stream(rows)
                    connection.send_bytes(msgspec.msgpack.encode(RowsFollow(name)))
                    connection.send_bytes(rows.getbuffer())
    part = reader.finish()
    counts = Counts(part.lines, part.blank_lines, part.crlf_lines, part.conflict)
    connection.send_bytes(msgspec.msgpack.encode(counts))


class PartReceiver:
    """Puts a part together from the messages of a worker. `part` is None until the last has come."""

    def __init__(self) -> None:
        self.part: Part | None = None
        self._frames = no_frames()
        self._table: str | None = None

    def take(self, message: bytes) -> None:
        """Take the next message."""
        if self._table is not None:
            self._frames[self._table].append(pl.read_ipc_stream(io.BytesIO(message)))
            self._table = None
            return
        head = msgspec.msgpack.decode(message, type=RowsFollow | Counts)
        if isinstance(head, Counts):
            self.part = Part(self._frames, head.lines, head.blank_lines, head.crlf_lines, head.conflict)
        else:
            self._table = head.table


def read_task(task: PartTask) -> Part:
    """Read a part in this process.

    Raises:
        OSError: The file cannot be opened or read.
    """
    with _opened(task) as data:
        return read_blocks(data, task.manner)


@contextlib.contextmanager
def _opened(task: PartTask) -> Iterator[Iterator[bytes]]:
    """Yield the blocks of lines of a part."""
    with Path(os.fsdecode(task.path)).open("rb") as stream, without_collection():
        stream.seek(task.start)
        yield blocks(stream, task.manner.block, task.stop)
