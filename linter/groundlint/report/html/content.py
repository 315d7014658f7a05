"""The parts of a page: what a template shows, without any markup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from groundlint.engine.findings import SEVERITIES
from groundlint.report.html import charts
from groundlint.report.html.figures import Figure, Shot
from groundlint.report.html.prose import Block, Span
from groundlint.report.portrait import Fact


class Entry(NamedTuple):
    """A finding as it is listed. `number` counts the findings of the page."""

    number: int
    code: str
    name: str
    severity: str
    place: str
    image: str
    aws: str
    message: list[Span]
    figures: list[Figure]


@dataclass
class Section:
    """The findings of a rule."""

    code: str
    name: str
    severity: str
    count: int
    url: str | None
    summary: str
    reliability: str
    figure: str
    is_reliable: bool
    shares: str
    explanation: list[tuple[str, list[Block]]]
    typical: list[str] = field(default_factory=list)
    illustrated: list[Entry] = field(default_factory=list)
    listed: list[Entry] = field(default_factory=list)
    left_out: int = 0


class FirstStep(NamedTuple):
    """A rule among what to do first, with one of its worst findings."""

    section: Section
    entry: Entry
    figures: list[Figure]
    fix: list[Span]
    more: int


class Group(NamedTuple):
    """An image with all of its findings that the page lists."""

    image: str
    shot: Shot | None
    entries: list[Entry]


class Count(NamedTuple):
    """A row of a table of counts: what is counted, and the numbers of errors, warnings and infos."""

    name: str
    error: int
    warning: int
    info: int


class DataSet(NamedTuple):
    """A data set at a glance."""

    name: str
    facts: list[Fact]
    charts: list[charts.Bars | charts.Grid]


@dataclass
class Page:
    """Everything that the template shows."""

    title: str
    version: str
    target: str
    verdict: str
    tiles: list[tuple[str, str]]
    first: list[FirstStep]
    by_label: list[Count]
    by_split: list[Count]
    not_looked_at: list[str]
    data_sets: list[DataSet]
    curves: list[charts.Curve]
    curves_left_out: int
    sections: list[Section]
    groups: list[Group]
    groups_left_out: int
    images: Mapping[str, Shot]
    labels: list[str]
    left_out: list[str]
    data: str

    @property
    def severities(self) -> list[str]:
        """The severities of the findings that the page lists, worst first."""
        return [level for level in SEVERITIES.categories if any(section.severity == level for section in self.sections)]
