"""Findings: the one row type that every report is made from, and how the rows of a rule become findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args, get_origin

import polars as pl
from polars import DataFrame, LazyFrame, Series, col, lit
from pydantic import BaseModel, ConfigDict, Field

from groundlint.engine.edits import EDITS, placed
from groundlint.engine.rule import Rule
from groundlint.engine.wording import Sentence

Loses = Literal["box", "attribute", "line", "training"]


class Place(BaseModel):
    """A place that a finding refers to."""

    model_config = ConfigDict(extra="forbid")

    manifest: str | None
    line: int | None
    attribute: str | None
    box: int | None
    source_ref: str | None


class Finding(BaseModel):
    """One finding, with the keys of the JSON report."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(description="Code of the rule.")
    name: str = Field(description="Name of the rule.")
    severity: Literal["error", "warning", "info"]
    message: str
    manifest: str = Field(description="Path as given; for a finding on a data set, its training manifest.")
    line: int | None = Field(description="Physical line, from 1; null for a finding on a manifest or data set.")
    attribute: str | None = Field(description="Key of the label attribute, without -metadata.")
    box: int | None = Field(description="Position in `annotations`, from 0.")
    label: str | None = Field(description="Name of the label.")
    source_ref: str | None = Field(description="The image, as the manifest names it.")
    image: str | None = Field(description="Local path of the image relative to the working directory.")
    score: float | None = Field(description="0 sound to 1 bad, where the rule rests on a measurement.")
    typical: bool = Field(description="Whether the rule flags so many images that it describes the data set.")
    aws: str | None = Field(description="The service's code.")
    loses: Loses | None = Field(description="What the fault removes directly.")
    caused_by: str | None = Field(description="Code of the rule that reports the cause of this consequence.")
    fix: Literal["safe", "unsafe"] | None = Field(description="Whether `--fix` can repair it, and how safely.")
    related: list[Place]
    fingerprint: str = Field(description="Identifies the finding when lines move.")
    url: str | None = Field(description="Page of the rule.")


KEYS = tuple(Finding.model_fields)
"""Keys of a finding, in the order of reports."""


def _dtype(annotation: object) -> pl.DataType:
    """The column type of a field."""
    plain: Mapping[object, pl.DataType] = {str: pl.String(), int: pl.Int32(), float: pl.Float64(), bool: pl.Boolean()}
    if annotation in plain:
        return plain[annotation]
    if get_origin(annotation) is Literal:
        return pl.String()
    if get_origin(annotation) is list:
        return pl.List(RELATED)
    return _dtype(next(part for part in get_args(annotation) if part is not type(None)))


RELATED = pl.Struct({name: _dtype(field.annotation) for name, field in Place.model_fields.items()})

COLUMNS = pl.Schema({name: _dtype(field.annotation) for name, field in Finding.model_fields.items()})
"""Column types of the keys of a finding."""

_LATER = ("image", "typical", "fingerprint", "url")

SCHEMA = pl.Schema(
    {
        **{name: dtype for name, dtype in COLUMNS.items() if name not in _LATER},
        "data_set": pl.Int32(),
        "pointer": pl.String(),
        "precision": pl.Float64(),
        "suggested_label": pl.String(),
        "of_data_set": pl.Boolean(),
        "edits": EDITS,
    }
)
"""Columns of findings as rules give them; session and policy add the rest.

`data_set` is the number of the data set, `pointer` the JSON pointer of a structural fault within its line, `precision`
that of the rule, and `suggested_label` what the label probably should be. `of_data_set` marks findings that name no
manifest and are placed on the training manifest. `edits` are those of the fix, null where there is none.
"""

EMPTY = DataFrame(schema=SCHEMA)
"""No findings."""

ORDER = ("manifest", "line", "attribute", "box", "code")
"""Order of findings in reports for programs."""

SEVERITIES = pl.Enum(["error", "warning", "info"])
"""Severities, worst first."""

_IDS = {"box_id": "boxes", "attribute_id": "attributes", "line_id": "lines"}

_PLACE = ("data_set", "manifest", "line", "attribute", "box", "label", "source_ref")

_OPTIONAL = ("score", "loses", "caused_by", "pointer", "suggested_label")


def build(rule: Rule, rows: DataFrame, tables: Mapping[str, LazyFrame]) -> DataFrame:
    """Turn the rows of a rule's check into findings.

    Args:
        rule: The rule, with its options.
        rows: What the check returned.
        tables: The base tables, by which locations are completed.

    Raises:
        KeyError: A message needs a column that the rows do not have, a row says neither where it is nor in which data
            set, or a fix is not declared.
        polars.exceptions.InvalidOperationError: A row's `severity` is not one.
    """
    if rows.is_empty():
        return EMPTY
    rows = _placed(_identified(rows, tables), tables)
    absent = [lit(None, SCHEMA[name]).alias(name) for name in _OPTIONAL if name not in rows.columns]
    rows = rows.with_columns(*absent)
    severity = col("severity") if "severity" in rows.columns else lit(None, pl.String)
    aws = col("aws") if "aws" in rows.columns else lit(rule.aws, pl.String)
    related = rows["related"] if "related" in rows.columns else Series("related", [None] * rows.height, dtype=pl.Null)
    edits, fix = _fixes(rule, rows)
    return rows.with_columns(
        message=_messages(rule, rows),
        edits=edits,
        fix=fix,
        code=lit(rule.code),
        name=lit(rule.name),
        severity=severity.cast(SEVERITIES).cast(pl.String).fill_null(rule.severity.value),
        aws=aws.cast(pl.String),
        score=col("score").cast(pl.Float64).fill_nan(None),
        related=_related(related, rows, tables),
        precision=lit(rule.precision, pl.Float64),
    ).select(col(name).cast(dtype) for name, dtype in SCHEMA.items())


def ordered(findings: DataFrame) -> DataFrame:
    """Findings by manifest, line, attribute, box and code; those on a whole manifest first."""
    return findings.sort(*ORDER, "message", nulls_last=False, maintain_order=True)


def worst_first(findings: DataFrame) -> DataFrame:
    """Findings by severity, then by reliability (facts, measured precision, unmeasured), then by score."""
    return findings.sort(
        col("severity").cast(SEVERITIES),
        -col("precision").fill_null(0),
        -col("score").fill_null(0),
        maintain_order=True,
    )


def _identified(rows: DataFrame, tables: Mapping[str, LazyFrame]) -> DataFrame:
    """Rows with the location columns that their most precise id gives and that they lack."""
    known = [name for name in _IDS if name in rows.columns]
    for name in known:
        lacking = [key for key in _PLACE if key not in rows.columns]
        table = tables[_IDS[name]]
        given = [key for key in table.collect_schema().names() if key in lacking]
        if given:
            ids = rows.lazy().select(name).unique()
            places = table.select(name, *given).join(ids, on=name, how="semi").collect()
            rows = rows.join(places, on=name, how="left", maintain_order="left", coalesce=True)
    return rows


def _messages(rule: Rule, rows: DataFrame) -> Series:
    """The message of each row: by its `kind` where the rule has several."""
    if not rule.messages:
        return _formatted(rule, rule.message, rows)
    if "kind" not in rows.columns:
        raise KeyError(f"the messages of {rule.code} need the column 'kind', which its rows do not have")
    if unknown := sorted(set(rows["kind"].drop_nulls()) - rule.messages.keys()):
        raise KeyError(f"{rule.code} has no message for the kind {unknown[0]!r}")
    messages = Series("message", [None] * rows.height, dtype=pl.String)
    for kind in rows["kind"].unique():
        places = (rows["kind"] == kind).arg_true()
        messages = messages.scatter(places, _formatted(rule, rule.messages[kind], rows[places]))
    return messages


def _formatted(rule: Rule, template: str, rows: DataFrame) -> Series:
    sentence = Sentence(template)
    options = {name: getattr(rule, name) for name in sentence.fields & set(type(rule).model_fields)}
    columns = sorted(sentence.fields - set(options))
    if missing := [name for name in columns if name not in rows.columns]:
        raise KeyError(f"the message of {rule.code} needs the column {missing[0]!r}, which its rows do not have")
    if not columns:
        return pl.repeat(sentence.texts([{}], options)[0], rows.height, eager=True)
    return Series("message", sentence.texts(rows.select(columns).iter_rows(named=True), options), dtype=pl.String)


def _fixes(rule: Rule, rows: DataFrame) -> tuple[Series, Series]:
    """The edits of each row, and how safe they are; null where it has none."""
    if "edits" not in rows.columns:
        nothing = pl.repeat(None, rows.height, dtype=pl.Null, eager=True)
        return nothing.cast(EDITS), nothing.cast(pl.String)
    edits = placed(rows["edits"], rows)
    only = next(iter(rule.fixes)) if len(rule.fixes) == 1 else None
    its_own = col("fix").cast(pl.String) if "fix" in rows.columns else lit(None, pl.String)
    given = pl.coalesce(its_own, lit(only, pl.String))
    fix = rows.select(fix=pl.when(edits.is_not_null()).then(given))["fix"]
    if undeclared := sorted(set(fix.filter(edits.is_not_null()).fill_null("")) - set(rule.fixes)):
        raise KeyError(f"`fixes` of {rule.code} does not say what a fix does that is {undeclared[0] or 'not named'!r}")
    return edits, fix


def _placed(rows: DataFrame, tables: Mapping[str, LazyFrame]) -> DataFrame:
    """Rows with a complete location.

    A row that names an image but no line is placed on the first line of its data set that names it, any other row
    without manifest on the training manifest of its data set.
    """
    rows = rows.with_columns(lit(None, SCHEMA[name]).alias(name) for name in _PLACE if name not in rows.columns)
    rows = rows.with_columns(col(name).cast(SCHEMA[name]) for name in _PLACE)
    is_unplaced = col("manifest").is_null()
    if not rows.filter(is_unplaced & col("data_set").is_null()).is_empty():
        raise KeyError("a row has neither a manifest nor a data_set; keep `data_set` when grouping")
    rows = rows.with_columns(of_data_set=is_unplaced & col("source_ref").is_null())
    lines = tables["lines"].select("data_set", "manifest", "line", "source_ref")
    if rows.filter(col("line").is_not_null())["source_ref"].has_nulls():
        wanted = rows.lazy().filter(col("source_ref").is_null()).select("manifest", "line").unique()
        named = lines.drop("data_set").join(wanted, on=["manifest", "line"], how="semi").unique(["manifest", "line"])
        its = named.rename({"source_ref": "its_source_ref"}).collect()
        rows = rows.join(its, on=["manifest", "line"], how="left", maintain_order="left")
        rows = rows.with_columns(source_ref=pl.coalesce("source_ref", "its_source_ref"))
    if rows["manifest"].has_nulls():
        first = _first_lines(lines, rows.filter(is_unplaced)).rename({"manifest": "its_manifest", "line": "its_line"})
        manifests = tables["manifests"].sort("data_set", "split", maintain_order=True).unique("data_set", keep="first")
        training = manifests.select("data_set", main_manifest="manifest").collect()
        rows = rows.join(first, on=["data_set", "source_ref"], how="left", maintain_order="left")
        rows = rows.join(training, on="data_set", how="left", maintain_order="left")
        rows = rows.with_columns(
            manifest=pl.coalesce("manifest", "its_manifest", "main_manifest"),
            line=pl.when(is_unplaced).then(col("its_line")).otherwise(col("line")),
        )
    return rows


def _related(related: Series, rows: DataFrame, tables: Mapping[str, LazyFrame]) -> Series:
    """Related places in full.

    Where only images are named, these are the first lines of the data set that name them; where only boxes are, they
    are of the finding's own attribute.
    """
    if related.dtype == pl.Null:
        return pl.repeat([], len(related), dtype=SCHEMA["related"], eager=True)
    if isinstance(related.dtype, pl.List) and related.dtype.inner.is_integer():
        own = rows.select(pl.col(list(Place.model_fields))).with_row_index("row").with_columns(box=related)
        places = own.explode("box").drop_nulls("box").select("row", place=pl.struct(list(Place.model_fields)))
        grouped = places.group_by("row", maintain_order=True).agg(related="place")
        index = DataFrame({"row": range(len(related))}, schema={"row": pl.get_index_type()})
        related = index.join(grouped, on="row", how="left", maintain_order="left")["related"]
    if related.dtype == pl.List(pl.String):
        named = DataFrame({"source_ref": related, "data_set": rows["data_set"]}).with_row_index("row")
        named = named.explode("source_ref", empty_as_null=False)
        places = _first_lines(tables["lines"].select("data_set", "manifest", "line", "source_ref"), named)
        found = named.join(places, on=["data_set", "source_ref"], how="left", maintain_order="left")
        empty = {"attribute": pl.String, "box": pl.Int32}
        found = found.with_columns(lit(None, dtype).alias(name) for name, dtype in empty.items())
        structs = found.select("row", related=pl.struct(list(Place.model_fields)))
        grouped = structs.group_by("row", maintain_order=True).agg("related")
        index = DataFrame({"row": range(len(related))}, schema={"row": pl.get_index_type()})
        related = index.join(grouped, on="row", how="left", maintain_order="left")["related"]
    given = related.dtype.inner.to_schema()  # type: ignore[attr-defined] # it is a list of structs
    place = pl.struct(
        pl.element().struct.field(key).cast(dtype) if key in given else lit(None, dtype).alias(key)
        for key, dtype in RELATED.to_schema().items()
    )
    return related.list.eval(place).fill_null([])


def _first_lines(lines: LazyFrame, rows: DataFrame) -> DataFrame:
    """The first line of each data set that names each image of some rows."""
    image = ("data_set", "source_ref")
    # Sorting all lines takes 0.1 s for 100,000, and most rules name few images or none.
    named = lines.join(rows.lazy().select(image).drop_nulls().unique(), on=image, how="semi")
    first = named.sort("manifest", "line").unique(image, keep="first", maintain_order=True)
    return first.collect()
