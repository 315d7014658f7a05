"""Numbers that features keep as bytes, as one array."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import DTypeLike, NDArray

_AT_ONCE = 4096


def stacked(column: pl.Series, width: int, dtype: DTypeLike) -> NDArray[Any]:
    """The numbers of each row, (rows, width).

    Joined all at once they would be in memory three times: in the column, as bytes objects, and in the array.

    Args:
        column: bytes, without nulls.
        width: how many numbers a row has.
        dtype: of what type they are.
    """
    numbers = np.empty((len(column), width), dtype)
    for start in range(0, len(column), _AT_ONCE):
        part = column[start : start + _AT_ONCE]
        numbers[start : start + len(part)] = np.frombuffer(b"".join(part), dtype).reshape(-1, width)
    return numbers
