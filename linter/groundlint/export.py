"""Tables of the data as files: what the rules judge, for other programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import polars as pl
from polars import DataFrame, Series, col

from groundlint.config import settings as config
from groundlint.config.data_sets import Request, UsageError
from groundlint.config.settings import Config
from groundlint.engine.evaluate import Workspace, collected, plan
from groundlint.engine.registry import Registry
from groundlint.engine.tables import BASE
from groundlint.evaluation.model_outputs import ModelOutputs
from groundlint.session import has_images, not_found, open_gallery, read_all


def export(
    registry: Registry,
    table: str,
    config_: Config,
    request: Request,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[DataFrame, str]:
    """A table of the manifests that were asked for, base or derived; what data sets share stands in it once.

    A table of images, or of labels and boxes, has a row for each that a manifest names, empty where nothing is known.

    Returns:
        The table, and where images were looked for in vain; nothing where they were found or not looked for.

    Raises:
        UsageError: there is no such table, or nothing is there to read.
    """
    if table not in BASE and table not in registry.tables:
        known = [*BASE, *registry.tables]
        raise UsageError(f"there is no table {table}" + config.suggestion(table, known))
    made = plan(registry, (), [table])
    columns = {name for name, feature in registry.features.items() if feature.of == table and feature.dtype}
    made = replace(made, features=made.features | columns)
    objects = registry.tables[table].objects if table in registry.tables else ("images",) * (table == "images")
    parts = []
    seen: set[str] = set()
    blind: set[str] = set()
    gallery = open_gallery(made, config_, request, tell)
    brought = ModelOutputs(embeddings=request.embeddings, pred_probs=request.pred_probs)
    for data_set, tables, unread in read_all(made, config_, request, brought.tables, gallery, tell):
        if unread:
            raise UsageError(unread[0])
        blind |= data_set.named if gallery and not has_images(tables) else set()
        workspace = Workspace(made, {name: frame.lazy() for name, frame in tables.items()})
        rows = collected(workspace.table(table))
        parts.append(_of_manifests(rows, list(data_set.named - seen), objects, tables))
        seen |= data_set.named
    whole = pl.concat(parts)
    if objects == ("images",):
        whole = whole.unique("source_ref", keep="first", maintain_order=True)
    if table == "images":
        whole = whole.with_columns(col("found").fill_null(False))
    key = BASE[table].key if table in BASE else ("manifest", "line", "attribute", "box")
    tried = not_found(sorted(blind), gallery) if gallery and blind else ""
    return whole.sort([name for name in key if name in whole.columns], maintain_order=True), tried


def _of_manifests(
    rows: DataFrame, manifests: Sequence[str], objects: Sequence[str], tables: Mapping[str, DataFrame]
) -> DataFrame:
    """What a table has of some manifests, with a row for each of its objects in them."""
    is_theirs = col("manifest").is_in(manifests)
    if objects == ("images",):
        lines = tables["lines"].filter(is_theirs, col("source_ref").is_not_null()).sort("manifest", "line")
        named = lines.unique("source_ref", keep="first", maintain_order=True).select("manifest", "line", "source_ref")
        values = rows.drop("manifest", "line", strict=False)
        return named.join(values, on="source_ref", how="left", maintain_order="left")
    if objects:
        key = ["manifest", "line", "source_ref", "attribute", "box", "label"]
        every = pl.concat([tables[name] for name in objects], how="diagonal").filter(is_theirs).select(key)
        return every.join(rows, on=key, how="left", nulls_equal=True, maintain_order="left").select(rows.columns)
    named_in = [name for name in ("manifest", "b_manifest") if name in rows.columns]
    return rows.filter(pl.any_horizontal(col(name).is_in(manifests) for name in named_in)) if named_in else rows


def readable(rows: DataFrame) -> DataFrame:
    """With bytes as hexadecimal digits, for formats that are text."""
    return rows.with_columns(col(pl.Binary).bin.encode("hex"))


def flat(rows: DataFrame) -> DataFrame:
    """With lists and structs as JSON text, for formats that have none."""
    nested = [name for name, dtype in rows.schema.items() if dtype.is_nested()]
    texts = [
        Series(name, [None if value is None else json.dumps(value) for value in rows[name].to_list()], pl.String)
        for name in nested
    ]
    return rows.with_columns(texts)
