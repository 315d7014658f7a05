"""Base classes of rules that report, once for a manifest, the cause of a fault on most of its lines."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
from polars import LazyFrame, col

from groundlint import FACT, Rule, Severity


class DiagnosisRule(Rule):
    """A rule on a fault that has the same cause on more than half of the lines of a manifest.

    What follows from the cause is not reported by rules of ours; findings with a service code name the rule as their
    cause. The finding has the severity of the worst of them, else that of the rule.
    """

    precision: ClassVar[float | None] = FACT
    severity: ClassVar[Severity] = Severity.WARNING

    def of_rule(self, diagnoses: LazyFrame) -> LazyFrame:
        """The diagnoses of this rule."""
        return diagnoses.filter(col("cause") == self.code)


class PlainDiagnosisRule(DiagnosisRule):
    """A diagnosis whose message needs only the numbers of lines."""

    def check(self, diagnoses: LazyFrame) -> LazyFrame:
        """The diagnoses of this rule."""
        return self.of_rule(diagnoses)


def with_values(rows: LazyFrame, values: LazyFrame, *columns: str) -> LazyFrame:
    """Diagnosed manifests with the most frequent values of columns among their lines; of equals, the first ones."""
    key = ["data_set", "manifest"]
    counted = values.group_by(*key, *columns).agg(times=pl.len()).sort(-col("times").cast(pl.Int64), *columns)
    return rows.join(counted.unique(key, keep="first", maintain_order=True).drop("times"), on=key)
