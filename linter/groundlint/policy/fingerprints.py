"""Fingerprints: they identify findings when lines move or are serialized differently."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from polars import DataFrame, Series, col

from groundlint.config.paths import relative
from groundlint.engine.base_tables import RECTANGLE


def fingerprints(findings: DataFrame, tables: Mapping[str, DataFrame], root: Path) -> Series:
    """The fingerprint of each finding: a digest of its content, never of its line number.

    It covers code, manifest, source-ref (or the digest of a line without one), attribute, label, the four numbers of
    the box, and the position among equal findings of the data set. A manifest that is in two data sets therefore gives
    equal fingerprints for both.

    Args:
        findings: Findings with the columns of `findings.SCHEMA`.
        tables: `boxes` and `problems` of the run.
        root: Folder to which manifests are relative.

    Returns:
        32 hexadecimal digits for each finding.
    """
    keys = ["manifest", "line", "attribute", "box"]
    named = findings.filter(col("box").is_not_null()).select(keys).unique()
    boxes = tables["boxes"].select(*keys, *RECTANGLE).join(named, on=keys, how="semi").unique(keys)
    # -0.0 becomes 0.0.
    boxes = boxes.select(*keys, numbers=pl.concat_list(col(side) + 0.0 for side in RECTANGLE))
    digests = tables["problems"].filter(col("digest").is_not_null()).select("manifest", "line", "digest")
    rows = (
        findings.select("data_set", "code", *keys, "label", "source_ref")
        .join(boxes, on=keys, how="left", nulls_equal=True, maintain_order="left")
        .join(digests.unique(["manifest", "line"]), on=["manifest", "line"], how="left", maintain_order="left")
    )
    paths = {name: relative(name, root) for name in findings["manifest"].unique()}
    seen: dict[tuple[int | None, str], int] = {}
    made = []
    for data_set, code, manifest, _, attribute, _, label, source_ref, numbers, digest in rows.iter_rows():
        image = source_ref if source_ref is not None else digest
        text = json.dumps((code, paths[manifest], image, attribute, label, numbers))
        n = seen[data_set, text] = seen.get((data_set, text), 0) + 1
        made.append(hashlib.sha256(f"{n}{text}".encode()).hexdigest()[:32])
    return Series("fingerprint", made, dtype=pl.String)
