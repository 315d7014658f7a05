"""Base classes of rules that report structural faults and what the service removes, each by its kinds of faults."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import FACT, Rule, Severity, counted, worded
from groundlint.manifest.kinds import kinds_of


class ServiceRule(Rule):
    """A rule that reports what the service removes or warns of: every verdict of its kinds is a finding."""

    targets: ClassVar[tuple[str, ...]] = ("rekognition",)
    precision: ClassVar[float | None] = FACT

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        return verdicts_of(self, verdicts)


class ProblemRule(Rule):
    """A rule on a structural fault for which the service has no code: every problem of its kinds is a finding."""

    precision: ClassVar[float | None] = FACT

    def check(self, problems: LazyFrame) -> LazyFrame:
        """Every problem of the rule's kinds."""
        return problems_of(self, problems)


def verdicts_of(rule: Rule, verdicts: LazyFrame) -> LazyFrame:
    """The verdicts of a rule's kinds, with a column for each of their values."""
    return verdicts.filter(col("cause") == rule.code).unnest("values")


def problems_of(rule: Rule, problems: LazyFrame) -> LazyFrame:
    """The problems of a rule's kinds, with a column for each of their values."""
    return problems.filter(col("kind").is_in(kinds_of(rule.code))).unnest("values")


def first_lines(rows: LazyFrame, unused_lines: LazyFrame, *keys: str) -> LazyFrame:
    """The first row of each group by source-ref and line, with `others`: the end of a message that counts the others.

    Rows on lines that the service does not use count only where there are no others, because no finding of ours stands
    on them.

    Args:
        rows: Rows of lines, or of what belongs to lines.
        unused_lines: The lines that the service does not use.
        keys: The columns whose values make a group.
    """
    unused = unused_lines.select("line_id", is_unused=lit(True))
    rows = rows.join(unused, on="line_id", how="left").with_columns(col("is_unused").fill_null(False))
    rows = rows.filter(col("is_unused") == col("is_unused").min().over(*keys)).drop("is_unused")
    # A manifest that is both train and test has its rows twice.
    count = col("line").n_unique() - 1
    others = pl.when(count > 0).then(worded("; also on {}", counted(count, "other line"))).otherwise(lit(""))
    return rows.sort("source_ref", "line").group_by(*keys).agg(pl.all().first(), others=others)


def warn_of_choice(verdicts: LazyFrame) -> LazyFrame:
    """Verdicts with a severity: a warning if it depends on the use case that the service chooses, else an error."""
    depends = col("loses").is_null()
    return verdicts.with_columns(severity=pl.when(depends).then(lit(Severity.WARNING)).otherwise(lit(Severity.ERROR)))
