"""The numbers of a run: manifests, lines, images and findings, with skipped rules and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from polars import DataFrame, col
from pydantic import BaseModel, ConfigDict, Field

from groundlint.config.data_sets import DataSet
from groundlint.engine.base_tables import SPLIT

NOT_FETCHED = "not-fetched"
"""The fault of an image in whose place there is only a pointer, as of Git LFS."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Images(_Model):
    """Numbers of distinct images; `found` and `unreadable` are null where images were not looked for."""

    total: int
    found: int | None
    unreadable: int | None


class Counts(_Model):
    """Findings by severity, without suppressed and baselined ones."""

    error: int
    warning: int
    info: int


class SkippedRule(_Model):
    """A selected rule that could not judge everything, and why."""

    code: str
    reason: str


class NoteEntry(_Model):
    """What limited the check."""

    kind: str = Field(description="In kebab case.")
    manifest: str | None
    count: int | None = Field(description="Number of items concerned.")
    message: str


class Summary(_Model):
    """The numbers of the run, over the manifests that were named."""

    manifests: int
    lines: int = Field(description="Physical lines, blank and bad ones included.")
    labels: int
    boxes: int
    images: Images
    counts: Counts
    suppressed: int
    baselined: int
    skipped_rules: list[SkippedRule]
    notes: list[NoteEntry]


def numbers(tables: Mapping[str, DataFrame], data_sets: Sequence[DataSet]) -> dict[str, int]:
    """Manifests, lines, labels and boxes of the named manifests, each counted once however many data sets share it."""
    read = _once(tables["manifests"], data_sets).unique("manifest")
    counts = {"manifests": read.filter(col("lines").is_not_null()).height, "lines": int(read["lines"].sum())}
    for name in ("labels", "boxes"):
        counts[name] = _once(tables[name].select("data_set", "manifest", "split"), data_sets).height
    return counts


def boxes_by_label(tables: Mapping[str, DataFrame], data_sets: Sequence[DataSet]) -> DataFrame:
    """The `boxes` of the named manifests by `label`, each counted once however many data sets share it."""
    boxes = _once(tables["boxes"].select("data_set", "manifest", "split", "label"), data_sets)
    return boxes.drop_nulls("label").group_by("label").len("boxes")


def images(tables: Mapping[str, DataFrame], data_sets: Sequence[DataSet]) -> Images:
    """The distinct images that named manifests name."""
    named = _once(tables["lines"].select("data_set", "manifest", "split", "source_ref"), data_sets)
    refs = named.select("data_set", "source_ref").drop_nulls("source_ref").unique()
    if "images" not in tables:
        return Images(total=refs["source_ref"].n_unique(), found=None, unreadable=None)
    is_broken = col("found") & col("fault").is_not_null()
    facts = tables["images"].select("data_set", "source_ref", "found", is_broken=is_broken)
    # Data sets may find different files for the same source-ref, or none.
    seen = refs.join(facts, on=["data_set", "source_ref"], how="left")
    seen = seen.group_by("source_ref").agg(col("found", "is_broken").any())
    row = seen.select(found=col("found").sum(), unreadable=col("is_broken").sum()).row(0)
    return Images(total=seen.height, found=int(row[0]), unreadable=int(row[1]))


def data_sets_without_images(tables: Mapping[str, DataFrame]) -> frozenset[int]:
    """Numbers of the data sets that name images but have none here; a pointer is not an image."""
    naming = set(tables["lines"].drop_nulls("source_ref")["data_set"].unique())
    has_file = col("found") & (col("fault").is_null() | (col("fault") != NOT_FETCHED))
    return frozenset(naming - set(tables["images"].filter(has_file)["data_set"].unique()))


def _once(rows: DataFrame, data_sets: Sequence[DataSet]) -> DataFrame:
    """The rows of named manifests, from the first data set and split that has the manifest."""
    named = [
        (number, source.split, source.name)
        for number, data_set in enumerate(data_sets)
        for source in data_set.sources
        if source.name in data_set.named
    ]
    schema = pl.Schema({"data_set": pl.Int32(), "split": SPLIT, "manifest": pl.String()})
    first = DataFrame(named, schema=schema, orient="row").unique("manifest", keep="first", maintain_order=True)
    return rows.join(first, on=["data_set", "split", "manifest"], how="semi", maintain_order="left")
