"""Which rule reports the cause of each loss: the rule of the loss itself, that of another loss, or a diagnosis."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import table
from groundlint.manifest.kinds import Effect, Kind, kinds_with
from groundlint_rules.tables.set_wide_causes import EXPLAINED_KINDS, lengths
from groundlint_rules.tables.verdicts import of_custom_labels

_FOLLOWS_FROM = {Kind.NO_VALID_BOXES.value: "box", Kind.NO_VALID_LABEL_ATTRIBUTES.value: "attribute"}
"""The losses that follow from others of the same line, by kind, and what these others remove."""


@table()
def rooted_losses(losses: LazyFrame, set_wide_causes: LazyFrame) -> LazyFrame:
    """One loss as in `losses`; `caused_by` is the rule of its cause, null where the loss has none but its own."""
    pairs = [(cause, kind.value) for cause, kinds in EXPLAINED_KINDS.items() for kind in kinds]
    kinds = pl.LazyFrame(pairs, schema={"cause": pl.String, "kind": pl.String}, orient="row")
    explained = set_wide_causes.select("line_id", "cause").join(kinds, on="cause")
    by_diagnosis = explained.group_by("line_id", "kind").agg(caused_by=col("cause").min())
    rows = losses.join(by_diagnosis, on=["line_id", "kind"], how="left")
    own = _own_losses(rows)
    weights = own.group_by("data_set", "manifest", "root").agg(weight=col("line_id").n_unique())
    leading = (
        own.filter(col("loses").is_in(list(_FOLLOWS_FROM.values())))
        .join(weights, on=["data_set", "manifest", "root"])
        .sort(-col("weight").cast(pl.Int64), "root")
        .group_by("line_id", "loses", maintain_order=True)
        .agg(col("root").first())
    )
    removed = col("kind").replace_strict(_FOLLOWS_FROM, default=None, return_dtype=pl.String)
    return (
        rows.with_columns(removed=removed)
        .join(leading, left_on=["line_id", "removed"], right_on=["line_id", "loses"], how="left")
        .with_columns(caused_by=pl.coalesce("caused_by", "root"))
        .drop("removed", "root")
    )


@table()
def leading_causes(rooted_losses: LazyFrame, lost_lines: LazyFrame) -> LazyFrame:
    """One way in which lines of a manifest are lost, and its rule with most `lines`, as `root`.

    `scope` says which lines count: `lost` ones, those removed `silently`, or `any` on which something is lost. Of the
    last, all rules have a row.
    """
    roots = _own_losses(rooted_losses).select("data_set", "manifest", "line_id", "line", "kind", "root")
    lost = roots.join(lost_lines.select("line_id"), on="line_id", how="semi")
    silent = lost.filter(col("kind").is_in(kinds_with(Effect.SILENT)))
    scopes = {"lost": lost, "silently": silent, "any": roots}
    counted = [
        rows.group_by("data_set", "manifest", "root").agg(lines=col("line").n_unique()).with_columns(scope=lit(scope))
        for scope, rows in scopes.items()
    ]
    ranked = pl.concat(counted).sort(-col("lines").cast(pl.Int64), "root")
    is_first = pl.int_range(pl.len()).over("data_set", "manifest", "scope") == 0
    return ranked.filter(is_first | (col("scope") == "any"))


def _own_losses(rows: LazyFrame) -> LazyFrame:
    """The losses of boxes, attributes and lines that follow from no other, with the rule of their cause as `root`."""
    is_own = ~col("kind").is_in(list(_FOLLOWS_FROM))
    lost = rows.filter(col("loses").is_in(["box", "attribute", "line"]), col("line_id").is_not_null(), is_own)
    return lost.with_columns(root=pl.coalesce("caused_by", "cause"))


@table()
def diagnoses(
    set_wide_causes: LazyFrame, rooted_losses: LazyFrame, manifests: LazyFrame, limits: LazyFrame
) -> LazyFrame:
    """One manifest most lines of which have the same cause of a fault: the number of these `lines` and of all, `count`.

    `severity` is error where Custom Labels is the target and removes something because of it, else null.
    """
    key = ["data_set", "manifest"]
    losing = rooted_losses.filter(col("loses").is_not_null()).select(*key, cause="caused_by").unique()
    severe = of_custom_labels(losing, limits).with_columns(severity=lit("error"))
    affected = set_wide_causes.group_by(*key, "cause").agg(lines=col("line").n_unique())
    return affected.join(lengths(manifests), on=key).join(severe, on=[*key, "cause"], how="left")
