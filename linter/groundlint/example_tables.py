"""The examples of rules as tables, and as the manifest lines that show them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint.config.data_sets import DataSet, Source
from groundlint.engine.base_tables import BASE, IMAGE_VALUES, RECTANGLE
from groundlint.engine.examples import Example, Row
from groundlint.engine.features import Feature
from groundlint.engine.registry import Registry
from groundlint.engine.tables import Column

Tables = dict[str, LazyFrame]


_ID = re.compile(r"^(data_set|line_id|attribute_id|box_id)(_|$)")


_ATTRIBUTE = ("manifest", "split", "line", "attribute")


_LINE = ("manifest", "split", "line")


_TASKS = {"detection": "object-detection", "classification": "image-classification"}


def example_tables(registry: Registry, example: Example) -> Tables:
    """The base tables of an example, and the derived tables that it gives."""
    features = registry.features
    if any(text is not None for text in example.manifests.values()):
        tables = _read(example.manifests) | completed({"limits": [{}], **example.rows}, features)
    else:
        tables = completed(_with_parents(example.rows), features)
    return {name: frame.lazy() for name, frame in tables.items()}


def together(parts: Sequence[Mapping[str, LazyFrame]]) -> Tables:
    """The tables of several runs as the tables of one run, with data sets and ids numbered consecutively."""
    offsets = dict.fromkeys(("data_set", "line_id", "attribute_id", "box_id"), 0)
    frames: dict[str, list[DataFrame]] = {}
    for number, part in enumerate(parts):
        used = dict.fromkeys(offsets, 0)
        for name, lazy in part.items():
            frame = lazy.collect()
            if name in BASE and BASE[name].of_run:
                frames[name] = [frame]
                continue
            ids = {column: match[1] for column in frame.columns if (match := _ID.match(column))}
            for column, kind in ids.items():
                most = frame[column].max()
                used[kind] = max(used[kind], int(most) + 1 if isinstance(most, int) else 0)
            shifted = [
                (col(column) + offsets[kind]).cast(frame.schema[column]).alias(column) for column, kind in ids.items()
            ]
            named = [
                (lit(f"{number}/") + col(column)).alias(column) for column in frame.columns if "manifest" in column
            ]
            frames.setdefault(name, []).append(frame.with_columns(*shifted, *named))
        offsets = {kind: offset + used[kind] for kind, offset in offsets.items()}
    return {name: pl.concat(rows, how="diagonal").lazy() for name, rows in frames.items()}


def _read(manifests: Mapping[str, str | None]) -> dict[str, DataFrame]:
    # Rules on rows need no reader, and those of a plugin may never read a manifest.
    from groundlint.manifest.reader import read

    sources = tuple(
        Source(f"{split}.manifest", split, data=text.encode()) for split, text in manifests.items() if text is not None
    )
    return read([DataSet(sources, frozenset(source.name for source in sources))]).tables


def _with_parents(given: Mapping[str, Sequence[Row]]) -> dict[str, list[dict[str, Any]]]:
    """Rows with the attributes, lines and manifests that they belong to."""
    rows = {name: [dict(row) for row in table] for name, table in given.items()}
    _number_boxes(rows.get("boxes", []))
    for name in (
        "boxes",
        "crops",
        "labels",
        "problems",
        "predictions",
        "evaluated_images",
        "attributes",
        "lines",
        "classes",
    ):
        for row in rows.get(name, []):
            row.setdefault("line", 1)
            if row["line"] is not None and "source_ref" in BASE[name].columns:
                row.setdefault("source_ref", f"s3://bucket/{row['line']}.jpg")
    sizes = Counter(_key(row, *_ATTRIBUTE) for row in rows.get("boxes", []))
    for child, kind in (("boxes", "detection"), ("labels", "classification")):
        parents = [
            row | {"kind": kind, "type": f"groundtruth/{_TASKS[kind]}", "boxes": sizes.get(_key(row, *_ATTRIBUTE))}
            for row in rows.get(child, [])
        ]
        _add_missing(rows, "attributes", parents, _ATTRIBUTE)
    for number, row in enumerate(rows.get("images", []), 1):
        row.setdefault("source_ref", f"s3://bucket/{number}.jpg")
        row.setdefault("path", row["source_ref"].rpartition("/")[2])
    named = [{"line": n, "source_ref": row["source_ref"]} for n, row in enumerate(rows.get("images", []), 1)]
    _add_missing(rows, "lines", named, ("source_ref",))
    for child in ("attributes", "problems", "predictions", "evaluated_images", "classes"):
        _add_missing(rows, "lines", [row for row in rows.get(child, []) if row["line"] is not None], _LINE)
    lengths: Counter[Any] = Counter()
    for row in rows.get("lines", []):
        key = _key(row, "manifest", "split")
        lengths[key] = max(lengths[key], row["line"])
    parents = [row | {"lines": lengths[_key(row, "manifest", "split")]} for row in rows.get("lines", [])]
    _add_missing(rows, "manifests", parents, ("manifest", "split"))
    _add_missing(rows, "manifests", rows.get("problems", []), ("manifest",))
    rows.setdefault("limits", [{}])
    _number(rows)
    return rows


def _number_boxes(boxes: Iterable[dict[str, Any]]) -> None:
    """Number boxes within their attribute, unless they have a number."""
    counts: Counter[Any] = Counter()
    for row in boxes:
        key = _key(row, *_ATTRIBUTE)
        row.setdefault("box", counts[key])
        counts[key] += 1


def _number(rows: Mapping[str, list[dict[str, Any]]]) -> None:
    """Number lines, attributes and boxes, and set these ids in the rows that belong to them."""
    lines: dict[Any, int] = {}
    attributes: dict[Any, int] = {}
    boxes: dict[Any, int] = {}
    for name, table in rows.items():
        columns = BASE[name].columns if name in BASE else {}
        for row in table:
            if "line_id" in columns and row.get("line") is not None:
                row.setdefault("line_id", lines.setdefault(_key(row, *_LINE), len(lines)))
            if "attribute_id" in columns:
                row.setdefault("attribute_id", attributes.setdefault(_key(row, *_ATTRIBUTE), len(attributes)))
            if "box_id" in columns:
                row.setdefault("box_id", boxes.setdefault(_key(row, *_ATTRIBUTE, "box"), len(boxes)))


def _key(row: Row, *columns: str) -> tuple[Any, ...]:
    """The values of some columns, with defaults where a row does not give them."""
    defaults = BASE["boxes"].columns
    return tuple(row.get(column, defaults[column].default) for column in columns)


def _add_missing(
    rows: dict[str, list[dict[str, Any]]], parent: str, children: Iterable[Row], key: Sequence[str]
) -> None:
    """Add a row of the parent table for each child that has none, with the columns that both have."""
    known = {_key(row, *key) for row in rows.get(parent, [])}
    for child in children:
        if _key(child, *key) not in known:
            known.add(_key(child, *key))
            shared = {name: value for name, value in child.items() if name in BASE[parent].columns}
            rows.setdefault(parent, []).append(shared)


def completed(rows: Mapping[str, Sequence[Row]], features: Mapping[str, Feature]) -> dict[str, DataFrame]:
    """Tables from partial rows. Columns that are not given take their default; rows of derived tables must be whole."""
    frames = {}
    for name, table in rows.items():
        if name not in BASE:
            frames[name] = DataFrame([{"data_set": 0, **row} for row in table]).with_columns(
                col("^(data_set|line|box|line_id|box_id)$").cast(pl.Int32)
            )
            continue
        measured = {f.name: Column(IMAGE_VALUES[f.dtype], "") for f in features.values() if f.of == name and f.dtype}
        columns = {**BASE[name].columns, **measured}
        for row in table:
            if unknown := set(row) - set(columns):
                raise ValueError(f"the table {name} has no column {min(unknown)}")
        filled = [{key: row.get(key, column.default) for key, column in columns.items()} for row in table]
        frames[name] = DataFrame(filled, schema={key: column.dtype for key, column in columns.items()})
    return frames


def manifest_lines(example: Example) -> list[str]:
    """An example as lines of a manifest, for pages; empty if it has rows of tables other than lines, labels and boxes.

    Reading these lines gives the rows of the example.
    """
    if any(text is not None for text in example.manifests.values()):
        return [line for text in example.manifests.values() if text is not None for line in text.splitlines()]
    if not example.rows.keys() <= {"labels", "boxes", "lines"}:
        return []
    rows = _with_parents(example.rows)
    lines: dict[int, dict[str, Any]] = {}
    for row in rows.get("lines", []):
        lines[row["line_id"]] = {"source-ref": row.get("source_ref", BASE["lines"].columns["source_ref"].default)}
    frames = completed(rows, {})
    for label in frames.get("labels", BASE["labels"].empty()).iter_rows(named=True):
        lines[label["line_id"]] |= _label_of(label)
    boxes = frames.get("boxes", BASE["boxes"].empty())
    for part in boxes.partition_by("attribute_id", maintain_order=True):
        lines[part["line_id"][0]] |= _boxes_of(part)
    return [json.dumps(line, ensure_ascii=False) for line in lines.values()]


def _label_of(label: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"class-name": label["label"], "confidence": label["confidence"]} | _metadata("classification")
    return {label["attribute"]: 0, f"{label['attribute']}-metadata": metadata}


def _boxes_of(boxes: DataFrame) -> dict[str, Any]:
    names = boxes["label"].unique(maintain_order=True).to_list()
    sides = boxes.select("label", *(col(side).cast(pl.Int64) for side in RECTANGLE))
    annotations = [{"class_id": names.index(label), **box} for box in sides.to_dicts() if (label := box.pop("label"))]
    size = {"width": boxes["image_width"][0], "height": boxes["image_height"][0], "depth": 3}
    metadata = {
        "objects": [{"confidence": confidence} for confidence in boxes["confidence"]],
        "class-map": {str(n): name for n, name in enumerate(names)},
        **_metadata("detection"),
    }
    name = boxes["attribute"][0]
    return {name: {"image_size": [size], "annotations": annotations}, f"{name}-metadata": metadata}


def _metadata(kind: str) -> dict[str, str]:
    return {
        "type": f"groundtruth/{_TASKS[kind]}",
        "human-annotated": "yes",
        "creation-date": "2024-05-02T10:11:12",
        "job-name": "labeling-job/animals",
    }
