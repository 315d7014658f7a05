"""What formats of other programs have in common: the worst first, places in a repository, unique fingerprints."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePath

import polars as pl
from polars import DataFrame, col

from groundlint.engine.wording import worded
from groundlint.sanitize import visible

OUTSIDE = "outside-working-directory"
"""The folder under which files are shown that lie in none of the repository's."""

SEVERITIES = pl.Enum(["error", "warning", "info"])
"""Severities in their order, the gravest first."""

_LOSSES = pl.Enum(["training", "line", "attribute", "box"])


def worst_first(findings: DataFrame) -> DataFrame:
    """Findings by severity, then by what is lost, then by score; what has no score is certain."""
    return findings.sort(
        col("severity").cast(SEVERITIES),
        col("loses").cast(_LOSSES, strict=False),
        -col("score").fill_null(1),
        nulls_last=True,
        maintain_order=True,
    )


def first_of_each(findings: DataFrame, most: int, summed_up: Iterable[str]) -> DataFrame:
    """The first findings of each rule and manifest: `most`, or one of the codes that are summed up.

    The last that is left has the number of those after it as `more`; all others 0.
    """
    total, rank = pl.len().over("manifest", "code"), pl.int_range(1, pl.len() + 1).over("manifest", "code")
    limit = pl.when(col("code").is_in(list(summed_up))).then(1).otherwise(most)
    more = pl.when(rank == limit).then(total - limit).otherwise(0)
    return findings.with_columns(more=more).filter(rank <= limit)


def with_unique_fingerprints(findings: DataFrame) -> DataFrame:
    """Findings of which no two share a fingerprint: data sets that share a manifest may have equal ones."""
    nth = pl.int_range(1, pl.len() + 1).over("fingerprint")
    numbered = worded("{}:{}", "fingerprint", nth)
    return findings.with_columns(fingerprint=pl.when(nth == 1).then("fingerprint").otherwise(numbered))


def repository_path(manifest: str, folder: str) -> str:
    """The path of a manifest relative to a folder, with slashes and never upwards.

    What lies outside is put below `OUTSIDE`, so that it is not taken for a file of the repository.
    """
    path = os.path.relpath(os.path.join(folder, manifest), folder)  # noqa: PTH118 - a path keeps its `..`
    parts = PurePath(path).parts
    below = [part for part in parts if part != ".."]
    return "/".join(below if len(below) == len(parts) else [OUTSIDE, *below]) or "."


def sentence(name: str, aws: str | None, message: str) -> str:
    """What a finding says, visible and never empty."""
    text = visible(message)
    return f"{f'[{visible(aws)}] ' if aws else ''}{text if text.strip() else name}"
