"""The protocol between a worker process and its parent.

Messages are bytes in MessagePack, never pickles. An empty message announces that the next one is a `Failure`.
"""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.connection import Connection

import msgspec

FAILURE_FOLLOWS = b""


class Failure(msgspec.Struct, array_like=True):
    """An exception that ended a worker: its type and text, and its traceback."""

    error: str
    traceback: str


def requests(connection: Connection) -> Iterator[bytes]:
    """Yield the messages of the parent until it closes the connection or ends."""
    while True:
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            return
        yield message


def encodable(text: str) -> str:
    """Return a text that UTF-8 can hold: names of files and messages of libraries may have lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
