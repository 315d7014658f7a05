"""What is made of findings: how grave they are, which are known or excused, and when a run has failed."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars import DataFrame, Expr, Series, col, lit

from groundlint.config.globs import fits
from groundlint.engine.findings import relative
from groundlint.engine.rule import Severity
from groundlint.engine.tables import BASE
from groundlint.policy.baseline import Baseline

LEVELS = (Severity.INFO, Severity.WARNING, Severity.ERROR)


class Gate(NamedTuple):
    """When a run has failed. `fail_on` None: never, whatever the other limits are."""

    fail_on: Severity | None = Severity.ERROR
    max_warnings: int | None = None
    refuses_stale: bool = False

    def passes(self, counts: dict[str, int], *, stale: int) -> bool:
        """Whether findings, counted by severity, and so many stale entries of a baseline let the run pass."""
        if self.fail_on is None:
            return True
        if self.max_warnings is not None and counts[Severity.WARNING] > self.max_warnings:
            return False
        if self.refuses_stale and stale:
            return False
        return not any(counts[level] for level in at_least(self.fail_on))


class Suppression(NamedTuple):
    """An `[[ignore]]` entry: the findings of some rules, manifests and images that are no fault, and why.

    `files` are globs of paths relative to the configuration's folder; empty means all, as `source_ref` None does.
    """

    rule: str
    codes: frozenset[str]
    files: Sequence[str]
    source_ref: str | None
    reason: str
    expires: datetime.date | None
    is_expired: bool


def with_severities(findings: DataFrame, severities: Mapping[str, str]) -> DataFrame:
    """Findings with the severities that the configuration gives their rules."""
    given = col("code").replace_strict(dict(severities), default=None, return_dtype=pl.String)
    return findings.with_columns(severity=pl.coalesce(given, "severity"))


def hide(
    findings: DataFrame, suppressions: Sequence[Suppression], baseline: Baseline, root: Path
) -> tuple[DataFrame, list[int]]:
    """Findings with the reason for which each is left out (`suppression`), and whether it is known (`is_baselined`).

    Returns:
        The findings with the two columns, and how many findings each suppression fits.
    """
    reasons = Series("suppression", [None] * findings.height, dtype=pl.String)
    rows = findings.with_columns(reasons, files=_relative_to(findings["manifest"], root))
    counts = []
    for suppression in suppressions:
        fitting = rows.select(_is_meant(suppression) & (not suppression.is_expired)).to_series()
        counts.append(int(fitting.sum()))
        reason = pl.when(fitting).then(lit(suppression.reason)).otherwise(None)
        rows = rows.with_columns(suppression=pl.coalesce("suppression", reason))
    is_known = col("fingerprint").is_in(baseline.fingerprints) & col("suppression").is_null()
    return rows.with_columns(is_baselined=is_known).drop("files"), counts


def suppression_rows(
    suppressions: Sequence[Suppression],
    counts: Sequence[int],
    configuration: Path | None,
    judged: Mapping[str, Set[str]],
) -> DataFrame:
    """The table `suppressions`: what became of each `[[ignore]]` entry.

    Args:
        suppressions: the entries.
        counts: how many findings each one fits.
        configuration: the file that they are from.
        judged: the codes of the rules that judged each manifest, by its path relative to the configuration's folder.
    """
    names = Series("files", list(judged), dtype=pl.String).to_frame()
    rows = [
        {
            "manifest": os.path.relpath(configuration) if configuration else None,
            "entry": number,
            "rule": each.rule,
            "reason": each.reason,
            "expires": each.expires,
            "expired": each.is_expired,
            "findings": count,
            "judged": any(each.codes & judged[name] for name in names.filter(_is_of_files(each))["files"]),
        }
        for number, (each, count) in enumerate(zip(suppressions, counts, strict=True), 1)
    ]
    return DataFrame(rows, schema=BASE["suppressions"].schema)


def at_least(severity: Severity) -> tuple[Severity, ...]:
    """The severity and those above it."""
    return LEVELS[LEVELS.index(severity) :]


def count(findings: DataFrame) -> dict[str, int]:
    """Findings by severity, the gravest first; every severity has its count."""
    found = dict(findings.group_by("severity").len().iter_rows())
    return {level.value: found.get(level.value, 0) for level in reversed(LEVELS)}


def shown(findings: DataFrame, min_severity: Severity) -> DataFrame:
    """The findings that a report lists."""
    return findings.filter(col("severity").is_in([level.value for level in at_least(min_severity)]))


def _is_meant(suppression: Suppression) -> Expr:
    """Whether a finding is one that an entry means."""
    source_ref = suppression.source_ref
    is_source = fits("source_ref", [source_ref]) if source_ref is not None else lit(True)
    return col("code").is_in(list(suppression.codes)) & _is_of_files(suppression) & is_source


def _is_of_files(suppression: Suppression) -> Expr:
    """Whether the path under `files` is one that an entry means; a glob without a slash fits the mere name too."""
    globs = suppression.files
    names = [f"*/{glob}" for glob in globs if "/" not in glob]
    return fits("files", [*globs, *names]) if globs else lit(True)


def _relative_to(manifests: Series, root: Path) -> Expr:
    paths = {name: relative(name, root) for name in manifests.unique()}
    return col("manifest").replace_strict(paths, default=None, return_dtype=pl.String)
