"""Leaves out findings that would only repeat what removes their box, attribute or line."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl
from polars import DataFrame, col

COVERED_PLACES = "covered_places"
"""The derived table of the places on which findings without a service code are not reported.

Its columns are data_set, manifest, line, attribute, box, cause and codes. A row without `box` is a whole attribute, one
without `attribute` a whole line, and one without `line` an attribute of the manifest, not of its lines. `cause` is the
code of the diagnosis that the findings follow from, null for a place that the service drops; a diagnosis that is not
made covers nothing. `codes` are the beginnings of the codes of the rules concerned; null means all rules but those that
report what removes the place.
"""

_MANIFEST = ("data_set", "manifest")
_LEVELS = (
    ("line", "attribute", "box"),
    ("line", "attribute"),
    ("line",),
    ("attribute",),
)
"""The keys that are not null in the rows of each level, the most precise ones first."""


def without_covered(findings: DataFrame, covered: DataFrame, selected: Collection[str]) -> DataFrame:
    """The findings that are not on a covered place.

    Findings with a service code remain, and so do findings on a label, a manifest or a data set.

    Args:
        findings: The findings.
        covered: The covered places.
        selected: Codes of the selected rules.
    """
    covered = covered.filter(col("cause").is_null() | col("cause").is_in(list(selected)))
    if covered.is_empty() or findings.is_empty():
        return findings
    rows = findings.with_row_index("row").filter(col("aws").is_null())
    repeated = []
    for keys in _LEVELS:
        others = {"line", "attribute", "box"} - set(keys)
        places = covered.filter(
            *(col(key).is_not_null() for key in keys), *(col(key).is_null() for key in others)
        ).select(*_MANIFEST, *keys, "codes")
        # A finding on an attribute of the manifest has no line.
        of_level = rows if "line" in keys else rows.filter(col("line").is_null())
        met = of_level.join(places, on=[*_MANIFEST, *keys])
        repeated.append(met.filter(col("codes").is_null(), col("loses").is_null()).select("row"))
        named = met.filter(col("codes").is_not_null()).explode("codes", empty_as_null=False)
        repeated.append(named.filter(col("code").str.starts_with(col("codes"))).select("row"))
    return findings.with_row_index("row").join(pl.concat(repeated).unique(), on="row", how="anti").drop("row")
