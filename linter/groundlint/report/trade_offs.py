"""What thresholds of an evaluated model give, as cells for the reports that people read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from polars import DataFrame, col

HEADER = ("threshold", "precision", "recall", "F1", "TP", "FP", "FN", "")
"""Titles of the columns; the last one is the remark on a threshold."""

_REMARKS = {
    "assumed": "assumed",
    "precision": "raising it further does not pay",
    "recall": "lowering it further does not pay",
    "step": "",
}


class LabelTradeOffs(NamedTuple):
    """The thresholds of one label, in ascending order, each as the cells of a row."""

    manifest: str
    label: str
    images: int
    rows: list[tuple[str, ...]]


def worst_labels(evaluation: DataFrame) -> Iterator[LabelTradeOffs]:
    """The labels of an evaluation, that with the lowest F1 at the assumed threshold first.

    Args:
        evaluation: Rows with the keys of a `TradeOff`.
    """
    assumed = evaluation.filter(col("point") == "assumed").sort("f1", "manifest", "label", nulls_last=False)
    parts = evaluation.partition_by("manifest", "label", as_dict=True)
    for manifest, label, images in assumed.select("manifest", "label", "images").iter_rows():
        rows = parts[manifest, label].sort("threshold")
        yield LabelTradeOffs(manifest, label, images, [_cells(row) for row in rows.to_dicts()])


def _cells(row: dict[str, object]) -> tuple[str, ...]:
    counts = (str(row[name]) for name in ("true_positives", "false_positives", "false_negatives"))
    figures = (_with_interval(row, name) for name in ("precision", "recall"))
    remark = _REMARKS[str(row["point"])] if row["threshold"] is not None else "never predicted"
    return (_number(row["threshold"]), *figures, _number(row["f1"]), *counts, remark)


def _with_interval(row: dict[str, object], name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    interval = f" ({_number(low)} to {_number(high)})" if low is not None else ""
    return _number(row[name]) + interval


def _number(value: object) -> str:
    return "-" if value is None else f"{value:.2f}"
