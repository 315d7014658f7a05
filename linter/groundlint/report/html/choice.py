"""Which findings a page lists, and which of them with images: the worst of each rule, evenly over the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from polars import DataFrame, col

from groundlint.engine.findings import SEVERITIES, worst_first
from groundlint.gallery import Place, PlacedBox
from groundlint.report.listing import with_images, with_unique_fingerprints

MAX_LISTED = 5000
"""Findings that a page lists."""

MAX_RELATED = 4
"""Related images that are shown beside the image of a finding; twice as many where it has none of its own."""

MAX_GROUPS = 60
"""Images that are shown with all their findings."""

_SHARE_OF_RULE = 12
"""The part of all images, one in so many, from which the findings of one rule have no images."""

Row = Mapping[str, Any]
"""A finding, by the columns of the table of findings."""


@dataclass
class Listed:
    """The findings of a rule that the page lists, worst first; the first `illustrated` of them with images."""

    rows: list[Row]
    left_out: int
    illustrated: int = 0


@dataclass
class Choice:
    """The findings of a page by the code of their rule, worst rule first, and the images that they show."""

    rules: dict[str, Listed] = field(default_factory=dict)
    wanted: list[Place | PlacedBox] = field(default_factory=list)


class Sides(NamedTuple):
    """What the illustration of a finding shows: its image, its box, and what it is related to elsewhere."""

    image: Place | None
    box: PlacedBox | None
    related: list[Place | PlacedBox]

    @property
    def all(self) -> list[Place | PlacedBox]:
        """The images and boxes in the order in which they are shown."""
        return [*([self.image] if self.image else []), *([self.box] if self.box else []), *self.related]


def choose(findings: DataFrame, *, images: int, most: int = MAX_LISTED) -> Choice:
    """Choose the findings to list, and of these the ones to illustrate.

    Findings that are typical of their data set are left to a sentence.

    Args:
        findings: The findings of a report.
        images: Largest number of images and boxes to show.
        most: Largest number of findings to list.
    """
    rows = worst_first(with_images(with_unique_fingerprints(findings)).filter(~col("typical")))
    by_rule = {code[0]: part for code, part in rows.partition_by("code", as_dict=True, maintain_order=True).items()}
    limit = _even_limit([part.height for part in by_rule.values()], most)
    choice = Choice()
    for code in sorted(by_rule, key=lambda code: _badness(by_rule[code])):
        part = by_rule[code]
        choice.rules[code] = Listed(list(part.head(limit).iter_rows(named=True)), max(0, part.height - limit))
    groups = [sides(rows[0]).image for rows in worst_images(choice)[: min(MAX_GROUPS, images // 10)]]
    choice.wanted = _illustrated(choice, images - len(groups), most_of_rule=images // _SHARE_OF_RULE)
    choice.wanted = list(dict.fromkeys([*choice.wanted, *(image for image in groups if image)]))
    return choice


def worst_images(choice: Choice) -> list[list[Row]]:
    """The listed findings of each image that has several: first the images with most errors, warnings and infos."""
    of_image: dict[tuple[int | None, str], list[Row]] = {}
    for listed in choice.rules.values():
        for row in listed.rows:
            if row["source_ref"] is not None:
                of_image.setdefault((row["data_set"], row["source_ref"]), []).append(row)

    def badness(rows: list[Row]) -> tuple[int, ...]:
        levels = Counter(row["severity"] for row in rows)
        return tuple(-levels[level] for level in SEVERITIES.categories)

    return sorted((rows for rows in of_image.values() if len(rows) > 1), key=badness)


def _illustrated(choice: Choice, images: int, *, most_of_rule: int) -> list[Place | PlacedBox]:
    """What the findings show that get images, taken from all rules in turn; at most so many images."""
    wanted: dict[Place | PlacedBox, None] = {}
    for rank in range(max(1, most_of_rule)):
        for listed in choice.rules.values():
            if rank >= len(listed.rows):
                continue
            shown = dict.fromkeys(sides(listed.rows[rank]).all)
            if len(wanted.keys() | shown.keys()) > images:
                return list(wanted)
            wanted |= shown
            listed.illustrated = rank + 1
    return list(wanted)


def _badness(findings: DataFrame) -> tuple[int, float, str]:
    """Sort key of a rule by its findings: by severity, then facts first, then by measured precision."""
    severity = findings["severity"].cast(SEVERITIES).min()
    levels = list(SEVERITIES.categories)
    return levels.index(str(severity)), -(findings["precision"][0] or 0), findings["code"][0]


def sides(row: Row) -> Sides:
    """What the illustration of a finding shows; boxes that are related in the same image are drawn in it."""
    image = box = None
    if row["source_ref"] is not None:
        image = Place(row["data_set"], row["manifest"], row["line"], row["source_ref"])
        if row["box"] is not None and row["attribute"] is not None:
            box = PlacedBox(image, row["attribute"], row["box"])
    related: list[Place | PlacedBox] = []
    for place in row["related"]:
        if place["source_ref"] is None:
            continue
        other = Place(row["data_set"], place["manifest"], place["line"], place["source_ref"])
        if other == image:
            continue
        is_box = place["box"] is not None and place["attribute"] is not None
        related.append(PlacedBox(other, place["attribute"], place["box"]) if is_box else other)
    return Sides(image, box, related[: MAX_RELATED if image else 2 * MAX_RELATED])


def _even_limit(counts: list[int], most: int) -> int:
    """The largest number up to which the findings of each rule are listed, so that all together are at most `most`."""
    limit = most
    while limit > 1 and sum(min(count, limit) for count in counts) > most:
        limit = min(limit - 1, limit * most // sum(min(count, limit) for count in counts))
    return limit
