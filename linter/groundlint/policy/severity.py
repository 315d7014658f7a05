"""Severities: their order, those that the configuration sets, counts by severity, and when a run fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl
from polars import DataFrame, col

from groundlint.engine.rule import Severity

LEVELS = (Severity.INFO, Severity.WARNING, Severity.ERROR)
"""Severities, least serious first."""


class Gate(NamedTuple):
    """When a run fails: never if `fail_on` is None, whatever the other limits are."""

    fail_on: Severity | None = Severity.ERROR
    max_warnings: int | None = None
    refuses_stale: bool = False

    def passes(self, counts: Mapping[str, int], *, stale: int) -> bool:
        """Whether a run passes, given its findings by severity and the number of stale baseline entries."""
        if self.fail_on is None:
            return True
        if self.max_warnings is not None and counts[Severity.WARNING] > self.max_warnings:
            return False
        if self.refuses_stale and stale:
            return False
        return not any(counts[level] for level in at_least(self.fail_on))


def at_least(severity: Severity) -> tuple[Severity, ...]:
    """A severity and those above it."""
    return LEVELS[LEVELS.index(severity) :]


def with_severities(findings: DataFrame, severities: Mapping[str, str]) -> DataFrame:
    """Findings with the severities that the configuration sets for their rules.

    Args:
        findings: The findings.
        severities: Severities by code.
    """
    given = col("code").replace_strict(dict(severities), default=None, return_dtype=pl.String)
    return findings.with_columns(severity=pl.coalesce(given, "severity"))


def count(findings: DataFrame) -> dict[str, int]:
    """Number of findings of each severity, worst first."""
    found = dict(findings.group_by("severity").len().iter_rows())
    return {level.value: found.get(level.value, 0) for level in reversed(LEVELS)}


def shown(findings: DataFrame, min_severity: Severity) -> DataFrame:
    """The findings at or above a severity."""
    return findings.filter(col("severity").is_in([level.value for level in at_least(min_severity)]))
