"""What every format renders: the findings to show, and the numbers of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from polars import DataFrame


@dataclass(frozen=True)
class Report:
    """A run as it is reported.

    `findings` has the columns of `findings.SCHEMA` with `fingerprint` and `url`, in order; `summary` is as the JSON
    report shows it.
    """

    version: str
    target: str
    summary: dict[str, Any]
    findings: DataFrame
    statistics: bool = False
    color: bool = False
    quiet: bool = False
