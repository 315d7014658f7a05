"""A feature: a short value measured on each image or on each box's crop, a column of `images` or `crops`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

TABLES = ("images", "crops")


@dataclass(frozen=True)
class Feature:
    """A measured column. Its name is the function's, what it is stands in the function's docstring."""

    function: Callable[..., Any]
    of: str
    version: int
    dtype: pl.DataType

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.function.__name__


def feature(*, of: str, dtype: pl.DataType, version: int = 1) -> Callable[[Callable[..., Any]], Feature]:
    """Declare a function as a feature.

    Args:
        of: "images" or "crops".
        dtype: type of the column.
        version: to be raised when the values change, so that cached ones are not used.
    """
    if of not in TABLES:
        raise ValueError(f"a feature is of {' or '.join(TABLES)}, not of {of!r}")
    return lambda function: Feature(function, of, version, dtype)
