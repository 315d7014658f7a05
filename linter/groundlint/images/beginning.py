"""The beginning of a file as a stream that decoders read like the whole file, as long as they need no more of it."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from typing_extensions import Buffer

HEAD = 64
"""Bytes at the beginning of a file that features may have without the rest."""


class Beginning(io.RawIOBase):
    """The beginning of a file, as a stream of the size of the file.

    What was read is what the whole file would have given, unless `is_exceeded`.

    Attributes:
        size: Size of the file in bytes.
        is_exceeded: Whether something beyond the beginning was to be read. That raises an exception, which a decoder
            may have taken for a fault of the file.
    """

    def __init__(self, data: bytes, size: int) -> None:
        """Start at the first byte.

        Args:
            data: The beginning.
            size: Size of the file in bytes.
        """
        self.size = size
        self.is_exceeded = False
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Change the position, which may be beyond the end, and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            # As of a file.
            raise ValueError(f"negative seek position {start + offset}")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        """Read bytes into a buffer.

        Raises:
            EOFError: They are not all in the beginning.
        """
        view = memoryview(buffer)
        end = min(self._at + len(view), self.size)
        if end > max(self._at, len(self._data)):
            self._exceed()
        part = self._data[self._at : end]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)

    def readall(self) -> bytes:
        """Return what is left.

        Raises:
            EOFError: It is not all in the beginning.
        """
        if self._at < self.size and len(self._data) < self.size:
            self._exceed()
        return super().readall()

    def _exceed(self) -> NoReturn:
        self.is_exceeded = True
        raise EOFError("only the beginning of the file is known")
