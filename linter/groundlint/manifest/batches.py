"""Batches of lines of a known shape, decoded by a typed decoder and checked column by column.

A batch accepts a line only if it certainly passes every check of `LineReader`, which reads the others one by one.
Boxes never become Python objects: the annotations of a block are checked by a regular expression and parsed as one CSV.

The number of quotes shows that no key is duplicated: a line without escaped quotes has two for each key and each
string, and those that the decoder and the checks account for must be all of them.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import polars as pl
from msgspec import UNSET, Struct
from polars import DataFrame, Series, col

from groundlint.manifest.label_formats import SIMPLE_DATE, TYPES
from groundlint.manifest.lines import SCHEMAS
from groundlint.manifest.shape import Decoded, Shape

_SPACE = "[ \t\r]*"
_WHOLE = "-?(?:0|[1-9][0-9]{0,8})"
_NUMBER = rf"{_WHOLE}(?:\.[0-9]{{1,17}})?"
# A letter that only this key of a box has: with all other characters removed, the letters show the order of the keys.
_LETTERS = {"class_id": "c", "left": "f", "top": "p", "width": "w", "height": "g"}
_ORDERS = [*itertools.permutations(_LETTERS.values())]
_POSITIONS = {
    key: Series([order.index(letter) for order in _ORDERS], dtype=pl.Int8) for key, letter in _LETTERS.items()
}
_ORDER = pl.Enum(["".join(order) for order in _ORDERS])
_SOURCE_REF = "^[sS]3://[^/]+/."
_TO_CSV = bytes.maketrans(b"}", b"\n")
_NOT_CSV = b'"abcdefghijklmnopqrstuvwxyz_{[]: \t\r'
_NOT_ORDER = bytes(set(range(256)) - {ord(letter) for letter in "}" + "".join(_LETTERS.values())})
_CHECKS = {"at": pl.Int32, "sound": pl.Boolean, "quotes": pl.Int32}


class Taken(NamedTuple):
    """Rows of the lines that passed all checks, by table and with the columns of `SCHEMAS`; numbers of the others."""

    tables: dict[str, list[DataFrame]]
    doubtful: list[int]


class _Labels(NamedTuple):
    """Label attributes of one kind in a block of lines: their positions `at` in it, names, values and metadata."""

    at: list[int]
    names: list[str]
    values: list[Any]
    metadatas: list[Any]


_Columns = Mapping[str, Sequence[Any]]
"""Values of decoded lines by field; UNSET where a line lacks the field."""


class BatchReader:
    """Checks decoded lines column by column and makes their rows."""

    def __init__(self, *, classes: bool) -> None:
        self._with_classes = classes

    def take(self, decoded: Decoded) -> Taken:
        """Rows of decoded lines, and the numbers of those that must be read one by one."""
        numbers = Series("line", decoded.numbers, dtype=pl.Int32)
        columns = _columns(decoded.rows)
        source_refs = Series("source_ref", columns["source_ref"], dtype=pl.String)
        tables: dict[str, list[DataFrame]] = {}
        for kind in ("classification", "detection"):
            if labels := _labels(decoded.shape, columns, kind):
                attributes = _attributes(labels, kind)
                if kind == "classification":
                    read = _read_classifications(attributes, labels)
                else:
                    read = self._read_detections(attributes, labels)
                for table, rows in read.items():
                    tables.setdefault(table, []).append(rows)
        checks = [rows.select("at", "sound", "quotes") for rows in tables.get("attributes", [])]
        checks.append(_other_quotes(decoded.shape, columns))
        totals = pl.concat(checks).group_by("at").agg(col("sound").min(), col("quotes").sum()).sort("at")
        # No check has passed on a line without attributes.
        is_sound = (
            totals["sound"].fill_null(False)
            & (totals["quotes"] == Series(decoded.quotes, dtype=pl.Int32))
            & source_refs.str.contains(_SOURCE_REF)
        )
        for table, frames in tables.items():
            for i, rows in enumerate(frames):
                at = rows["at"]
                placed = rows.with_columns(numbers.gather(at))
                # Other columns would stay in memory until the whole manifest is read.
                frames[i] = placed.select(*SCHEMAS[table]).filter(is_sound.gather(at))
        tables["lines"] = [_split_uri(numbers, source_refs).filter(is_sound)]
        return Taken(tables, numbers.filter(~is_sound).to_list())

    def _read_detections(self, attributes: DataFrame, labels: _Labels) -> dict[str, DataFrame]:
        sizes = [value.image_size[0] for value in labels.values]
        class_maps = [metadata.class_map for metadata in labels.metadatas]
        annotations = [bytes(value.annotations) for value in labels.values]
        objects = [bytes(metadata.objects) for metadata in labels.metadatas]
        annotation_texts, object_texts = _as_text(annotations), _as_text(objects)
        box_counts = _count_objects(annotation_texts).alias("boxes")
        attributes = attributes.with_columns(
            Series("row", range(len(sizes)), dtype=pl.Int32),
            Series("image_width", [size.width for size in sizes], dtype=pl.Int32),
            Series("image_height", [size.height for size in sizes], dtype=pl.Int32),
            Series("classes", list(map(len, class_maps)), dtype=pl.Int32),
            box_counts,
            (
                annotation_texts.str.contains(_BOXES)
                & object_texts.str.contains(_CONFIDENCES)
                & (_count_objects(object_texts) == box_counts)
            )
            .fill_null(False)
            .alias("has_boxes"),
            class_name=pl.lit(None, pl.String),
        )
        attributes = attributes.with_columns(
            sound=col("sound") & col("has_boxes"),
            # Keys of image_size with its three, annotations, objects, class-map; five keys a box, one a confidence;
            # key and name of each class.
            quotes=col("quotes") + 14 + 12 * col("boxes") + 4 * col("classes"),
        )
        classes = _classes(attributes, class_maps)
        boxes = _boxes(attributes, annotations, objects)
        boxes = boxes.join(classes, on=["row", "class_id"], how="left", maintain_order="none")
        boxes = boxes.with_columns(usable=True)
        # A duplicate key, or a class id that is not a whole number or has no name: the line has a fault.
        doubtful = boxes.filter(col("label").is_null())["at"].unique()
        attributes = attributes.with_columns(sound=col("sound") & ~col("at").is_in(doubtful.implode()))
        tables = {"boxes": boxes, "attributes": attributes}
        if self._with_classes:
            tables["classes"] = _with_use(classes, attributes, boxes)
        return tables


def _labels(shape: Shape, columns: _Columns, kind: str) -> _Labels | None:
    """The label attributes of a kind, over all lines and names; None where there are none."""
    labels = _Labels([], [], [], [])
    for i, (name, its_kind) in enumerate(shape.attributes.items()):
        if its_kind == kind:
            values, metadatas = columns[f"v{i}"], columns[f"m{i}"]
            # An attribute without metadata has no row; its quotes are not accounted for and make the line doubtful.
            has_both = list(map(operator.and_, _is_set(values), _is_set(metadatas)))
            at = list(itertools.compress(range(len(values)), has_both))
            labels.at.extend(at)
            labels.names.extend([name] * len(at))
            labels.values.extend(itertools.compress(values, has_both))
            labels.metadatas.extend(itertools.compress(metadatas, has_both))
    return labels if labels.at else None


def _attributes(labels: _Labels, kind: str) -> DataFrame:
    """Rows of `attributes` with what their metadata gives; `sound` and `quotes` are results of its checks."""
    fields = _columns(labels.metadatas)
    return DataFrame(
        {
            "at": Series(labels.at, dtype=pl.Int32),
            "attribute": labels.names,
            "human": Series(fields["human"], dtype=pl.String) == "yes",
            "job": Series(fields["job"], dtype=pl.String),
            "created": Series(fields["created"], dtype=pl.String),
            "adjustment": Series(fields["adjustment"], dtype=pl.String),
        }
    ).with_columns(
        type=pl.lit(TYPES[kind]),
        kind=pl.lit(kind),
        usable=True,
        sound=col("created").str.contains(SIMPLE_DATE),
        # The two keys; key and value of type, human-annotated, creation-date and of the optional ones.
        quotes=16 + 4 * col("job").is_not_null().cast(pl.Int32) + 4 * col("adjustment").is_not_null().cast(pl.Int32),
    )


def _read_classifications(attributes: DataFrame, labels: _Labels) -> dict[str, DataFrame]:
    attributes = attributes.with_columns(
        Series("class_name", [metadata.class_name for metadata in labels.metadatas], dtype=pl.String),
        Series("confidence", [metadata.confidence for metadata in labels.metadatas], dtype=pl.Float64),
        # Key and value of class-name, key of confidence.
        quotes=col("quotes") + 6,
        boxes=pl.lit(None, pl.Int32),
        image_width=pl.lit(None, pl.Int32),
        image_height=pl.lit(None, pl.Int32),
    )
    rows = attributes.select("at", "attribute", "confidence", "usable", label="class_name")
    return {"labels": rows, "attributes": attributes}


def _boxes(attributes: DataFrame, annotations: Sequence[bytes], objects: Sequence[bytes]) -> DataFrame:
    """One row per box, from the texts of annotations and objects of valid attributes.

    Numbers are parsed in the order in which they are written, and then moved to the columns of their keys.
    """
    sound = attributes["sound"]
    is_sound = sound.to_list()
    heads = attributes.filter(sound).select("at", "attribute", "row", "image_width", "image_height", "boxes")
    heads = heads.with_columns(box=pl.int_ranges("boxes", dtype=pl.Int32)).explode("box", empty_as_null=False)
    text = _joined(itertools.compress(annotations, is_sound))
    written = _parse_numbers(text, [f"n{i}" for i in range(len(_LETTERS))])
    orders = _lines(text.translate(_TO_CSV, _NOT_ORDER)).head(heads.height).cast(_ORDER, strict=False)
    confidences = _parse_numbers(_joined(itertools.compress(objects, is_sound)), ["confidence"])
    boxes = pl.concat([heads, written, confidences], how="horizontal")
    number = orders.to_physical()
    in_place = []
    for key, positions in _POSITIONS.items():
        position = pl.lit(positions.gather(number))
        value = pl.lit(None, pl.Float64)
        for i in range(len(_LETTERS)):
            value = pl.when(position == i).then(col(f"n{i}")).otherwise(value)
        in_place.append(value.alias(key))
    boxes = boxes.with_columns(in_place)
    # A fraction is not a class id; null is in no class map.
    whole = col("class_id").cast(pl.Int64)
    return boxes.with_columns(class_id=pl.when(whole == col("class_id")).then(whole))


def _joined(texts: Iterable[bytes]) -> bytes:
    return b"".join(b"," + text for text in texts)


def _parse_numbers(text: bytes, names: Sequence[str]) -> DataFrame:
    """Numbers of checked lists of flat objects, joined and preceded by commas: one row per object."""
    schema = dict.fromkeys(names, pl.Float64())
    if not text:
        return DataFrame(schema=schema)
    table = text.translate(_TO_CSV, _NOT_CSV)
    return pl.read_csv(table, has_header=False, schema={"comma": pl.String(), **schema}).drop("comma")


def _classes(attributes: DataFrame, class_maps: Sequence[dict[str, str]]) -> DataFrame:
    """One row per entry of the class map of each attribute; `class_id` is null where no box can have the id."""
    entries = DataFrame(
        {
            "id": Series(list(itertools.chain.from_iterable(class_maps)), dtype=pl.String),
            "label": Series(list(itertools.chain.from_iterable(map(dict.values, class_maps))), dtype=pl.String),
            "row": attributes["row"].repeat_by(attributes["classes"]).explode(empty_as_null=False),
        }
    )
    number = col("id").cast(pl.Int64, strict=False)
    return entries.with_columns(class_id=pl.when(number.cast(pl.String) == col("id")).then(number))


def _with_use(classes: DataFrame, attributes: DataFrame, boxes: DataFrame) -> DataFrame:
    """Classes with their place, and whether a box uses them."""
    used = boxes.select("row", "class_id", used=True).unique()
    placed = classes.join(attributes.select("row", "at", "attribute"), on="row")
    return placed.join(used, on=["row", "class_id"], how="left").with_columns(col("used").fill_null(False))


def _other_quotes(shape: Shape, columns: _Columns) -> DataFrame:
    """Quotes of source-ref, of the console's metadata and of the extra keys: one or more rows for each line."""
    count = len(columns["source_ref"])
    at, quotes = list(range(count)), [4] * count
    at += itertools.compress(range(count), _is_set(columns["console"]))
    quotes += [4] * (len(at) - len(quotes))
    for i in range(len(shape.extras)):
        extras = columns[f"e{i}"]
        is_set = _is_set(extras)
        at += itertools.compress(range(count), is_set)
        quotes += [4 if isinstance(extra, str) else 2 for extra in itertools.compress(extras, is_set)]
    return DataFrame({"at": at, "sound": None, "quotes": quotes}, schema=_CHECKS)


def _columns(rows: Sequence[Struct]) -> _Columns:
    """The fields of structs of one type, each as a tuple over all structs."""
    columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
    return dict(zip(rows[0].__struct_fields__, columns, strict=True))


def _is_set(values: Sequence[Any]) -> list[bool]:
    return list(map(operator.is_not, values, itertools.repeat(UNSET)))


def _split_uri(numbers: Series, source_refs: Series) -> DataFrame:
    path = source_refs.str.slice(5)
    slash = path.str.find("/", literal=True)
    lines = DataFrame({"line": numbers, "source_ref": source_refs, "path": path, "slash": slash})
    return lines.select(
        "line", "source_ref", bucket=col("path").str.head("slash"), key=col("path").str.slice(col("slash") + 1)
    )


def _as_text(parts: Sequence[bytes]) -> Series:
    """As strings; null where the bytes are not UTF-8."""
    return Series(parts, dtype=pl.Binary).cast(pl.String, strict=False)


def _lines(text: bytes) -> Series:
    return Series([text.decode(errors="replace")]).str.split("\n").explode(empty_as_null=False)


def _count_objects(texts: Series) -> Series:
    return texts.str.count_matches("{", literal=True).cast(pl.Int32)


def _list_of(pairs: Sequence[str]) -> str:
    """Pattern of a JSON list of one or more objects with as many keys and numbers, each key matching its pattern."""
    written = f"{_SPACE},{_SPACE}".join(f'"{key}"{_SPACE}:{_SPACE}{_NUMBER}' for key in pairs)
    entry = rf"\{{{_SPACE}{written}{_SPACE}\}}"
    return rf"^{_SPACE}\[{_SPACE}{entry}(?:{_SPACE},{_SPACE}{entry})*{_SPACE}\]{_SPACE}$"


_BOXES = _list_of([f"(?:{'|'.join(_LETTERS)})"] * len(_LETTERS))
_CONFIDENCES = _list_of(["confidence"])
