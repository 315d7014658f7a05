"""Findings that describe a whole data set: a rule on image quality that flags more than a fifth of it."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint.engine.rule import Rule, Severity
from groundlint.engine.wording import worded

MAX_SHARE = 0.2
"""Share of the images or boxes of a data set above which what a rule flags is typical of the data set."""

_BOX = ("manifest", "line", "attribute", "box")


def shares(findings: DataFrame, rules: Mapping[str, type[Rule]], lines: LazyFrame, boxes: LazyFrame) -> DataFrame:
    """Return one row for each rule and data set of which its findings are typical.

    Args:
        findings: All findings, before any is left out: what is typical does not depend on suppressions or a baseline.
        rules: The rules by code.
        lines: The table of lines.
        boxes: The table of boxes.

    Returns:
        `data_set`, `code` and `typical_of`, the sentence that stands for the findings.
    """
    words = {code: rule.typical for code, rule in rules.items() if rule.typical}
    flagged = findings.lazy().filter(_is_single(), col("code").is_in(list(words)))
    images = lines.group_by("data_set").agg(count=col("source_ref").drop_nulls().n_unique())
    by_rule = flagged.group_by("data_set", "code").agg(
        images=col("source_ref").n_unique(),
        boxes=pl.struct(_BOX).filter(col("box").is_not_null()).n_unique(),
    )
    of_images = by_rule.filter(col("boxes") == 0).join(images, on="data_set")
    of_boxes = by_rule.filter(col("boxes") > 0).join(boxes.group_by("data_set").agg(count=pl.len()), on="data_set")
    parts = [
        part.select("data_set", "code", what=lit(what), share=col(what) / col("count"))
        for what, part in (("images", of_images), ("boxes", of_boxes))
    ]
    percent = (100 * col("share")).round().cast(pl.Int64)
    word = col("code").replace_strict(words, default=None, return_dtype=pl.String)
    said = worded("typical of this data set: {}% of the {} are {}", percent, "what", word)
    return pl.concat(parts).filter(col("share") > MAX_SHARE).select("data_set", "code", typical_of=said).collect()


def mark(findings: DataFrame, typical: DataFrame) -> DataFrame:
    """Findings with `typical` and `typical_of`; those that are typical become infos.

    Args:
        findings: Graded findings.
        typical: The rules and data sets of which findings are typical, as `shares` returns them.
    """
    found = findings.join(typical, on=["data_set", "code"], how="left", maintain_order="left")
    found = found.with_columns(typical_of=pl.when(_is_single()).then("typical_of"))
    is_typical = col("typical_of").is_not_null()
    severity = pl.when(is_typical).then(lit(Severity.INFO.value)).otherwise("severity")
    return found.with_columns(typical=is_typical, severity=severity)


def _is_single() -> pl.Expr:
    """Whether a finding is on one image or box, and not on a label, a manifest or a data set."""
    return col("source_ref").is_not_null()
