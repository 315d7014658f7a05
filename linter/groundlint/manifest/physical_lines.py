"""The physical lines of a manifest, for commands that write some of them again."""

from __future__ import annotations

import codecs
from pathlib import Path

from groundlint.errors import GroundlintError


class UnreadableFile(GroundlintError):
    """A file that a command reads as a whole cannot be read."""


def read_bytes(file: Path) -> bytes:
    """The bytes of a file.

    Raises:
        UnreadableFile: It cannot be read.
    """
    try:
        if file.exists() and not file.is_file():
            # A pipe or a device may never end.
            raise UnreadableFile(f"{file}: not a regular file")
        return file.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{file}: {error.strerror or error}") from None


def split_lines(data: bytes) -> list[bytes]:
    """The lines with their ends; joined, they are the same bytes. Only a line feed ends a line."""
    *lines, last = data.split(b"\n")
    return [line + b"\n" for line in lines] + ([last] if last else [])


def movable_lines(data: bytes) -> list[bytes]:
    """The lines with their ends, so that they can be written in any selection.

    A byte order mark is left out, and the last line gets the end of the first if it has none.
    """
    lines = split_lines(data.removeprefix(codecs.BOM_UTF8))
    if lines and not lines[-1].endswith(b"\n"):
        is_crlf = len(lines) > 1 and lines[0].endswith(b"\r\n")
        lines[-1] = lines[-1].removesuffix(b"\r") + (b"\r\n" if is_crlf else b"\n")
    return lines
