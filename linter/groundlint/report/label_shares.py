"""How findings on boxes spread over labels: a fault of single boxes, or a habit of one label."""

from __future__ import annotations

from polars import DataFrame, col

from groundlint.phrases import first_of
from groundlint.sanitize import visible

_MIN_BOXES = 10
"""Boxes from which the share of a label is compared with that of the others."""

_MIN_REPORTED = 3
"""Reported boxes from which a rule has shares and a label is named: fewer may be chance."""

_RATIO = 2
"""Times the share of the other labels, with one more reported, from which a label is named."""


def label_shares(findings: DataFrame, boxes_by_label: DataFrame) -> dict[str, str]:
    """The share of boxes that each rule reports, and the labels that stand out, as the sentence part for its code.

    Rules that report one or two boxes have none.

    Args:
        findings: Findings of the rules; those on no box are left out.
        boxes_by_label: The number of `boxes` of each `label`; no rule has a share if it is empty.
    """
    if boxes_by_label.is_empty():
        return {}
    on_boxes = findings.filter(col("box").is_not_null(), col("label").is_not_null())
    once = on_boxes.unique(["code", "manifest", "line", "attribute", "box"])
    counts = once.group_by("code", "label").len("reported")
    by_rule = counts.group_by("code").agg(col("reported").sum())
    codes = sorted(by_rule.filter(col("reported") >= _MIN_REPORTED)["code"])
    return {code: _phrase(counts.filter(col("code") == code), boxes_by_label) for code in codes}


def _phrase(counts: DataFrame, boxes_by_label: DataFrame) -> str:
    """The labels with at least twice the share of all others together; the share of all boxes if there are none."""
    rows = boxes_by_label.join(counts.select("label", "reported"), on="label", how="left").fill_null(0)
    reported, boxes = int(rows["reported"].sum()), int(rows["boxes"].sum())
    # One more than reported, so that a label is not named only because none of few others is reported.
    others = (reported - col("reported") + 1) / (boxes - col("boxes"))
    is_apart = (col("boxes") < boxes) & (col("reported") / col("boxes") >= _RATIO * others)
    ranked = rows.filter(is_apart, col("boxes") >= _MIN_BOXES, col("reported") >= _MIN_REPORTED).sort(
        col("reported") / col("boxes"), "label", descending=[True, False]
    )
    if ranked.is_empty():
        return f"{_percent(reported, boxes)} of the {boxes:,} boxes"
    named = [
        f"{_percent(count, total)} of the {total:,} {visible(label)!r} boxes"
        for label, total, count in ranked.select("label", "boxes", "reported").iter_rows()
    ]
    rest = rows.join(ranked, on="label", how="anti")
    if rest.is_empty():
        return first_of(named)
    return f"{first_of(named)}; {_percent(int(rest['reported'].sum()), int(rest['boxes'].sum()))} of the others"


def _percent(count: int, of: int) -> str:
    """A share in percent; one that is not 0 is never shown as 0."""
    return "<1%" if 0 < count < 0.005 * of else f"{count / of:.0%}"
