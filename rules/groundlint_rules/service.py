"""What rules on structure and on losses by the service have in common: each reports its own kinds of faults."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import FACT, Rule, Severity, worded
from groundlint.manifest.kinds import kinds_of


class ServiceRule(Rule):
    """A rule that reports what the service removes or complains about: every verdict of its kinds is a finding."""

    targets: ClassVar[tuple[str, ...]] = ("rekognition",)
    precision: ClassVar[float | None] = FACT

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        return verdicts_of(self, verdicts)


class ProblemRule(Rule):
    """A rule on a fault of structure that the service has no code for: every problem of its kinds is a finding."""

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


def first_lines(rows: LazyFrame, *keys: str, order: tuple[str, ...] = ("source_ref", "line")) -> LazyFrame:
    """One row for each group: the first one, with `others`, the end of a message that counts the rest.

    Args:
        rows: Rows of lines, or of what belongs to lines.
        keys: The columns whose values make a group.
        order: The columns by which the first row is chosen.
    """
    return rows.sort(*order).group_by(*keys).agg(pl.all().first(), others=and_others())


def and_others() -> Expr:
    """The end of the message of a finding that stands for a group of rows: the number of the other lines."""
    # A manifest that is both train and test has its rows twice.
    others = col("line").n_unique() - 1
    noun = pl.when(others == 1).then(lit("line")).otherwise(lit("lines"))
    return pl.when(others > 0).then(worded("; also on {} other {}", others, noun)).otherwise(lit(""))


def warn_of_choice(verdicts: LazyFrame) -> LazyFrame:
    """Verdicts with a severity: those that hold only if the service chooses one of two use cases are warnings."""
    depends = col("loses").is_null()
    return verdicts.with_columns(severity=pl.when(depends).then(lit(Severity.WARNING)).otherwise(lit(Severity.ERROR)))
