"""Findings: from the rows that a rule returns to one table of one form, and what tells a finding again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from string import Formatter

import polars as pl
from polars import DataFrame, LazyFrame, Series, col, lit

from groundlint.engine.rule import Rule, Severity

RELATED = pl.Struct(
    {
        "manifest": pl.String(),
        "line": pl.Int32(),
        "attribute": pl.String(),
        "box": pl.Int32(),
        "source_ref": pl.String(),
    }
)

SCHEMA = pl.Schema(
    {
        "code": pl.String(),
        "name": pl.String(),
        "severity": pl.String(),
        "message": pl.String(),
        "manifest": pl.String(),
        "line": pl.Int32(),
        "attribute": pl.String(),
        "box": pl.Int32(),
        "label": pl.String(),
        "source_ref": pl.String(),
        "score": pl.Float64(),
        "aws": pl.String(),
        "loses": pl.String(),
        "related": pl.List(RELATED),
        "of_data_set": pl.Boolean(),
    }
)
"""Columns of findings: the rule, what it says, and where.

`line` is null for a finding on a manifest or data set as a whole; `of_data_set` marks those that name no manifest and
stand on the training manifest.
"""

EMPTY = DataFrame(schema=SCHEMA)
"""No findings."""

ORDER = ("manifest", "line", "attribute", "box", "code")

_SEVERITIES = pl.Enum([severity.value for severity in Severity])

_LOCATION = ("manifest", "line", "attribute", "box", "label", "source_ref", "score", "loses")


def build(rule: Rule, rows: DataFrame, tables: Mapping[str, LazyFrame]) -> DataFrame:
    """Findings of a rule from the rows of its check.

    Args:
        rule: the rule, with its options.
        rows: what the check returned.
        tables: at least `lines` and `manifests` of the data set, by which places are completed.

    Raises:
        KeyError: the message wants a column that the rows do not have.
        polars.exceptions.InvalidOperationError: a row's `severity` is none.
    """
    if rows.is_empty():
        return EMPTY
    messages = _messages(rule, rows)
    rows = rows.with_columns(
        lit(None, SCHEMA[name]).alias(name) for name in (*_LOCATION, "related") if name not in rows.columns
    )
    rows = _placed(rows.with_columns(col(name).cast(SCHEMA[name]) for name in _LOCATION), tables)
    severity = col("severity") if "severity" in rows.columns else lit(None, pl.String)
    aws = col("aws") if "aws" in rows.columns else lit(rule.aws, pl.String)
    return rows.with_columns(
        message=messages,
        code=lit(rule.code),
        name=lit(rule.name),
        severity=severity.cast(_SEVERITIES).cast(pl.String).fill_null(rule.severity.value),
        aws=aws.cast(pl.String),
        score=col("score").fill_nan(None),
        related=_related(rows["related"], tables),
    ).select(col(name).cast(dtype) for name, dtype in SCHEMA.items())


def ordered(findings: DataFrame) -> DataFrame:
    """Findings in the order of reports: manifest, line, attribute, box, code; those on a whole file first."""
    return findings.sort(*ORDER, "message", nulls_last=False, maintain_order=True)


def fingerprints(findings: DataFrame, tables: Mapping[str, DataFrame], root: Path) -> Series:
    """What tells each finding again when lines move: a digest of what it is about, never of its line number.

    Code, manifest, source-ref (or the digest of a line without), attribute, label, the box's four numbers, and the
    number among equals.

    Args:
        findings: with the columns of `SCHEMA`.
        tables: `boxes` and `problems` of the run.
        root: folder to which manifests are relative.
    """
    sides = ("left", "top", "width", "height")
    keys = ["manifest", "line", "attribute", "box"]
    named = findings.filter(col("box").is_not_null()).select(keys).unique()
    boxes = tables["boxes"].select(*keys, *sides).join(named, on=keys, how="semi").unique(keys)
    boxes = boxes.select(*keys, numbers=pl.concat_list(sides))
    digests = tables["problems"].filter(col("digest").is_not_null()).select("manifest", "line", "digest")
    rows = (
        findings.select("code", *keys, "label", "source_ref")
        .join(boxes, on=keys, how="left", nulls_equal=True, maintain_order="left")
        .join(digests.unique(["manifest", "line"]), on=["manifest", "line"], how="left", maintain_order="left")
    )
    paths = {name: relative(name, root) for name in findings["manifest"].unique()}
    seen: dict[str, int] = {}
    made = []
    for code, manifest, _, attribute, _, label, source_ref, numbers, digest in rows.iter_rows():
        about = (code, paths[manifest], source_ref if source_ref is not None else digest, attribute, label, numbers)
        text = json.dumps(about)
        n = seen[text] = seen.get(text, 0) + 1
        made.append(hashlib.sha256(f"{n}{text}".encode()).hexdigest()[:32])
    return Series("fingerprint", made, dtype=pl.String)


def _messages(rule: Rule, rows: DataFrame) -> Series:
    if rule.message == "{detail}":
        return rows["detail"].alias("message")
    wanted = {name for _, name, _, _ in Formatter().parse(rule.message) if name}
    options = {name: getattr(rule, name) for name in wanted & set(type(rule).model_fields)}
    columns = sorted(wanted - set(options))
    if missing := [name for name in columns if name not in rows.columns]:
        raise KeyError(f"the message of {rule.code} wants {missing[0]!r}, which its rows do not have")
    if not columns:
        return pl.repeat(rule.message.format(**options), rows.height, eager=True)
    return Series([rule.message.format(**row, **options) for row in rows.select(columns).iter_rows(named=True)])


def _placed(rows: DataFrame, tables: Mapping[str, LazyFrame]) -> DataFrame:
    """With the place completed: by the first line that names the image, else by the training manifest."""
    is_unplaced = col("manifest").is_null()
    rows = rows.with_columns(of_data_set=is_unplaced & col("source_ref").is_null())
    lines = tables["lines"].select("manifest", "line", "source_ref")
    if rows.filter(col("line").is_not_null())["source_ref"].has_nulls():
        wanted = rows.lazy().filter(col("source_ref").is_null()).select("manifest", "line").unique()
        named = lines.join(wanted, on=["manifest", "line"], how="semi").rename({"source_ref": "named"})
        # A manifest that is in two splits has each line twice.
        rows = rows.join(named.unique().collect(), on=["manifest", "line"], how="left", maintain_order="left")
        rows = rows.with_columns(source_ref=pl.coalesce("source_ref", "named"))
    if rows["manifest"].has_nulls():
        first = _first_lines(lines.collect()).rename({"manifest": "its_manifest", "line": "its_line"})
        rows = rows.join(first, on="source_ref", how="left", maintain_order="left")
        manifests = tables["manifests"].sort("split", maintain_order=True).select("manifest").collect()["manifest"]
        rows = rows.with_columns(
            manifest=pl.coalesce("manifest", "its_manifest", lit(manifests.first(), pl.String)),
            line=pl.when(is_unplaced).then(col("its_line")).otherwise(col("line")),
        )
    return rows


def _related(related: Series, tables: Mapping[str, LazyFrame]) -> Series:
    """Related places in full; where only images are named, the first lines that name them."""
    if related.dtype == pl.List(pl.String):
        named = DataFrame({"related": related}).with_row_index("row").explode("related", empty_as_null=False)
        places = _first_lines(tables["lines"].select("manifest", "line", "source_ref").collect())
        found = named.rename({"related": "source_ref"}).join(places, on="source_ref", how="left", maintain_order="left")
        structs = found.select(
            "row",
            related=pl.struct(
                "manifest",
                "line",
                lit(None, pl.String).alias("attribute"),
                lit(None, pl.Int32).alias("box"),
                "source_ref",
            ),
        )
        grouped = structs.group_by("row", maintain_order=True).agg("related")
        rows = DataFrame({"row": range(len(related))}, schema={"row": pl.get_index_type()})
        related = rows.join(grouped, on="row", how="left", maintain_order="left")["related"]
    if related.dtype == pl.Null:
        return pl.repeat([], len(related), dtype=SCHEMA["related"], eager=True)
    given = related.dtype.inner.to_schema()  # type: ignore[attr-defined] # it is a list of structs
    place = pl.struct(
        pl.element().struct.field(key).cast(dtype) if key in given else lit(None, dtype).alias(key)
        for key, dtype in RELATED.to_schema().items()
    )
    return related.list.eval(place).fill_null([])


def _first_lines(lines: DataFrame) -> DataFrame:
    """The first line that names each image."""
    return lines.sort("manifest", "line").unique("source_ref", keep="first", maintain_order=True)


def relative(manifest: str, root: Path) -> str:
    """A manifest's path as seen from a folder, with slashes, the same by whatever links one comes to the folder.

    Args:
        manifest: its path as given; where it lies below the folder, links on the way from there keep their names.
        root: the folder, without links.
    """
    path = Path(os.path.abspath(manifest))  # noqa: PTH100 - a link below the folder stays one
    if not path.is_relative_to(root):
        ways = (root / path.relative_to(above) for above in path.parents if os.path.realpath(above) == str(root))
        path = next(ways, Path(os.path.realpath(path.parent), path.name))
    return PurePath(os.path.relpath(path, root)).as_posix()
