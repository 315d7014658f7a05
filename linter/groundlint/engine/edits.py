"""Edits of manifests, as rules write them: a fix is the list of edits in the column `edits` of a row."""

from __future__ import annotations

import json
from enum import StrEnum

import polars as pl
from polars import DataFrame, Expr, Series, col, lit


class Operation(StrEnum):
    """What an edit does."""

    SET = "set"
    REMOVE = "remove"
    RENAME = "rename"
    RENAME_IN_ENTRIES = "rename-in-entries"
    REMOVE_LINE = "remove-line"
    REMOVE_COPY = "remove-copy"
    KEEP_LINE = "keep-line"
    REMOVE_BYTE_ORDER_MARK = "remove-byte-order-mark"
    END_LINES_IN_LF = "end-lines-in-lf"


EDIT = pl.Struct(
    {
        "manifest": pl.String(),
        "line": pl.Int32(),
        "operation": pl.String(),
        "pointer": pl.String(),
        "value": pl.String(),
    }
)
"""One edit: where it is, what it does, the JSON pointer within the line, and the new value as JSON or the new key.

Without `manifest` and `line` it is on those of its finding.
"""

EDITS = pl.List(EDIT)

_DECIMALS = 7
"""Digits of a number that is written: the service's check of boxes allows an error of 1e-6 px."""


def pointer(*steps: str | Expr) -> Expr:
    """The JSON pointer to a part of a line.

    Args:
        steps: Keys and positions, outermost first: a text as it is, an expression for a value of each row.
    """
    parts: list[Expr] = []
    for step in steps:
        if isinstance(step, str):
            parts.append(lit("/" + step.replace("~", "~0").replace("/", "~1")))
        else:
            text = step.cast(pl.String).str.replace_all("~", "~0", literal=True)
            parts += [lit("/"), text.str.replace_all("/", "~1", literal=True)]
    return pl.concat_str(parts)


def set_value(at: Expr, value: Expr, *, manifest: Expr | None = None, line: Expr | None = None) -> Expr:
    """An edit that replaces a value, or adds a key to an object or one more entry to a list.

    Args:
        at: JSON pointer to the value.
        value: The new value, as JSON text.
        manifest: The manifest, if it is not that of the finding.
        line: The line, if it is not that of the finding.
    """
    return _edit(Operation.SET, at, value, manifest, line)


def remove_value(at: Expr, *, manifest: Expr | None = None, line: Expr | None = None) -> Expr:
    """An edit that removes a key with its value, or an entry of a list."""
    return _edit(Operation.REMOVE, at, None, manifest, line)


def rename_key(at: Expr, key: Expr, *, manifest: Expr | None = None, line: Expr | None = None) -> Expr:
    """An edit that gives a key another name; a fix is left out where the object already has that key."""
    return _edit(Operation.RENAME, at, key, manifest, line)


def rename_in_entries(at: Expr, key: Expr, *, manifest: Expr | None = None, line: Expr | None = None) -> Expr:
    """An edit that gives a key another name in all objects of a list that have it, and not the other one.

    Args:
        at: JSON pointer to the list, followed by the key.
        key: The new key.
        manifest: The manifest, if it is not that of the finding.
        line: The line, if it is not that of the finding.
    """
    return _edit(Operation.RENAME_IN_ENTRIES, at, key, manifest, line)


def remove_line(*, manifest: Expr | None = None, line: Expr | None = None) -> Expr:
    """An edit that removes a line."""
    return _edit(Operation.REMOVE_LINE, None, None, manifest, line)


def remove_copy() -> Expr:
    """An edit that removes the line of the finding.

    The fix is safe if the line has the same bytes as the one that the same fix keeps, which is found out after judging.
    """
    return _edit(Operation.REMOVE_COPY, None, None, None, None)


def keep_line(*, manifest: Expr, line: Expr) -> Expr:
    """An edit that changes nothing, but makes the fix wait if another one removes the line."""
    return _edit(Operation.KEEP_LINE, None, None, manifest, line)


def edit_file(operation: Operation) -> Expr:
    """An edit of a manifest as a whole: its byte order mark or its line ends."""
    return _edit(operation, None, None, None, None)


def json_number(number: Expr) -> Expr:
    """Numbers as JSON text, whole ones without a decimal point."""
    rounded = number.round(_DECIMALS)
    # Beyond 2^53 a number has no decimals that could be lost.
    is_whole = (rounded == rounded.round()) & (rounded.abs() < 2**53)
    whole = pl.when(is_whole).then(rounded).cast(pl.Int64, strict=False).cast(pl.String)
    return pl.when(is_whole).then(whole).otherwise(rounded.cast(pl.String))


def json_string(text: Expr) -> Expr:
    """Texts as JSON text."""
    return text.map_batches(
        lambda texts: Series(
            [None if each is None else json.dumps(each, ensure_ascii=False) for each in texts], dtype=pl.String
        ),
        return_dtype=pl.String,
    )


def placed(edits: Series, places: DataFrame) -> Series:
    """The edits of findings, each with its manifest and line, without nulls; null where a finding has none.

    Args:
        edits: Lists of edits.
        places: `manifest` and `line` of the findings.
    """
    rows = places.select(its_manifest="manifest", its_line="line").with_row_index("row").with_columns(edits=edits)
    if edits.dtype == pl.Null:
        return pl.repeat(None, len(edits), dtype=EDITS, eager=True)
    each = rows.explode("edits", empty_as_null=False).filter(col("edits").is_not_null()).unnest("edits")
    filled = each.with_columns(
        manifest=pl.coalesce("manifest", "its_manifest"), line=pl.coalesce("line", "its_line").cast(pl.Int32)
    )
    structs = filled.select("row", edits=pl.struct(list(EDIT.to_schema())).cast(EDIT))
    grouped = structs.group_by("row", maintain_order=True).agg("edits")
    return rows.select("row").join(grouped, on="row", how="left", maintain_order="left")["edits"]


def _edit(operation: Operation, at: Expr | None, value: Expr | None, manifest: Expr | None, line: Expr | None) -> Expr:
    return pl.struct(
        (lit(None) if manifest is None else manifest).cast(pl.String).alias("manifest"),
        (lit(None) if line is None else line).cast(pl.Int32).alias("line"),
        lit(operation.value).alias("operation"),
        (lit(None) if at is None else at).cast(pl.String).alias("pointer"),
        (lit(None) if value is None else value).cast(pl.String).alias("value"),
    )
