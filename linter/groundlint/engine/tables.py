"""The tables that rules judge: what a row of each is, and the type of every column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl


class Column(NamedTuple):
    """One column: its type, what it holds, and the value that completes the rows of an example."""

    dtype: pl.DataType
    description: str
    default: Any = None


@dataclass(frozen=True)
class Table:
    """A table that is filled by reading or measuring. `row` says what one row is; `key` names the row."""

    name: str
    row: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]

    @property
    def schema(self) -> pl.Schema:
        """Column names and types, in order."""
        return pl.Schema({name: column.dtype for name, column in self.columns.items()})

    def empty(self) -> pl.DataFrame:
        """The table without rows."""
        return pl.DataFrame(schema=self.schema)


@dataclass(frozen=True)
class DerivedTable:
    """A table that is computed from others: the parameters of its function. The docstring says what a row is."""

    function: Callable[..., pl.LazyFrame | pl.DataFrame]
    features: tuple[str, ...]
    objects: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the table: that of the function."""
        return self.function.__name__


def table(
    *, features: tuple[str, ...] = (), objects: tuple[str, ...] = ()
) -> Callable[[Callable[..., pl.LazyFrame | pl.DataFrame]], DerivedTable]:
    """Declare a function as a derived table.

    Args:
        features: measured columns that it wants in `images` or `crops`.
        objects: the base tables of whose rows it says something: `images`, or `labels` and `boxes`. Exported, it has a
            row for each of them, empty where the table has none.
    """
    return lambda function: DerivedTable(function, features, objects)


SPLIT = pl.Enum(["train", "test", "reference"])

_TEXT = pl.String()
# Lines, sizes and positions are signed: differences of unsigned columns wrap round.
_COUNT = pl.Int32()
_NUMBER = pl.Float64()
_FLAG = pl.Boolean()

IMAGE_VALUES: Mapping[type, pl.DataType] = {
    float: pl.Float64(),
    int: pl.Int64(),
    bool: pl.Boolean(),
    str: pl.String(),
    bytes: pl.Binary(),
}
"""Column types of measured features."""

_MANIFEST = Column(_TEXT, "Path of the manifest, as it was given.", "train.manifest")
_LINE = Column(_COUNT, "Physical line, from 1.", 1)
_ATTRIBUTE = Column(_TEXT, "Key of the label attribute, without `-metadata`.", "animals")
_BOX = Column(_COUNT, "Position in `annotations`, from 0.", 0)
_SPLIT = Column(SPLIT, "What the manifest is for: train, test or reference.", "train")
_SOURCE_REF = Column(_TEXT, "The image, exactly as the manifest names it.", "s3://bucket/1.jpg")
_LABEL = Column(_TEXT, "Name of the label.", "cat")
_CONFIDENCE = Column(_NUMBER, "Confidence that the job gave, 0 to 1; comparable only within one job.", 1.0)
_USABLE = Column(_FLAG, "False where a check of the reader loses the attribute or its line.", True)
_IMAGE_WIDTH = Column(_COUNT, "Width that `image_size` declares, in pixels; null where it declares none.", 640)
_IMAGE_HEIGHT = Column(_COUNT, "Height that `image_size` declares, in pixels; null where it declares none.", 480)


def _table(name: str, row: str, key: str, /, **columns: Column) -> Table:
    return Table(name, row, tuple(key.split()), columns)


BASE: Mapping[str, Table] = {
    table.name: table
    for table in (
        _table(
            "manifests",
            "one manifest",
            "manifest",
            manifest=_MANIFEST,
            split=_SPLIT,
            bytes=Column(pl.Int64(), "Size of the file; null where it could not be read.", 1000),
            lines=Column(_COUNT, "Physical lines, blank and bad ones too; null where it could not be read.", 1),
        ),
        _table(
            "lines",
            "one line that parsed as a JSON object",
            "manifest line",
            manifest=_MANIFEST,
            line=_LINE,
            split=_SPLIT,
            source_ref=_SOURCE_REF,
            bucket=Column(_TEXT, "Bucket of the source-ref; null where it is no S3 URI.", "bucket"),
            key=Column(_TEXT, "Object key of the source-ref; null where it is no S3 URI.", "1.jpg"),
        ),
        _table(
            "problems",
            "one fault of structure, found while reading",
            "manifest line attribute box",
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE._replace(default=None),
            box=_BOX._replace(default=None),
            source_ref=_SOURCE_REF,
            label=Column(_TEXT, "Name of the label; null where the fault is none of a label's."),
            kind=Column(_TEXT, "What is wrong: one of `groundlint.manifest.kinds.Kind`.", "invalid-json"),
            detail=Column(_TEXT, "What was found, what was expected and how to mend it, as a sentence.", "it is wrong"),
            pointer=Column(_TEXT, "JSON pointer to the fault within its line; null for the line as a whole."),
            loses=Column(_TEXT, "What the fault removes: attribute, line or training; null where it removes nothing."),
            recorded=Column(_TEXT, "Service code that the manifest itself records, where it records one."),
            digest=Column(_TEXT, "SHA-256 of the line's bytes, for lines without a source-ref."),
        ),
        _table(
            "attributes",
            "one label attribute of a line, also one without labels or boxes",
            "manifest line attribute",
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE,
            split=_SPLIT,
            source_ref=_SOURCE_REF,
            type=Column(_TEXT, "`type` of the metadata, as written.", "groundtruth/object-detection"),
            kind=Column(
                _TEXT,
                "What it is read as: classification, detection, multilabel, segmentation, verification, prediction, "
                "failed or other.",
                "detection",
            ),
            human=Column(_FLAG, "Whether `human-annotated` says yes.", True),
            job=Column(_TEXT, "`job-name`.", "labeling-job/animals"),
            created=Column(_TEXT, "`creation-date`, as written.", "2024-05-02T10:11:12"),
            image_width=_IMAGE_WIDTH,
            image_height=_IMAGE_HEIGHT,
            boxes=Column(_COUNT, "Number of boxes; null where the attribute is no detection.", 1),
            class_name=Column(_TEXT, "`class-name` of the metadata; null where there is none."),
            adjustment=Column(_TEXT, "`adjustment-status` of an adjustment job; null where there is none."),
            usable=_USABLE,
        ),
        _table(
            "classes",
            "one entry of a class map",
            "manifest line attribute id",
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE,
            id=Column(_TEXT, "Key of the entry; local to its line.", "0"),
            label=_LABEL,
            used=Column(_FLAG, "Whether a box or a label of the attribute has this id.", True),
        ),
        _table(
            "labels",
            "one image-level label",
            "manifest line attribute label",
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE,
            split=_SPLIT,
            source_ref=_SOURCE_REF,
            label=_LABEL,
            confidence=_CONFIDENCE,
            usable=_USABLE,
        ),
        _table(
            "boxes",
            "one bounding box",
            "manifest line attribute box",
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE,
            box=_BOX,
            split=_SPLIT,
            source_ref=_SOURCE_REF,
            label=_LABEL,
            left=Column(_NUMBER, "Left edge, in pixels from the left of the image.", 100.0),
            top=Column(_NUMBER, "Top edge, in pixels from the top of the image.", 100.0),
            width=Column(_NUMBER, "Width, in pixels.", 100.0),
            height=Column(_NUMBER, "Height, in pixels.", 100.0),
            image_width=_IMAGE_WIDTH,
            image_height=_IMAGE_HEIGHT,
            confidence=_CONFIDENCE,
            usable=_USABLE,
        ),
        _table(
            "predictions",
            "one prediction of a trained model, from an evaluation snapshot",
            "manifest line attribute box",
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE,
            box=Column(_COUNT, "Position in `annotations`, from 0; null for an image-level prediction."),
            split=_SPLIT,
            source_ref=_SOURCE_REF,
            label=_LABEL,
            confidence=_CONFIDENCE,
            left=Column(_NUMBER, "Left edge, in pixels; null for an image-level prediction."),
            top=Column(_NUMBER, "Top edge, in pixels; null for an image-level prediction."),
            width=Column(_NUMBER, "Width, in pixels; null for an image-level prediction."),
            height=Column(_NUMBER, "Height, in pixels; null for an image-level prediction."),
        ),
        _table(
            "images",
            "one distinct image",
            "source_ref",
            source_ref=_SOURCE_REF,
            path=Column(_TEXT, "Where the image was found; null where it was not.", "1.jpg"),
            found=Column(_FLAG, "Whether a file was found.", True),
            fault=Column(
                _TEXT,
                "What keeps it from being measured: refused, not-fetched, no-image, truncated, unreadable, too-big, "
                "crashed, timed-out; null where nothing does, or where nothing wanted had to be decoded.",
            ),
            detail=Column(_TEXT, "What the fault is, as a sentence."),
            bytes=Column(pl.Int64(), "Size of the file.", 100_000),
            format=Column(_TEXT, "Format by content: JPEG, PNG, …", "JPEG"),
            mode=Column(_TEXT, "Pillow's name of its colours: RGB, L, CMYK, RGBA, P, I;16, …", "RGB"),
            width=Column(_COUNT, "Width of the file's picture, in pixels.", 640),
            height=Column(_COUNT, "Height of the file's picture, in pixels.", 480),
            animated=Column(_FLAG, "Whether it has several frames.", False),
            digest=Column(_TEXT, "SHA-256 of the file.", "0" * 64),
        ),
        _table(
            "crops",
            "the picture inside one box",
            "manifest line attribute box",
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE,
            box=_BOX,
            source_ref=_SOURCE_REF,
        ),
        *(
            _table(
                name,
                row,
                "source_ref attribute box",
                source_ref=_SOURCE_REF,
                attribute=_ATTRIBUTE,
                box=Column(_COUNT, "Position in `annotations`, from 0; null for an image-level label."),
                numbers=Column(pl.List(pl.Float32()), numbers),
            )
            for name, row, numbers in (
                ("embeddings", "what a user's model makes of one label's image or one box", "Its embedding."),
                ("pred_probs", "what a user's model thinks of one label or box", "Probability of each label."),
            )
        ),
        _table(
            "pred_prob_labels",
            "one label of which `pred_probs` has probabilities",
            "place",
            place=Column(_COUNT, "Which number of a row is the label's, from 0.", 0),
            label=_LABEL,
        ),
        _table(
            "limits",
            "the limits of the service that depend on the account: always one row",
            "",
            region=Column(_TEXT, "Region of the service; null where it is not configured."),
            max_images=Column(pl.Int64(), "Raised quota of images a manifest; null for the documented default."),
        ),
        _table(
            "suppressions",
            "one [[ignore]] entry of the configuration, once all else is judged",
            "manifest entry",
            manifest=Column(_TEXT, "Path of the configuration.", "groundlint.toml"),
            entry=Column(_COUNT, "Number of the entry, from 1.", 1),
            rule=Column(_TEXT, "The rule that it names, as written.", "BOX301"),
            reason=Column(_TEXT, "Why the findings are no fault.", "checked by hand"),
            expires=Column(pl.Date(), "Last day on which it applies; null for ever."),
            expired=Column(_FLAG, "Whether that day is past.", False),
            findings=Column(_COUNT, "Findings that it leaves out.", 1),
            judged=Column(_FLAG, "Whether its rule and one of its manifests were judged.", True),
        ),
    )
}
