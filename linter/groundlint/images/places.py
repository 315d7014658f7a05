"""Where the file of an image is, or why it has none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from groundlint.images.record import ImageFault


class Stamp(NamedTuple):
    """Facts about a file or object that change when it is written, known without opening it.

    `version` is the inode of a file or the ETag of an object. `modified` is in nanoseconds since 1970, 0 for an object.
    """

    size: int
    modified: int
    version: int | str

    @property
    def text(self) -> str:
        """The form in which the cache stores it."""
        return f"{self.size}:{self.modified}:{self.version}"


class Place(NamedTuple):
    """Where the file of an image is.

    Where `path` is None, `fault` and `detail` say why; `fault` is None if there simply is no such file. `twin` is a
    file with another extension that is probably meant, unless a line names it.
    """

    path: str | None
    stamp: Stamp | None = None
    fault: ImageFault | None = None
    detail: str | None = None
    twin: str | None = None


NOWHERE = Place(None)
"""There is no such file."""


def refused(reason: str) -> Place:
    """Return the place of a file that is not opened."""
    return Place(None, fault=ImageFault.REFUSED, detail=reason)


def shown(folder: str | Path) -> str:
    """Return a folder as text for the user, relative to the working directory."""
    return as_text(os.path.relpath(folder))


def as_text(path: str) -> str:
    """Return a path with escapes for bytes that are not text."""
    return path.encode("utf-8", "backslashreplace").decode()


def is_below(path: str, roots: Sequence[Path]) -> bool:
    """Return whether a real path is in one of the folders."""
    return any(path == str(root) or path.startswith(str(root).rstrip(os.sep) + os.sep) for root in roots)
