"""What runs give: findings, portraits or measurements, and what kept them from giving all that was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polars import DataFrame

from groundlint import distributions, portrait
from groundlint import summary as numbers
from groundlint.engine.evaluate import MadeNote, Raised
from groundlint.engine.features import Feature
from groundlint.engine.timings import Timed
from groundlint.images import parts
from groundlint.policy.baseline import Baseline, Entry

if TYPE_CHECKING:
    from groundlint.images.remote_images import RemoteImages


@dataclass(frozen=True)
class Described:
    """The data sets of a run beside their findings: portraits, distributions, and what illustrations are made of.

    `splits` are the splits of manifests, by number of the data set and name; of a manifest in two, the first. `remote`
    are the images that are in S3, None where that is not read.
    """

    portraits: list[portrait.Portrait]
    distributions: list[distributions.Distributions]
    splits: dict[tuple[int, str], str]
    tables: Mapping[str, DataFrame]
    remote: RemoteImages | None = None


@dataclass
class Outcome:
    """What a run found, and what kept it from judging all that it was asked.

    `findings` have `edits`, those of their fix. `rules` are the codes of the selected rules, `hidden` the findings that
    are not reported, with `suppression` and `is_baselined`. `known` are all that are not suppressed, as a baseline,
    `stale` the entries of the given baseline that were looked for and not found. `boxes_by_label` has the number of
    `boxes` of each `label`. `seconds` are those of rules and derived tables, and of features over all processes; the
    stages are in the session's stopwatch.
    `evaluation` has what thresholds of an evaluated model give, with the keys of a `TradeOff`; None without a model.
    `described` are the data sets, where that was asked for.
    """

    target: str
    rules: list[str]
    findings: DataFrame
    hidden: DataFrame
    summary: numbers.Summary
    known: Baseline
    stale: list[Entry]
    raised: list[Raised] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    without_images: list[str] = field(default_factory=list)
    boxes_by_label: DataFrame = field(default_factory=DataFrame)
    seconds: dict[Timed, float] = field(default_factory=dict)
    evaluation: DataFrame | None = None
    described: Described | None = None


@dataclass
class Profiled:
    """The portraits of the data sets of a run, and what kept them from having all that they could."""

    portraits: list[portrait.Portrait]
    notes: list[MadeNote]
    raised: list[Raised]
    unread: list[str]


@dataclass
class Measured:
    """Measured images, the features, how many images were `asked` for, and what kept the run from measuring all."""

    part: parts.PartTables
    features: Sequence[Feature]
    asked: int
    notes: list[MadeNote]
    raised: list[Raised]
    unread: list[str]
