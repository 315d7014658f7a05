"""Where findings without a service code would only repeat a loss or a diagnosis."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import table
from groundlint.manifest.kinds import kinds_of
from groundlint_rules.tables.set_wide_causes import (
    ADJUSTED_COPY,
    ATTRIBUTE_PER_IMAGE,
    COORDINATES,
    COPIED_IMAGE_SIZE,
    LINE_PER_BOX,
    SHIFTED_CLASS_IDS,
)
from groundlint_rules.tables.verdicts import of_custom_labels

_CODES = pl.List(pl.String)
_COLUMNS: dict[str, type[pl.DataType]] = {
    "data_set": pl.Int32,
    "manifest": pl.String,
    "line": pl.Int32,
    "attribute": pl.String,
    "box": pl.Int32,
    "cause": pl.String,
}
_KINDS_OF_ANY_TARGET = [kind for code in ("MAN201", "MAN202") for kind in kinds_of(code)]
"""Kinds of lines that Ground Truth refuses too; every other loss is one of Custom Labels."""


@table()
def unused_lines(losses: LazyFrame, lost_lines: LazyFrame, limits: LazyFrame) -> LazyFrame:
    """One line that the service of the target does not use."""
    columns = ("data_set", "manifest", "line_id", "line")
    refused = losses.filter(col("kind").is_in(_KINDS_OF_ANY_TARGET), col("line_id").is_not_null())
    return pl.concat([of_custom_labels(lost_lines, limits).select(columns), refused.select(columns)]).unique()


@table()
def covered_places(
    losses: LazyFrame,
    unused_lines: LazyFrame,
    set_wide_causes: LazyFrame,
    attributes: LazyFrame,
    boxes: LazyFrame,
    limits: LazyFrame,
) -> LazyFrame:
    """One place on which findings without a service code are not reported; see `groundlint.engine.cascade`."""
    removed = of_custom_labels(losses, limits)
    return pl.concat(
        [
            _rows(unused_lines),
            _rows(removed.filter(col("loses") == "attribute"), "attribute"),
            _rows(removed.filter(col("loses") == "box"), "attribute", "box"),
            *_of_causes(set_wide_causes, attributes, boxes),
        ]
    ).unique()


def _of_causes(causes: LazyFrame, attributes: LazyFrame, boxes: LazyFrame) -> list[LazyFrame]:
    """What follows from the causes that most lines of a manifest have."""

    def placed(rows: LazyFrame, *codes: str) -> LazyFrame:
        affected = causes.filter(col("cause").is_in(codes)).select("line_id", "cause").unique()
        return rows.join(affected, on="line_id")

    return [
        _rows(placed(boxes, *COORDINATES, COPIED_IMAGE_SIZE), "attribute", "box", "cause"),
        _rows(placed(attributes, COPIED_IMAGE_SIZE), "attribute", "cause", codes=["IMG206", "BOX308"]),
        _rows(placed(attributes, SHIFTED_CLASS_IDS), "attribute", "cause", codes=["SUS"]),
        _rows(placed(attributes, SHIFTED_CLASS_IDS), "attribute", "cause", codes=["LBL303"], of_lines=False),
        _rows(placed(attributes, ATTRIBUTE_PER_IMAGE), "attribute", "cause", codes=["LBL3"], of_lines=False),
        _rows(placed(attributes, ATTRIBUTE_PER_IMAGE), "attribute", "cause", codes=["BOX307"]),
        _rows(placed(attributes, ADJUSTED_COPY), "attribute", "cause", codes=["BOX305"]),
        _rows(causes.filter(col("cause") == LINE_PER_BOX), "cause", codes=["REF104"]),
    ]


def _rows(places: LazyFrame, *keys: str, codes: list[str] | None = None, of_lines: bool = True) -> LazyFrame:
    """Places as rows of the table; other keys than those given are null."""
    given = {"data_set", "manifest", *keys} | ({"line"} if of_lines else set())
    parts = {name: col(name) if name in given else lit(None) for name in _COLUMNS}
    return places.select(
        *(part.cast(_COLUMNS[name]).alias(name) for name, part in parts.items()),
        codes=lit(codes, dtype=_CODES),
    )
