"""What every format renders: the findings to show, and the numbers of the run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from polars import DataFrame


@dataclass(frozen=True)
class Report:
    """A run as it is reported.

    `findings` has the columns of `findings.SCHEMA` with `fingerprint` and `url`, in order; `hidden` are those that are
    left out, with `suppression`, the reason, and `is_baselined`, for formats that can show them; `summary` is as the
    JSON report shows it; `explanations` are the docstrings of rules, by code; `summed_up` are the codes of which
    people are shown one in a manifest; `is_whole` says whether all that was asked was judged; `folder` is the working
    directory.
    """

    version: str
    target: str
    summary: dict[str, Any]
    findings: DataFrame
    hidden: DataFrame = field(default_factory=DataFrame)
    summed_up: frozenset[str] = frozenset()
    statistics: bool = False
    color: bool = False
    quiet: bool = False
    explanations: Mapping[str, str] = field(default_factory=dict)
    is_whole: bool = True
    folder: str = field(default_factory=os.getcwd)
