"""Base classes of rules that report structural faults and what the service removes, each by its kinds of faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import FACT, Rule, Safety, Severity, counted, pointer, remove_line, rename_key, worded
from groundlint.engine.edits import EDITS, rename_in_entries
from groundlint.manifest.kinds import kinds_of
from groundlint_rules.tables.set_wide_causes import EXPLAINED_KINDS

_ENTRY = r"/\d+$"
"""The end of a pointer to an entry of a list."""

REMOVES_LINE = "Removes the line, if the service would drop it."
"""What the fix of a finding on a lost line does, where nothing can be repaired."""


class ServiceRule(Rule):
    """A rule that reports what the service removes or warns of: every verdict of its kinds is a finding."""

    targets: ClassVar[tuple[str, ...]] = ("rekognition",)
    precision: ClassVar[float | None] = FACT

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        return verdicts_of(self, verdicts)


class LostLineRule(Rule):
    """A rule on a fault by which the service may lose a line, which the fix removes if nothing can be repaired."""

    targets: ClassVar[tuple[str, ...]] = ("rekognition",)
    precision: ClassVar[float | None] = FACT
    fixes: ClassVar[Mapping[Safety, str]] = {Safety.UNSAFE: REMOVES_LINE}

    def of_rule(self, verdicts: LazyFrame, lost_lines: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds, with the fix that removes a lost line."""
        return removing_lost_lines(verdicts_of(self, verdicts), lost_lines)


class PlainLostLineRule(LostLineRule):
    """A rule on a fault by which the service may lose a line, in which nothing can be repaired."""

    def check(self, verdicts: LazyFrame, lost_lines: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        return self.of_rule(verdicts, lost_lines)


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


def removing_lost_lines(rows: LazyFrame, lost_lines: LazyFrame) -> LazyFrame:
    """Rows with `edits` that remove their line where the service loses it, and `fix`, which is unsafe.

    A fault that most lines have is not fixed in this way, because its diagnosis says what to do; and no manifest is
    left without lines.
    """
    lost = lost_lines.filter(~col("are_all").fill_null(value=False)).select("line_id", is_lost=lit(True)).unique()
    caused_by = col("caused_by") if "caused_by" in rows.collect_schema() else lit(None, pl.String)
    is_diagnosed = caused_by.is_in(list(EXPLAINED_KINDS)).fill_null(False)
    is_removed = col("is_lost").fill_null(False) & ~is_diagnosed
    return (
        rows.join(lost, on="line_id", how="left", nulls_equal=False)
        .with_columns(edits=pl.when(is_removed).then(pl.concat_list(remove_line())), fix=lit(Safety.UNSAFE.value))
        .drop("is_lost")
    )


def repairing(rows: LazyFrame, is_repaired: Expr, edits: Expr, safety: Safety) -> LazyFrame:
    """Rows with other `edits` and `fix` where something can be repaired."""
    present = rows.collect_schema().names()
    others = [col(name) if name in present else lit(None) for name in ("edits", "fix")]
    is_repaired = is_repaired.fill_null(False)
    return rows.with_columns(
        edits=pl.when(is_repaired).then(edits).otherwise(others[0].cast(EDITS)),
        fix=pl.when(is_repaired).then(lit(safety.value)).otherwise(others[1].cast(pl.String)),
    )


def with_places(rows: LazyFrame, problems: LazyFrame) -> LazyFrame:
    """Verdicts on structural faults with `at`, the JSON pointer of the fault."""
    fault = ["line_id", "attribute", "kind"]
    places = problems.select(*fault, at="pointer").unique(fault, keep="first", maintain_order=True)
    return rows.join(places, on=fault, how="left", nulls_equal=True)


def misspelt_key() -> Expr:
    """The edits that rename a misspelt key, `found`, to the one that is `expected`, in the object at `at`.

    In a list, only the first such object is reported, and the key is renamed in all of them.
    """
    key = pointer(col("found"))
    in_entries = rename_in_entries(pl.concat_str(col("at").str.replace(_ENTRY, ""), key), col("expected"))
    alone = rename_key(pl.concat_str(col("at"), key), col("expected"))
    return pl.concat_list(pl.when(col("at").str.contains(_ENTRY)).then(in_entries).otherwise(alone))


def in_metadata(*steps: str | Expr) -> Expr:
    """The JSON pointer to a part of the metadata of a label attribute."""
    return pointer(pl.concat_str(col("attribute"), lit("-metadata")), *steps)


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
