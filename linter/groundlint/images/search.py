"""The search for the images that manifests name: on this machine, and among those that were measured before."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import polars as pl
from polars import DataFrame, col, lit

from groundlint.config.s3_access import is_uri
from groundlint.images.places import Place, Stamp
from groundlint.images.storage import Storage

_IMAGE = ["data_set", "source_ref"]


def found_images(lines: DataFrame, storage: Storage, measured: DataFrame) -> tuple[DataFrame, dict[str, Stamp]]:
    """Return the images of all data sets, each once, and the stamps of those that are on this machine, by path.

    A data set none of whose images is found has rows only for images of which more is known.

    Args:
        lines: The lines that name them, with the columns of the base table.
        storage: Where they are looked for.
        measured: What was measured before, as `MeasuredParts.images`.

    Returns:
        data_set, source_ref, `path` (the file, or the URI of an object of S3, which may not exist; null if there is
        none), `file` (what identifies the file of the image in this run: its path, or, if it was found when it was
        measured, a text made from its source-ref; null if it was not found), `fault_of_search` and `detail_of_search`
        (why it was not found).
    """
    named = lines.select(*_IMAGE, "manifest").drop_nulls("source_ref").unique(_IMAGE, keep="first", maintain_order=True)
    stamps: dict[str, Stamp] = {}
    paths: list[str | None] = []
    faults: list[str | None] = []
    details: list[str | None] = []
    twins: list[tuple[int, int, str]] = []
    taken: set[tuple[int, str]] = set()
    # Columns, not objects: there may be a million images that are not here.
    for number, (data_set, source_ref, manifest) in enumerate(named.iter_rows()):
        path, stamp, fault, detail, twin = storage.find(source_ref, manifest)
        paths.append(path)
        faults.append(fault)
        details.append(detail)
        if path and stamp:
            stamps[path] = stamp
            taken.add((data_set, path))
        if twin:
            twins.append((number, data_set, twin))
    for number, data_set, twin in twins:
        # Another line names this file: it is an image of its own, such as a mask beside a photograph.
        if (data_set, twin) in taken:
            faults[number] = details[number] = None
    found = named.with_columns(
        path=pl.Series(paths, dtype=pl.String),
        fault_of_search=pl.Series(faults, dtype=pl.String),
        detail_of_search=pl.Series(details, dtype=pl.String),
    )
    found = _with_files(found, measured)
    is_present = col("file").is_not_null().any().over("data_set") | col("fault_of_search").is_not_null()
    found = found.filter(is_present)
    is_absent = found["file"].is_null() & found["fault_of_search"].is_null()
    places = found.filter(is_absent).select("source_ref", "manifest").iter_rows()
    looked_for = pl.Series([storage.looked_for(*place) for place in places], dtype=pl.String)
    found = found.with_columns(detail_of_search=found["detail_of_search"].scatter(is_absent.arg_true(), looked_for))
    return found.drop("manifest"), stamps


def _with_files(found: DataFrame, measured: DataFrame) -> DataFrame:
    """Return images with `file`, and without the faults of those that were found when they were measured."""
    before = measured.select("source_ref", before="found", fault_before="fault", detail_before="detail")
    found = found.join(before, on="source_ref", how="left", maintain_order="left")
    is_known = col("before").fill_null(False)
    is_unknown = ~is_known & col("path").is_null() & col("fault_of_search").is_null()
    return found.with_columns(
        file=pl.when(is_known).then(lit("measured ") + col("source_ref")).otherwise("path"),
        fault_of_search=pl.when(is_unknown).then("fault_before").when(~is_known).then("fault_of_search"),
        detail_of_search=pl.when(is_unknown).then("detail_before").when(~is_known).then("detail_of_search"),
    ).drop("before", "fault_before", "detail_before")


def without_failed(found: DataFrame, failed: Mapping[str, Place]) -> DataFrame:
    """Return images without the files of those that S3 did not give, and with the reason.

    Args:
        found: What `found_images` returns.
        failed: Why there is no file, by URI.
    """
    if not failed:
        return found
    rows = [(uri, place.fault, place.detail) for uri, place in failed.items()]
    reasons = DataFrame(rows, schema=dict.fromkeys(("file", "why", "reason"), pl.String), orient="row")
    is_failed = col("why").is_not_null()
    return (
        found.join(reasons, on="file", how="left", maintain_order="left")
        .with_columns(
            *(pl.when(~is_failed).then(name).alias(name) for name in ("file", "path")),
            fault_of_search=pl.coalesce("why", "fault_of_search"),
            detail_of_search=pl.coalesce("reason", "detail_of_search"),
        )
        .drop("why", "reason")
    )


def relative_paths(paths: pl.Series) -> Iterator[str | None]:
    """Yield paths relative to the working directory. Many files share a folder, and `relpath` is slow.

    An object of S3 has no path.
    """
    folders: dict[str, str] = {}
    for path in paths:
        if path is None or is_uri(path):
            yield None
            continue
        folder, separator, name = path.rpartition(os.sep)
        if folder not in folders:
            relative = os.path.relpath(folder + separator)
            folders[folder] = "" if relative == "." else relative + separator
        yield folders[folder] + name
