"""Export of the tables that rules judge, base or derived, for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl
from polars import DataFrame, Series, col

from groundlint.config.data_sets import DataSet, UsageError
from groundlint.engine.base_tables import BASE
from groundlint.engine.evaluate import MadeNote, Workspace, collected
from groundlint.engine.registry import Registry
from groundlint.phrases import suggestion
from groundlint.session import Session, no_images_note

_INTERNAL = ("data_set", "line_id", "attribute_id", "box_id")
"""Columns that join the tables of one run, and mean nothing outside it."""


class Exported(NamedTuple):
    """A table, and notes on what limits it."""

    rows: DataFrame
    notes: list[MadeNote]


def export(registry: Registry, table: str, session: Session) -> Exported:
    """A table of the manifests that were asked for; what data sets share is in it once.

    A table of images, or of labels and boxes, has a row for each that a manifest names, with nulls where nothing is
    known.

    Raises:
        UsageError: There is no such table, nothing is there to read, or a manifest cannot be read.
    """
    known = [*BASE, *registry.tables]
    if table not in known:
        raise UsageError(f"there is no table {table!r}{suggestion(table, known)}; tables: {', '.join(sorted(known))}")
    plan = registry.graph.plan((), tables=[table])
    loaded = session.load(plan)
    if loaded.unread:
        raise UsageError(loaded.unread[0])
    objects = registry.tables[table].objects if table in registry.tables else ("images",) * (table == "images")
    workspace = Workspace(plan, loaded.lazy)
    rows = _with_places(collected(workspace.table(table)), loaded.tables)
    rows = _of_named(rows, loaded.data_sets, objects, loaded.tables)
    if objects == ("images",):
        rows = _best_known(rows)
    if table == "images":
        rows = rows.with_columns(col("found").fill_null(False))
    key = [name for name in (*(BASE[table].key if table in BASE else ()), *_ORDER) if name in rows.columns]
    rows = rows.drop([name for name in rows.columns if name.removesuffix("_other") in _INTERNAL])
    rows = rows.sort([name for name in dict.fromkeys(key) if name in rows.columns], maintain_order=True)
    if not any(dtype.is_nested() for dtype in rows.schema.values()):
        # Data sets may share a manifest.
        rows = rows.unique(maintain_order=True)
    note = no_images_note(loaded)
    return Exported(rows, [*([note] if note else []), *loaded.notes])


_ORDER = ("manifest", "line", "attribute", "box", "source_ref")


def _with_places(rows: DataFrame, tables: Mapping[str, DataFrame]) -> DataFrame:
    """Rows with the location that their most precise id gives, as far as they lack it."""
    places = ("manifest", "line", "source_ref", "attribute", "box", "label")
    for key, name in (("box_id", "boxes"), ("attribute_id", "attributes"), ("line_id", "lines")):
        if key in rows.columns:
            lacking = [place for place in places if place not in rows.columns and place in tables[name].columns]
            if lacking:
                rows = tables[name].select(key, *lacking).join(rows, on=key, how="right", maintain_order="right")
    return rows


def _of_named(
    rows: DataFrame, data_sets: Sequence[DataSet], objects: Sequence[str], tables: Mapping[str, DataFrame]
) -> DataFrame:
    """The rows of named manifests, with a row for each object in them."""
    names = [name for data_set in data_sets for name in data_set.named]
    is_named = col("manifest").is_in(names)
    if objects == ("images",):
        lines = tables["lines"].filter(is_named, col("source_ref").is_not_null()).sort("manifest", "line")
        image = ["data_set", "source_ref"]
        first = lines.unique(image, keep="first", maintain_order=True).select("manifest", "line", *image)
        return first.join(rows.drop("manifest", "line", strict=False), on=image, how="left", maintain_order="left")
    if objects:
        key = ["data_set", "manifest", "line", "source_ref", "attribute", "box", "label"]
        every = pl.concat([tables[name] for name in objects], how="diagonal").filter(is_named).select(key).unique()
        return every.join(rows, on=key, how="left", nulls_equal=True).select(rows.columns)
    named_in = [name for name in ("manifest", "b_manifest") if name in rows.columns]
    return rows.filter(pl.any_horizontal(col(name).is_in(names) for name in named_in)) if named_in else rows


def _best_known(rows: DataFrame) -> DataFrame:
    """Each image once, where it is named first, with what the data set that knows most of it knows."""
    first = rows.unique("source_ref", keep="first", maintain_order=True).select("source_ref", "manifest", "line")
    by_nulls = rows.drop("manifest", "line").sort(pl.sum_horizontal(pl.all().is_null()), maintain_order=True)
    best = by_nulls.unique("source_ref", keep="first", maintain_order=True)
    return first.join(best, on="source_ref", how="left", maintain_order="left").select(rows.columns)


def as_text(rows: DataFrame) -> DataFrame:
    """Rows with bytes as hexadecimal digits, for formats that are text."""
    return rows.with_columns(col(pl.Binary).bin.encode("hex"))


def flat(rows: DataFrame) -> DataFrame:
    """Rows with bytes as hexadecimal digits and lists and structs as JSON text, for formats that have none."""
    nested = [name for name, dtype in rows.schema.items() if dtype.is_nested()]
    texts = [
        Series(name, [None if value is None else json.dumps(value) for value in rows[name].to_list()], pl.String)
        for name in nested
    ]
    return as_text(rows).with_columns(texts)
