"""What findings mean for the exit status: which count, and from which severity on a run fails."""

from __future__ import annotations

from typing import NamedTuple

from polars import DataFrame, col

from groundlint.rule import Severity

LEVELS = (Severity.INFO, Severity.WARNING, Severity.ERROR)


class Gate(NamedTuple):
    """When a run has failed. `fail_on` None: never for its findings' severity."""

    fail_on: Severity | None = Severity.ERROR
    max_warnings: int | None = None

    def passes(self, counts: dict[str, int]) -> bool:
        """Whether findings, counted by severity, let the run pass."""
        if self.max_warnings is not None and counts[Severity.WARNING] > self.max_warnings:
            return False
        return self.fail_on is None or not any(counts[level] for level in at_least(self.fail_on))


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
