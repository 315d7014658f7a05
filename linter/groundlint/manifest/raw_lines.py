"""The bytes of single lines of a manifest."""

from __future__ import annotations

import io
import stat
from collections.abc import Collection
from typing import BinaryIO

from groundlint.config.data_sets import Source


def raw_lines(source: Source, numbers: Collection[int]) -> dict[int, bytes]:
    """Return the bytes of lines by their number, from 1, with their ends; none of a file that cannot be read twice.

    Args:
        source: The manifest.
        numbers: Numbers of the wanted lines.
    """
    if source.data is not None:
        return _lines(io.BytesIO(source.data), numbers)
    try:
        if source.path is None or not stat.S_ISREG(source.path.stat().st_mode):
            return {}
        with source.path.open("rb") as stream:
            return _lines(stream, numbers)
    except OSError:
        return {}


def _lines(stream: BinaryIO, numbers: Collection[int]) -> dict[int, bytes]:
    wanted, last = set(numbers), max(numbers, default=0)
    found = {}
    for number, line in enumerate(stream, 1):
        if number in wanted:
            found[number] = line
        if number >= last:
            break
    return found
