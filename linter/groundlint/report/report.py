"""What every format renders: the findings to show, the numbers of the run, and how to present them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from polars import DataFrame

from groundlint.distributions import Distributions
from groundlint.engine.rule import Rule
from groundlint.gallery import Gallery
from groundlint.portrait import Portrait
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
class Description:
    """What a report with images shows beside findings.

    `portraits` and `distributions` are those of the data sets, in order. `splits` are the splits of manifests, by
    number of the data set and name. `gallery` has the illustrations of findings, and `images` is the largest number of
    them.
    """

    portraits: Sequence[Portrait] = ()
    distributions: Sequence[Distributions] = ()
    splits: Mapping[tuple[int, str], str] = field(default_factory=dict)
    gallery: Gallery = field(default_factory=Gallery)
    images: int = 0


@dataclass(frozen=True)
class Report:
    """A run as it is reported.

    `findings` has the columns of `findings.KEYS`, and `data_set`, `precision`, `pointer`, `suggested_label` and
    `typical_of` (the sentence that stands for findings typical of their data set), in order. `hidden` are the
    suppressed and baselined ones, with `suppression`, the reason, and `is_baselined`. `rules` are the rules of the run
    by code, `failing` the severities that fail it. `boxes_by_label` has the number of `boxes` of each `label`.
    `evaluation` has what thresholds of an evaluated model give, with the keys of a `TradeOff`, None without such a
    model. `baseline` is the path of the baseline in use. `is_whole` says whether everything that was asked was checked.
    `folder` is the working directory, `root` the folder of the configuration, to which suppressions are relative.
    `description` is there for formats with images only.
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
    root: Path = field(default_factory=Path.cwd)
    description: Description = field(default_factory=Description)
    presentation: Presentation = field(default_factory=Presentation)
