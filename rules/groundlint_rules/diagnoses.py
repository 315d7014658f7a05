"""Base class of rules that report, once for a manifest, the cause of a fault on most of its lines."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import FACT, Rule, Severity


class DiagnosisRule(Rule):
    """A rule on a fault that has the same cause on more than half of the lines of a manifest.

    What follows from the cause is not reported by rules of ours; findings with a service code name the rule as their
    cause. The finding has the severity of the worst of them, else that of the rule.
    """

    precision: ClassVar[float | None] = FACT
    severity: ClassVar[Severity] = Severity.WARNING

    def check(
        self, set_wide_causes: LazyFrame, rooted_losses: LazyFrame, manifests: LazyFrame, limits: LazyFrame
    ) -> LazyFrame:
        """The manifests most lines of which have the cause, with the number of these `lines` and of all, `count`."""
        key = ["data_set", "manifest"]
        affected = set_wide_causes.filter(col("cause") == self.code).group_by(key).agg(lines=col("line").n_unique())
        count = manifests.group_by(key).agg(count=col("lines").max())
        is_custom_labels = limits.filter(col("target") == "rekognition").select("target")
        losing = (
            rooted_losses.filter(col("caused_by") == self.code, col("loses").is_not_null())
            .select(key)
            .unique()
            .join(is_custom_labels, how="cross")
            .select(*key, severity=lit(Severity.ERROR.value))
        )
        return affected.join(count, on=key).join(losing, on=key, how="left")


def with_values(rows: LazyFrame, values: LazyFrame, *columns: str) -> LazyFrame:
    """Diagnosed manifests with the most frequent values of columns among their lines; of equals, the first ones."""
    key = ["data_set", "manifest"]
    counted = values.group_by(*key, *columns).agg(times=pl.len()).sort(-col("times").cast(pl.Int64), *columns)
    return rows.join(counted.unique(key, keep="first", maintain_order=True).drop("times"), on=key)
