"""The base tables of a run, made at once from the rows of all its manifests."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from polars import DataFrame, Series, col, lit

from groundlint.config.data_sets import Source
from groundlint.engine.base_tables import BASE
from groundlint.manifest.lines import ROW_TABLES, SCHEMAS
from groundlint.manifest.part import Part

READ_TABLES = ("manifests", *ROW_TABLES)
"""The base tables that reading fills."""

_PLACES = pl.Schema(
    {
        "data_set": pl.Int32(),
        "manifest": pl.String(),
        "split": BASE["lines"].schema["split"],
        "first_line": pl.Int32(),
        "first_line_id": pl.Int32(),
    }
)


class Assembler:
    """Collects the rows of manifests, and makes tables of them once: many small tables would cost far more."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._places: list[tuple[int, str, str, int, int]] = []
        self._manifests: list[tuple[int, str, str, int | None, int | None]] = []
        self._next_line_id = 0

    def add(self, data_set: int, source: Source, size: int, parts: Sequence[Part]) -> None:
        """Add a manifest of some bytes, read in parts in their order."""
        lines = 0
        for part in parts:
            self._parts.append(part)
            self._places.append((data_set, source.name, source.split, lines, self._next_line_id + lines))
            lines += part.lines
        self._manifests.append((data_set, source.name, source.split, size, lines))
        self._next_line_id += lines + 1

    def add_unreadable(self, data_set: int, source: Source) -> None:
        """Add a manifest that could not be read: it is part of its data set nevertheless."""
        self._manifests.append((data_set, source.name, source.split, None, None))

    def tables(self) -> dict[str, DataFrame]:
        """The base tables, each in one piece. Rows are released table by table, because holding both costs memory."""
        places = DataFrame(self._places, schema=_PLACES, orient="row")
        tables = {}
        named = [*_PLACES.names()[:3], "bytes", "lines"]
        manifests = DataFrame(
            self._manifests, schema={name: BASE["manifests"].schema[name] for name in named}, orient="row"
        )
        tables["manifests"] = manifests.select(BASE["manifests"].schema.names())
        source_refs = DataFrame()
        for name in ROW_TABLES:
            rows = self._placed(name, places)
            if name == "lines":
                source_refs = rows.select("line_id", "source_ref")
            elif "source_ref" in BASE[name].schema and "source_ref" not in rows.columns:
                rows = rows.join(source_refs, on="line_id", how="left", maintain_order="left")
            # The ids are filled in once all tables are complete.
            rows = rows.with_columns(attribute_id=lit(0), box_id=lit(0))
            tables[name] = rows.select(col(key).cast(dtype) for key, dtype in BASE[name].schema.items())
        return _numbered(tables)

    def _placed(self, name: str, places: DataFrame) -> DataFrame:
        """The rows of a table from all parts, with their manifest and its lines counted from its beginning."""
        columns = [col(key).cast(dtype) for key, dtype in SCHEMAS[name].items()]
        frames, tuples, runs = [], [], []
        for number, part in enumerate(self._parts):
            for frame in part.frames.pop(name, []):
                frames.append(frame.select(columns))
                runs.append((number, frame.height))
        for number, part in enumerate(self._parts):
            if rows := getattr(part.rows, name):
                tuples += rows
                runs.append((number, len(rows)))
                rows.clear()
        if tuples:
            frames.append(DataFrame(tuples, schema=SCHEMAS[name], orient="row"))
        united = pl.concat(frames, rechunk=True) if frames else DataFrame(schema=SCHEMAS[name])
        place = _run_lengths(runs)
        data_set, manifest, split, first_line, first_line_id = (column.gather(place) for column in places)
        return united.with_columns(
            data_set,
            manifest,
            split,
            line=col("line") + first_line,
            line_id=col("line") + first_line_id,
        )


def _run_lengths(runs: Sequence[tuple[int, int]]) -> Series:
    """Numbers from pairs of a number and how often it is repeated."""
    frame = DataFrame(runs, schema={"number": pl.Int32, "count": pl.Int32}, orient="row")
    return frame.select(col("number").repeat_by("count").explode(empty_as_null=False)).to_series()


def _numbered(tables: dict[str, DataFrame]) -> dict[str, DataFrame]:
    """Tables with the ids of attributes and boxes.

    A line has each attribute once: the number of its name and that of its line identify it. No order is needed, and
    no join.
    """
    with_attributes = [name for name, table in tables.items() if "attribute_id" in table.columns]
    names = pl.concat([tables[name]["attribute"].unique() for name in with_attributes]).unique().sort()
    line_ids = pl.concat([rows["line_id"] for rows in tables.values() if "line_id" in rows.columns])
    most = line_ids.to_frame().select(pl.max("line_id").fill_null(0) + 1).item()
    number = col("attribute").cast(pl.Enum(names)).to_physical().cast(pl.Int64)
    for name in with_attributes:
        tables[name] = tables[name].with_columns(attribute_id=number * most + col("line_id"))
    tables["boxes"] = tables["boxes"].with_columns(box_id=pl.int_range(pl.len(), dtype=pl.Int32))
    return tables
