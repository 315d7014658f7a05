"""What the rules that repeat a verdict of the service have in common."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import Rule, Severity, worded


class ServiceRule(Rule):
    """A rule that gives one of the service's codes: every verdict with that code is a finding."""

    targets: ClassVar[tuple[str, ...]] = ("rekognition",)
    message = "{detail}"

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """Every verdict with the rule's code."""
        return verdicts.filter(col("aws") == self.aws)


class ProblemRule(Rule):
    """A rule on one kind of fault that reading found and the service has no code for."""

    message = "{detail}"

    def check(self, problems: LazyFrame) -> LazyFrame:
        """Every problem of the kind that is named as the rule is."""
        return problems.filter(col("kind") == self.name)


def and_others() -> Expr:
    """For a finding that stands for a group of rows: how many others it stands for, as the end of its sentence."""
    return pl.when(pl.len() > 1).then(worded("; so on {} other lines", pl.len() - 1)).otherwise(lit(""))


def warn_of_choice(verdicts: LazyFrame) -> LazyFrame:
    """Verdicts that hold only if the service chooses one of two use cases, as warnings."""
    depends = col("loses").is_null()
    return verdicts.with_columns(severity=pl.when(depends).then(lit(Severity.WARNING)).otherwise(lit(Severity.ERROR)))
