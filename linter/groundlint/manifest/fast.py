"""The fast path: lines of a shape already seen, decoded by a typed decoder and checked column by column.

A line is taken only where every check of the slow path is known to pass; any doubt sends it there. Boxes never become
Python objects: the annotations of a block are checked by a regular expression and parsed as one CSV.

That no key stands twice follows from the number of quotes: a line without escaped quotes has two for each key and each
string, and what the decoder and the checks account for must be all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
import polars as pl
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from polars import DataFrame, Series, col

from groundlint.manifest.attributes import MAX_LABEL_NAME
from groundlint.manifest.lines import MAX_ATTRIBUTE_CHARACTERS, SoundLine, is_plain_extra
from groundlint.manifest.strict_json import InvalidJson, parse

MAX_NAMES = 64
"""Attributes and extra keys that a shape may have; lines with further names take the slow path."""

MAX_BYTES = MAX_ATTRIBUTE_CHARACTERS
"""Longer lines take the slow path, which looks at the length of their values."""

ESCAPED_QUOTE = b'\\"'
"""Lines with this take the slow path: their quotes do not tell their keys and strings."""

_MAX_REMEMBERED = 50_000
_T = TypeVar("_T")

_SPACE = "[ \t\r]*"
_WHOLE = "-?(?:0|[1-9][0-9]{0,8})"
_NUMBER = rf"{_WHOLE}(?:\.[0-9]{{1,17}})?"
# The letter of each key of a box that no other has: what is left of a box's keys tells their order.
_LETTERS = {"class_id": "c", "left": "f", "top": "p", "width": "w", "height": "g"}
_ORDERS = [*itertools.permutations(_LETTERS.values())]
_ORDER = pl.Enum(["".join(order) for order in _ORDERS])
_DATE = (
    "^[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]+)?Z?$"
)
_SOURCE_REF = "^[sS]3://[^/]+/."
_TO_CSV = bytes.maketrans(b"}", b"\n")
_NOT_CSV = b'"abcdefghijklmnopqrstuvwxyz_{[]: \t\r'
_NOT_ORDER = bytes(set(range(256)) - {ord(letter) for letter in "}" + "".join(_LETTERS.values())})
_CHECKS = {"at": pl.Int32, "sound": pl.Boolean, "quotes": pl.Int32}
# Class ids have at most nine digits, so that map and id together make one number.
_ID_SPAN = 10**10

_Name = Annotated[str, Meta(min_length=1, max_length=MAX_LABEL_NAME)]
_Scalar = str | int | float | bool | None


class _Metadata(Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    human: Literal["yes", "no"] = msgspec.field(name="human-annotated")
    created: str = msgspec.field(name="creation-date")
    job: str | UnsetType = msgspec.field(name="job-name", default=UNSET)
    adjustment: str | UnsetType = msgspec.field(name="adjustment-status", default=UNSET)


class _DetectionMetadata(_Metadata, forbid_unknown_fields=True, gc=False, kw_only=True):
    type: Literal["groundtruth/object-detection"]
    objects: Raw
    class_map: Raw = msgspec.field(name="class-map")


class _ClassificationMetadata(_Metadata, forbid_unknown_fields=True, gc=False, kw_only=True):
    type: Literal["groundtruth/image-classification"]
    class_name: _Name = msgspec.field(name="class-name")
    confidence: Annotated[float, Meta(ge=-1e9, le=1e9)]


class _Detection(Struct, forbid_unknown_fields=True, gc=False):
    image_size: Raw
    annotations: Raw


class _Console(Struct, forbid_unknown_fields=True, gc=False):
    is_labeled: bool


_TYPES = {"detection": "groundtruth/object-detection", "classification": "groundtruth/image-classification"}
_FORMS: Mapping[str, tuple[Any, type[Struct]]] = {
    "detection": (_Detection, _DetectionMetadata),
    "classification": (int, _ClassificationMetadata),
}


class Shape(NamedTuple):
    """What the sound lines seen so far consist of: label attributes with their kind, and extra keys."""

    attributes: Mapping[str, str] = {}
    extras: tuple[str, ...] = ()

    def learn(self, sound: SoundLine) -> Shape:
        """The shape that takes lines like this one too; unchanged where it must not or need not."""
        attributes = dict(self.attributes)
        for attribute in sound.attributes:
            if attribute.kind not in _FORMS or attribute.is_prediction:
                return self
            attributes.setdefault(attribute.name, attribute.kind)
        known = {"source-ref", "cl-metadata", *attributes, *(f"{name}-metadata" for name in attributes)}
        extras = [key for key in sound.value if key not in known]
        if not all(is_plain_extra(key, sound.value[key]) for key in extras):
            return self
        # What was an extra key elsewhere may be half of a label here.
        names = tuple(key for key in dict.fromkeys([*self.extras, *extras]) if key not in known)
        if len(attributes) + len(names) > MAX_NAMES:
            return self
        return Shape(attributes, names)

    def decoder(self) -> msgspec.json.Decoder[Any]:
        """A decoder for lines of these names: attribute i becomes v<i> and m<i>, extra key i becomes e<i>."""
        fields: list[tuple[str, Any, Any]] = []
        rename = {"source_ref": "source-ref", "console": "cl-metadata"}
        for i, (name, kind) in enumerate(self.attributes.items()):
            of_value, of_metadata = _FORMS[kind]
            fields += [(f"v{i}", of_value | UnsetType, UNSET), (f"m{i}", of_metadata | UnsetType, UNSET)]
            rename |= {f"v{i}": name, f"m{i}": f"{name}-metadata"}
        for i, name in enumerate(self.extras):
            fields.append((f"e{i}", _Scalar | UnsetType, UNSET))
            rename[f"e{i}"] = name
        line = msgspec.defstruct(
            "Line",
            [("source_ref", str), ("console", _Console | UnsetType, UNSET), *fields],
            rename=rename,
            forbid_unknown_fields=True,
            gc=False,
        )
        return msgspec.json.Decoder(line)


class Decoded(NamedTuple):
    """Lines that the decoder of a shape took: their numbers, the structs, and how many quotes each has."""

    shape: Shape
    numbers: list[int]
    rows: list[Any]
    quotes: list[int]


class Taken(NamedTuple):
    """Rows of the lines that passed all checks, by table and less `manifest` and `split`; numbers of the others."""

    tables: dict[str, list[DataFrame]]
    doubtful: list[int]


class _Labels(NamedTuple):
    """Label attributes of one kind in a block of lines: their positions `at` in it, names, values and metadata."""

    at: list[int]
    names: list[str]
    values: list[Any]
    metadatas: list[Any]


class _Size(NamedTuple):
    width: int
    height: int


class _ClassMap(NamedTuple):
    names: Mapping[str, str]

    def ids(self) -> Iterable[tuple[int, str]]:
        """Entries whose key is written as a class id is."""
        for key, name in self.names.items():
            if key.isascii() and key.removeprefix("-").isdecimal() and len(key) <= 10 and str(int(key)) == key:
                yield int(key), name


class FastReader:
    """Checks decoded lines column by column and makes their rows."""

    def __init__(self, *, classes: bool) -> None:
        self._with_classes = classes
        self._class_maps: dict[bytes, _ClassMap | None] = {}
        self._sizes: dict[bytes, _Size | None] = {}

    def take(self, decoded: Decoded) -> Taken:
        """Rows of decoded lines, and the numbers of those that need the slow path."""
        numbers = Series("line", decoded.numbers, dtype=pl.Int32)
        source_refs = Series("source_ref", [row.source_ref for row in decoded.rows], dtype=pl.String)
        tables: dict[str, list[DataFrame]] = {}
        for kind in ("classification", "detection"):
            if labels := _labels(decoded, kind):
                attributes = _attributes(labels, kind)
                if kind == "classification":
                    read = _read_classifications(attributes, labels)
                else:
                    read = self._read_detections(attributes, labels)
                for table, rows in read.items():
                    tables.setdefault(table, []).append(rows)
        checks = [rows.select("at", "sound", "quotes") for rows in tables.get("attributes", [])]
        others = {"at": range(len(numbers)), "sound": [None] * len(numbers), "quotes": _other_quotes(decoded)}
        checks.append(DataFrame(others, schema=_CHECKS))
        totals = pl.concat(checks).group_by("at").agg(col("sound").min(), col("quotes").sum()).sort("at")
        # Where a line has no attribute, no check has found it sound.
        is_sound = (
            totals["sound"].fill_null(False)
            & (totals["quotes"] == Series(decoded.quotes, dtype=pl.Int32))
            & source_refs.str.contains(_SOURCE_REF)
        )
        for frames in tables.values():
            for i, rows in enumerate(frames):
                at = rows["at"]
                frames[i] = rows.with_columns(numbers.gather(at), source_refs.gather(at)).filter(is_sound.gather(at))
        tables["lines"] = [_split_uri(numbers, source_refs).filter(is_sound)]
        return Taken(tables, numbers.filter(~is_sound).to_list())

    def _read_detections(self, attributes: DataFrame, labels: _Labels) -> dict[str, DataFrame]:
        sizes = [bytes(value.image_size) for value in labels.values]
        maps = [bytes(metadata.class_map) for metadata in labels.metadatas]
        _remember(self._sizes, sizes, _size)
        _remember(self._class_maps, maps, _class_map)
        distinct_maps = {text: k for k, text in enumerate(dict.fromkeys(maps))}
        class_maps = [self._class_maps[text] for text in distinct_maps]
        found_sizes = [self._sizes[text] for text in sizes]
        annotations = _texts([value.annotations for value in labels.values])
        objects = _texts([metadata.objects for metadata in labels.metadatas])
        box_counts = _count_objects(annotations).alias("boxes")
        # A class map in doubt accounts for a negative number of quotes, so that the sum is never right.
        map_quotes = [text.count(b'"') if class_maps[k] else -(10**6) for text, k in distinct_maps.items()]
        attributes = attributes.with_columns(
            Series("image_width", [size and size.width for size in found_sizes], dtype=pl.Int32),
            Series("image_height", [size and size.height for size in found_sizes], dtype=pl.Int32),
            Series("map", [distinct_maps[text] for text in maps], dtype=pl.Int32),
            box_counts,
            (
                annotations.str.contains(_BOXES)
                & objects.str.contains(_CONFIDENCES)
                & (_count_objects(objects) == box_counts)
            ).alias("has_boxes"),
            class_name=pl.lit(None, pl.String),
        )
        attributes = attributes.with_columns(
            sound=col("sound") & col("image_width").is_not_null() & col("has_boxes"),
            # Keys of image_size with its three, annotations, objects, class-map; five keys a box, one a confidence.
            quotes=col("quotes")
            + 14
            + 12 * col("boxes")
            + Series(map_quotes, dtype=pl.Int32).gather(attributes["map"]),
        )
        boxes = _boxes(attributes, annotations, objects).with_columns(usable=True)
        boxes = boxes.with_columns(_label_of(class_maps, boxes))
        # A key that stands twice, a class id that is no whole number or has no name: faults of the line.
        doubtful = boxes.filter(col("label").is_null())["at"].unique()
        attributes = attributes.with_columns(sound=col("sound") & ~col("at").is_in(doubtful.implode()))
        tables = {"boxes": boxes, "attributes": attributes}
        if self._with_classes:
            tables["classes"] = _classes(class_maps, attributes, boxes)
        return tables


def _labels(decoded: Decoded, kind: str) -> _Labels | None:
    """The label attributes of a kind, over all lines and names; None where there are none."""
    labels = _Labels([], [], [], [])
    for i, (name, its_kind) in enumerate(decoded.shape.attributes.items()):
        if its_kind != kind:
            continue
        value, metadata = f"v{i}", f"m{i}"
        values = [getattr(row, value) for row in decoded.rows]
        metadatas = [getattr(row, metadata) for row in decoded.rows]
        # Half an attribute has no row, and its quotes remain unaccounted for, so that its line is doubtful.
        at = [k for k, (v, m) in enumerate(zip(values, metadatas, strict=True)) if v is not UNSET and m is not UNSET]
        labels.at.extend(at)
        labels.names.extend([name] * len(at))
        labels.values.extend([values[k] for k in at])
        labels.metadatas.extend([metadatas[k] for k in at])
    return labels if labels.at else None


def _attributes(labels: _Labels, kind: str) -> DataFrame:
    """Rows of `attributes` so far as their metadata says; `sound` and `quotes` are what its checks make of them."""
    metadatas = labels.metadatas
    jobs = [metadata.job if metadata.job is not UNSET else None for metadata in metadatas]
    adjustments = [metadata.adjustment if metadata.adjustment is not UNSET else None for metadata in metadatas]
    return DataFrame(
        {
            "at": Series(labels.at, dtype=pl.Int32),
            "attribute": labels.names,
            "human": [metadata.human == "yes" for metadata in metadatas],
            "job": Series(jobs, dtype=pl.String),
            "created": [metadata.created for metadata in metadatas],
            "adjustment": Series(adjustments, dtype=pl.String),
        }
    ).with_columns(
        type=pl.lit(_TYPES[kind]),
        kind=pl.lit(kind),
        usable=True,
        sound=col("created").str.contains(_DATE),
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


def _boxes(attributes: DataFrame, annotations: Series, objects: Series) -> DataFrame:
    """One row a box, from the texts of annotations and objects of sound attributes.

    Numbers are parsed in the order in which they are written, and put in place by the order of each box's keys.
    """
    sound = attributes["sound"]
    heads = attributes.filter(sound).select("at", "attribute", "image_width", "image_height", "map", "boxes")
    heads = heads.with_columns(box=pl.int_ranges("boxes", dtype=pl.Int32)).explode("box", empty_as_null=False)
    text = _joined(annotations.filter(sound))
    written = _parse_numbers(text, [f"n{i}" for i in range(len(_LETTERS))])
    orders = _lines(text.translate(_TO_CSV, _NOT_ORDER)).head(heads.height).cast(_ORDER, strict=False)
    found = orders.unique().drop_nulls().to_physical().to_list()
    confidences = _parse_numbers(_joined(objects.filter(sound)), ["confidence"])
    boxes = pl.concat([heads, written, confidences], how="horizontal")
    number = orders.to_physical()
    for key, letter in _LETTERS.items():
        value = pl.lit(None, pl.Float64)
        for i in range(len(_LETTERS)):
            fitting = [order for order in found if _ORDERS[order][i] == letter]
            if fitting:
                value = pl.when(pl.lit(number.is_in(fitting))).then(col(f"n{i}")).otherwise(value)
        boxes = boxes.with_columns(value.alias(key))
    return boxes


def _joined(texts: Series) -> bytes:
    return ("," + texts.str.join(",")[0]).encode() if len(texts) else b""


def _parse_numbers(text: bytes, names: Sequence[str]) -> DataFrame:
    """Numbers of checked lists of flat objects, joined and led by commas: one row an object."""
    schema = dict.fromkeys(names, pl.Float64())
    if not text:
        return DataFrame(schema=schema)
    table = text.translate(_TO_CSV, _NOT_CSV)
    return pl.read_csv(table, has_header=False, schema={"comma": pl.String(), **schema}).drop("comma")


def _label_of(class_maps: Sequence[_ClassMap | None], boxes: DataFrame) -> Series:
    """The name of each box's class id in the class map of its line; null where there is none."""
    entries = sorted(
        (k * _ID_SPAN + i, name) for k, class_map in enumerate(class_maps) if class_map for i, name in class_map.ids()
    )
    keys = Series([key for key, _ in entries] or [-_ID_SPAN], dtype=pl.Int64)
    names = Series("label", [name for _, name in entries] or [None], dtype=pl.String)
    class_id = boxes["class_id"]
    wanted = boxes["map"].cast(pl.Int64) * _ID_SPAN + class_id.cast(pl.Int64)
    at = keys.search_sorted(wanted).clip(upper_bound=len(keys) - 1)
    is_named = (keys.gather(at) == wanted) & (class_id == class_id.floor())
    return names.gather(at).set(~is_named.fill_null(False), None)


def _classes(class_maps: Sequence[_ClassMap | None], rows: DataFrame, boxes: DataFrame) -> DataFrame:
    """One row an entry of the class map of each attribute."""
    entries = DataFrame(
        [(k, key, name) for k, names in enumerate(class_maps) if names for key, name in names.names.items()],
        schema={"map": pl.Int32, "id": pl.String, "label": pl.String},
        orient="row",
    )
    used = boxes.select("at", id=col("class_id").cast(pl.Int64).cast(pl.String), used=True).unique()
    classes = rows.select("at", "attribute", "map").join(entries, on="map")
    return classes.join(used, on=["at", "id"], how="left").with_columns(col("used").fill_null(False))


def _other_quotes(decoded: Decoded) -> Series:
    """Quotes of source-ref, of the console's bookkeeping and of the extra keys of each line."""
    counts = [4 if row.console is UNSET else 8 for row in decoded.rows]
    for i in range(len(decoded.shape.extras)):
        name = f"e{i}"
        for k, row in enumerate(decoded.rows):
            extra = getattr(row, name)
            if extra is not UNSET:
                counts[k] += 4 if isinstance(extra, str) else 2
    return Series(counts, dtype=pl.Int32)


def _split_uri(numbers: Series, source_refs: Series) -> DataFrame:
    path = source_refs.str.slice(5)
    slash = path.str.find("/", literal=True)
    lines = DataFrame({"line": numbers, "source_ref": source_refs, "path": path, "slash": slash})
    return lines.select(
        "line", "source_ref", bucket=col("path").str.head("slash"), key=col("path").str.slice(col("slash") + 1)
    )


def _remember(known: dict[bytes, _T | None], texts: Iterable[bytes], read: Callable[[Any], _T | None]) -> None:
    """Parse each text not parsed before; None for what is doubtful."""
    if len(known) > _MAX_REMEMBERED:
        known.clear()
    for text in texts:
        if text not in known:
            try:
                value, repeated = parse(text)
            except InvalidJson:
                known[text] = None
            else:
                known[text] = None if repeated else read(value)


def _size(value: Any) -> _Size | None:
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        return None
    size = value[0]
    if size.keys() != {"width", "height", "depth"} or any(type(side) is not int for side in size.values()):
        return None
    return _Size(size["width"], size["height"]) if all(0 <= side <= 2147483647 for side in size.values()) else None


def _class_map(value: Any) -> _ClassMap | None:
    if not isinstance(value, dict):
        return None
    are_names = all(isinstance(name, str) and 1 <= len(name) <= MAX_LABEL_NAME for name in value.values())
    return _ClassMap(value) if are_names else None


def _texts(parts: Sequence[Raw]) -> Series:
    """As strings, without a Python object for each; what is not UTF-8 gets characters that no check lets pass."""
    return _lines(b"\n".join(parts))


def _lines(text: bytes) -> Series:
    return Series([text.decode(errors="replace")]).str.split("\n").explode(empty_as_null=False)


def _count_objects(texts: Series) -> Series:
    return texts.str.count_matches("{", literal=True).cast(pl.Int32)


def _list_of(pairs: Sequence[str]) -> str:
    """Pattern of a JSON list of one or more objects with as many keys and numbers, each key of its pattern."""
    written = f"{_SPACE},{_SPACE}".join(f'"{key}"{_SPACE}:{_SPACE}{_NUMBER}' for key in pairs)
    entry = rf"\{{{_SPACE}{written}{_SPACE}\}}"
    return rf"^{_SPACE}\[{_SPACE}{entry}(?:{_SPACE},{_SPACE}{entry})*{_SPACE}\]{_SPACE}$"


_BOXES = _list_of([f"(?:{'|'.join(_LETTERS)})"] * len(_LETTERS))
_CONFIDENCES = _list_of(["confidence"])
