"""Columns of bytes as numbers, read in parts: all values of a million images would take gigabytes of memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
from polars import DataFrame, LazyFrame, Series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_AT_ONCE = 16_384
"""Rows that are read together. Their values lie together in files, too."""

_IMAGE = ("data_set", "source_ref")

_NO_IMAGE = DataFrame(schema={"data_set": pl.Int32, "source_ref": pl.String})


class WideColumn(NamedTuple):
    """The values of a column.

    Attributes:
        rows: data_set and source_ref of the images that have a value, sorted, and `place`, the row of `values`.
        values: Shape (images, width).
    """

    rows: DataFrame
    values: NDArray[np.uint8]


def wide_column(images: LazyFrame, name: str, width: int, among: LazyFrame | None = None) -> WideColumn:
    """Read a column.

    Args:
        images: The table `images`, or `reference_images`.
        name: The column.
        width: Bytes of each value.
        among: The images whose values are read, with their data_set and source_ref; all if not given.
    """
    import numpy as np

    keys = _keys(images, among)
    values = np.empty((keys.height, width), np.uint8)
    rows, count = [_NO_IMAGE], 0
    for part in _read(images, name, keys):
        values[count : count + part.height] = _numbers(part[name], width)
        count += part.height
        rows.append(part.select(_IMAGE))
    return WideColumn(pl.concat(rows).with_row_index("place"), values[:count])


def in_parts(images: LazyFrame, name: str, width: int) -> Iterator[tuple[DataFrame, NDArray[np.uint8]]]:
    """Yield the data_set and source_ref of some thousand images that have a value, sorted, and their values.

    Args:
        images: The table `images`, or `reference_images`.
        name: The column.
        width: Bytes of each value.
    """
    for part in _read(images, name, _keys(images, None)):
        yield part.select(_IMAGE), _numbers(part[name], width)


def values_of(few: LazyFrame, images: LazyFrame, name: str) -> DataFrame:
    """Return data_set, source_ref and the value of a few images that have one, as bytes.

    Args:
        few: The images, with their data_set and source_ref.
        images: The table `images`, or `reference_images`.
        name: The column.
    """
    none = _NO_IMAGE.with_columns(pl.lit(None, pl.Binary).alias(name))
    return pl.concat([none, *_read(images, name, _keys(images, few))])


def taken(values: NDArray[np.uint8], places: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return some rows of values, (rows, width): the values themselves, not a copy, if these are all rows in order."""
    import numpy as np

    return values if np.array_equal(places, np.arange(len(values))) else values[places]


def _keys(images: LazyFrame, among: LazyFrame | None) -> DataFrame:
    """The wanted images, with their `row` in the table."""
    keys = images.select(_IMAGE).with_row_index("row")
    if among is not None:
        keys = keys.join(among.select(_IMAGE), on=_IMAGE, how="semi", maintain_order="left")
    return keys.collect()


def _read(images: LazyFrame, name: str, keys: DataFrame) -> Iterator[DataFrame]:
    """The wanted images that have a value, some thousands at a time."""
    for (block,), part in keys.group_by(pl.col("row") // _AT_ONCE, maintain_order=True):
        start = int(block) * _AT_ONCE
        # A query of consecutive rows reads no others.
        rows = images.select(*_IMAGE, name).slice(start, _AT_ONCE).collect()
        yield rows[part["row"] - start].drop_nulls(name)


def _numbers(column: Series, width: int) -> NDArray[np.uint8]:
    from groundlint_rules.algorithms.stacked import stacked

    return stacked(column, width, "u1")
