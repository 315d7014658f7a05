"""Images of manifests that are not among the local files, and that S3 does not give."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import table

MAX_LISTED = 3
MAX_LISTED_SHARE = 0.05
"""Missing images, and share of a manifest's images, above which the local files are a partial copy."""


@table()
def missing_images(lines: LazyFrame, images: LazyFrame) -> LazyFrame:
    """One image of a manifest that is not among the local files and not read from S3, at the first line that names it.

    Its `kind` is absent, refused, misnamed, links (the file is a link that leads outside the folders that are
    searched), not-fetched (a pointer stands for it, or a limit of what is read from S3), no-object (S3 says that there
    is none) or inaccessible (S3 does not give it); `detail` says more. `total` is the number of the manifest's images.
    `is_counted` says whether the manifest has one finding for all such images: links, those that were not fetched,
    those that a partial copy lacks, and those that S3 does not give for the same reason, if they are many.
    """
    manifest = ("data_set", "manifest")
    known = images.select("data_set", "source_ref", "found", "fault", "detail")
    named = (
        lines.filter(col("bucket").is_not_null())
        .select(*manifest, "line", "source_ref")
        .sort("line")
        .unique([*manifest, "source_ref"], keep="first", maintain_order=True)
        # A data set none of whose images was found has no rows for them.
        .join(known, on=("data_set", "source_ref"), how="left", maintain_order="left")
        .with_columns(col("found").fill_null(False))
    )
    kind = (
        pl.when(col("fault").is_in(["misnamed", "refused", "not-fetched", "no-object", "inaccessible"]))
        .then("fault")
        .when(col("fault") == "leads-outside")
        .then(lit("links"))
        .when(~col("found"))
        .then(lit("absent"))
    )
    is_absent = col("kind").is_in(["absent", "refused"])
    count = is_absent.sum().over(manifest)
    is_of_s3 = col("kind") == "inaccessible"
    of_reason = is_of_s3.sum().over(*manifest, "detail")
    is_common = is_of_s3 & (of_reason > MAX_LISTED) & (of_reason > MAX_LISTED_SHARE * col("total"))
    is_partial = ((count > MAX_LISTED) & (count > MAX_LISTED_SHARE * col("total"))) | ~col("found").any().over(manifest)
    return (
        named.with_columns(kind=kind, total=pl.len().over(manifest))
        .with_columns(is_counted=(is_absent & is_partial) | is_common | col("kind").is_in(["links", "not-fetched"]))
        .filter(col("kind").is_not_null())
        .select(*manifest, "line", "source_ref", "kind", "detail", "total", "is_counted")
    )
