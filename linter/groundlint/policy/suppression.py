"""Suppression: the findings that a `[[suppress]]` entry or the baseline leaves out, and the reason."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars import DataFrame, Expr, col, lit

from groundlint.config.paths import matches, matching, relative
from groundlint.engine.base_tables import BASE
from groundlint.policy.baseline import Baseline


class Suppression(NamedTuple):
    """A `[[suppress]]` entry: findings of some rules on some manifests and images that are not reported.

    `files` are globs of paths relative to the configuration's folder; none means all manifests, and `source_ref` None
    means all images.
    """

    rule: str
    codes: frozenset[str]
    files: Sequence[str]
    source_ref: str | None
    reason: str
    expires: datetime.date | None
    is_expired: bool


def mark(
    findings: DataFrame, suppressions: Sequence[Suppression], baseline: Baseline, root: Path
) -> tuple[DataFrame, list[int]]:
    """Add two columns to findings: `suppression`, the reason of the entry that matches, and `is_baselined`.

    Args:
        findings: The findings.
        suppressions: The entries. The first that matches a finding gives the reason.
        baseline: Known findings.
        root: Folder to which manifests are relative.

    Returns:
        The findings, and the number of findings that each suppression matches.
    """
    paths = {name: relative(name, root) for name in findings["manifest"].unique()}
    files = col("manifest").replace_strict(paths, default=None, return_dtype=pl.String)
    rows = findings.with_columns(suppression=lit(None, pl.String), files=files)
    counts = []
    for suppression in suppressions:
        matched = rows.select(_matches(suppression) & (not suppression.is_expired)).to_series()
        counts.append(int(matched.sum()))
        reason = pl.when(matched).then(lit(suppression.reason)).otherwise(None)
        rows = rows.with_columns(suppression=pl.coalesce("suppression", reason))
    is_known = col("fingerprint").is_in(baseline.fingerprints) & col("suppression").is_null()
    return rows.with_columns(is_baselined=is_known).drop("files"), counts


def suppression_rows(
    suppressions: Sequence[Suppression],
    counts: Sequence[int],
    configuration: Path | None,
    judged: Mapping[str, Set[str]],
) -> DataFrame:
    """The table `suppressions`: what each `[[suppress]]` entry did.

    Args:
        suppressions: The entries.
        counts: Number of findings that each one matches.
        configuration: The file with the entries.
        judged: Codes of the rules that judged each manifest, by its path relative to the configuration's folder.
    """
    rows = [
        {
            "manifest": os.path.relpath(configuration) if configuration else None,
            "entry": number,
            "rule": each.rule,
            "reason": each.reason,
            "expires": each.expires,
            "expired": each.is_expired,
            "findings": count,
            "judged": any(each.codes & judged[name] for name in _files(each, judged)),
        }
        for number, (each, count) in enumerate(zip(suppressions, counts, strict=True), 1)
    ]
    return DataFrame(rows, schema=BASE["suppressions"].schema)


def _files(suppression: Suppression, names: Mapping[str, object]) -> set[str]:
    return matching(names, suppression.files) if suppression.files else set(names)


def _matches(suppression: Suppression) -> Expr:
    """Whether an entry matches a finding."""
    is_source = matches("source_ref", [suppression.source_ref]) if suppression.source_ref is not None else lit(True)
    is_file = matches("files", suppression.files) if suppression.files else lit(True)
    return col("code").is_in(list(suppression.codes)) & is_file & is_source


def no_marks(findings: DataFrame) -> DataFrame:
    """Findings that cannot be suppressed, with the columns that `mark` adds."""
    return findings.with_columns(suppression=lit(None, pl.String), is_baselined=lit(False))
