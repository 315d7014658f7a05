"""Columns of bytes as one array of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import DTypeLike, NDArray

_AT_ONCE = 4096


def stacked(column: pl.Series, width: int, dtype: DTypeLike) -> NDArray[Any]:
    """Decode a column of bytes as numbers.

    It works in parts, because joining all rows at once would hold them in memory three times.

    Args:
        column: Bytes, without nulls.
        width: Numbers in each row.
        dtype: Type of the numbers.

    Returns:
        (rows, width), of `dtype`.
    """
    numbers = np.empty((len(column), width), dtype)
    for start in range(0, len(column), _AT_ONCE):
        part = column[start : start + _AT_ONCE]
        numbers[start : start + len(part)] = np.frombuffer(b"".join(part), dtype).reshape(-1, width)
    return numbers
