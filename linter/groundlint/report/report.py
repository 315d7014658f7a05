"""What every format renders: the findings to show, the numbers of the run, and how to present them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from polars import DataFrame

from groundlint.engine.rule import Rule
from groundlint.summary import Summary

LIMIT = 5
"""Rows that people are shown of a rule and manifest unless they ask for more."""


@dataclass(frozen=True)
class Presentation:
    """How formats for people present a report.

    `limit` is the number of rows of a rule and manifest, 0 for all. `lists_infos` says whether infos are listed;
    otherwise they are counted, except those of the rules in `listed`, which were selected by code or name.
    `unsafe_fixes` shows findings as fixable whose fix is unsafe.
    """

    limit: int = LIMIT
    lists_infos: bool = False
    listed: frozenset[str] = frozenset()
    show_suppressed: bool = False
    statistics: bool = False
    quiet: bool = False
    unsafe_fixes: bool = False
    color: bool = False
    width: int = 100


@dataclass(frozen=True)
class Report:
    """A run as it is reported.

    `findings` has the columns of `findings.KEYS`, and `data_set`, `precision`, `pointer`, `suggested_label` and
    `typical_of` (the sentence that stands for findings typical of their data set), in order. `hidden` are the
    suppressed and baselined ones, with `suppression`, the reason, and `is_baselined`. `rules` are the rules of the run
    by code, `failing` the severities that fail it. `boxes_by_label` has the number of `boxes` of each `label`.
    `evaluation` has what thresholds of an evaluated model give, with the keys of a `TradeOff`, None without such a
    model. `baseline` is the path of the baseline in use. `is_whole` says whether everything that was asked was checked.
    `folder` is the working directory.
    """

    version: str
    target: str
    summary: Summary
    findings: DataFrame
    hidden: DataFrame = field(default_factory=DataFrame)
    rules: Mapping[str, type[Rule]] = field(default_factory=dict)
    failing: frozenset[str] = frozenset({"error"})
    boxes_by_label: DataFrame = field(default_factory=DataFrame)
    evaluation: DataFrame | None = None
    baseline: str | None = None
    is_whole: bool = True
    folder: str = field(default_factory=os.getcwd)
    presentation: Presentation = field(default_factory=Presentation)
