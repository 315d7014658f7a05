"""The base tables: what reading manifests and measuring images gives, and what a user brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from groundlint.engine.tables import Column, Table

SPLIT = pl.Enum(["train", "test", "reference"])

VALUES = pl.Struct(
    {
        "key": pl.String(),
        "found": pl.String(),
        "expected": pl.String(),
        "hint": pl.String(),
        "count": pl.Int64(),
        "limit": pl.Int64(),
    }
)
"""Values for the message on a structural fault: the key, the found and expected values, a hint, a count, a limit."""

_TEXT = pl.String()
# Lines, sizes and positions are signed, because differences of unsigned columns wrap around.
_COUNT = pl.Int32()
_BIG = pl.Int64()
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

_DATA_SET = Column(_COUNT, "Number of the data set, from 0.", 0)
_LINE_ID = Column(_COUNT, "Number of the line in the run; joins lines with what they hold.", 0)
_ATTRIBUTE_ID = Column(_BIG, "Number of the attribute of a line in the run; joins it with what it holds.", 0)
_BOX_ID = Column(_COUNT, "Number of the box in the run; joins boxes and crops.", 0)
_MANIFEST = Column(_TEXT, "Path of the manifest, as given.", "train.manifest")
_LINE = Column(_COUNT, "Physical line, from 1.", 1)
_ATTRIBUTE = Column(_TEXT, "Key of the label attribute, without `-metadata`.", "animals")
_BOX = Column(_COUNT, "Position in `annotations`, from 0.", 0)
_SPLIT = Column(SPLIT, "What the manifest is for: train, test or reference.", "train")
_SOURCE_REF = Column(_TEXT, "The image, exactly as the manifest names it.", "s3://bucket/1.jpg", nullable=True)
_IMAGE_REF = _SOURCE_REF._replace(nullable=False)
_LABEL = Column(_TEXT, "Name of the label.", "cat", nullable=True)
_CONFIDENCE = Column(_NUMBER, "Confidence from the job, 0 to 1; comparable only within one job.", 1.0, nullable=True)
_USABLE = Column(_FLAG, "False where a check of the reader loses the attribute or its line.", True)
_IMAGE_WIDTH = Column(_COUNT, "Width declared by `image_size`, in px.", 640, nullable=True)
_IMAGE_HEIGHT = Column(_COUNT, "Height declared by `image_size`, in px.", 480, nullable=True)


def _null(dtype: pl.DataType, description: str, default: Any = None) -> Column:
    """A column that may be null."""
    return Column(dtype, description, default, nullable=True)


def _table(name: str, row: str, key: str, /, **columns: Column) -> Table:
    return Table(name, row, tuple(key.split()), {"data_set": _DATA_SET, **columns})


def _run_table(name: str, row: str, key: str, /, **columns: Column) -> Table:
    return Table(name, row, tuple(key.split()), columns, of_run=True)


def _corner(side: str, where: str) -> Column:
    return _null(_NUMBER, f"{side}, in px{where}; null where it is not a number.", 100.0)


_BOX_COLUMNS = {
    "left": _corner("Left edge", " from the left of the image"),
    "top": _corner("Top edge", " from the top of the image"),
    "width": _corner("Width", ""),
    "height": _corner("Height", ""),
}

_IMAGE_COLUMNS = {
    "source_ref": _IMAGE_REF,
    "path": _null(_TEXT, "Path of the local file; null where none was found, and for an image read from S3.", "1.jpg"),
    "found": Column(_FLAG, "Whether a file was found, or an object in S3.", True),
    "fault": _null(
        _TEXT,
        "Why it could not be measured: refused, leads-outside, misnamed, not-fetched, no-object (S3 says that it does "
        "not exist), inaccessible (in S3), no-image, truncated, unreadable, too-big, crashed or timed-out; null where "
        "it could be, where nothing needed decoding, or where there is no file.",
    ),
    "detail": _null(
        _TEXT,
        "The reason in words, as the decoder or the system gives it; where there is no file, which was looked "
        "for and where.",
    ),
    "bytes": _null(_BIG, "Size of the file in bytes.", 100_000),
    "format": _null(_TEXT, "Format by content: JPEG, PNG, …", "JPEG"),
    "mode": _null(_TEXT, "Pillow's name of the pixel format: RGB, L, CMYK, RGBA, P, I;16, …", "RGB"),
    "width": _null(_COUNT, "Width of the decoded image, in px.", 640),
    "height": _null(_COUNT, "Height of the decoded image, in px.", 480),
    "animated": _null(_FLAG, "Whether it has several frames.", False),
    "digest": _null(
        _TEXT,
        "SHA-256 of the file; null where only the headers of images in S3 were read, because no feature needs more.",
        "0" * 64,
    ),
}

RECTANGLE = tuple(_BOX_COLUMNS)
"""The columns that say where a box is, in px: left, top, width and height."""

BASE: Mapping[str, Table] = {
    table.name: table
    for table in (
        _table(
            "manifests",
            "one manifest of a split of a data set",
            "data_set split manifest",
            manifest=_MANIFEST,
            split=_SPLIT,
            bytes=_null(_BIG, "Size of the file in bytes; null where it could not be read.", 1000),
            lines=_null(_COUNT, "Physical lines, blank and bad ones included; null where it could not be read.", 1),
        ),
        _table(
            "lines",
            "one line that parsed as a JSON object",
            "line_id",
            line_id=_LINE_ID,
            manifest=_MANIFEST,
            line=_LINE,
            split=_SPLIT,
            source_ref=_SOURCE_REF,
            bucket=_null(_TEXT, "Bucket of the source-ref; null where it is not an S3 URI.", "bucket"),
            key=_null(_TEXT, "Object key of the source-ref; null where it is not an S3 URI.", "1.jpg"),
        ),
        _table(
            "problems",
            "one structural fault, found while reading",
            "manifest line attribute box",
            line_id=_LINE_ID._replace(nullable=True),
            manifest=_MANIFEST,
            line=_LINE._replace(nullable=True),
            attribute=_null(_TEXT, _ATTRIBUTE.description),
            box=_null(_COUNT, _BOX.description),
            source_ref=_SOURCE_REF,
            label=_null(_TEXT, "Name of the label, where the fault is in a label."),
            kind=Column(_TEXT, "What is wrong: a `Kind` of `groundlint.manifest.kinds`.", "invalid-json"),
            values=Column(
                VALUES, "What the message of the rule is made of.", {"found": "it is wrong", "hint": "fix it"}
            ),
            pointer=_null(_TEXT, "JSON pointer to the fault within its line; null for the line as a whole."),
            loses=_null(_TEXT, "What the fault removes: attribute, line or training; null where it removes nothing."),
            recorded=_null(_TEXT, "Service code that the manifest itself records."),
            digest=_null(_TEXT, "SHA-256 of the line's bytes, for lines without a source-ref."),
        ),
        _table(
            "attributes",
            "one label attribute of a line, also one without labels or boxes",
            "attribute_id",
            line_id=_LINE_ID,
            attribute_id=_ATTRIBUTE_ID,
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE,
            split=_SPLIT,
            source_ref=_SOURCE_REF,
            type=_null(_TEXT, "`type` of the metadata, as written.", "groundtruth/object-detection"),
            kind=Column(
                _TEXT,
                "How it is read: classification, detection, multilabel, segmentation, verification, prediction, "
                "failed or other.",
                "detection",
            ),
            human=_null(_FLAG, "Whether `human-annotated` is yes.", True),
            job=_null(_TEXT, "`job-name`.", "labeling-job/animals"),
            created=_null(_TEXT, "`creation-date`, as written.", "2024-05-02T10:11:12"),
            image_width=_IMAGE_WIDTH,
            image_height=_IMAGE_HEIGHT,
            boxes=_null(_COUNT, "Number of boxes; null where the attribute is not a detection.", 1),
            class_name=_null(_TEXT, "`class-name` of the metadata."),
            adjustment=_null(_TEXT, "`adjustment-status` of an adjustment job."),
            usable=_USABLE,
        ),
        _table(
            "classes",
            "one entry of a class map",
            "attribute_id id",
            line_id=_LINE_ID,
            attribute_id=_ATTRIBUTE_ID,
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE,
            id=Column(_TEXT, "Key of the entry; local to its line.", "0"),
            label=Column(_TEXT, _LABEL.description, "cat"),
            used=Column(_FLAG, "Whether a box or a label of the attribute has this id.", True),
        ),
        _table(
            "labels",
            "one image-level label",
            "attribute_id label",
            line_id=_LINE_ID,
            attribute_id=_ATTRIBUTE_ID,
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
            "box_id",
            line_id=_LINE_ID,
            attribute_id=_ATTRIBUTE_ID,
            box_id=_BOX_ID,
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE,
            box=_BOX,
            split=_SPLIT,
            source_ref=_SOURCE_REF,
            label=_LABEL,
            **_BOX_COLUMNS,
            image_width=_IMAGE_WIDTH,
            image_height=_IMAGE_HEIGHT,
            confidence=_CONFIDENCE,
            usable=_USABLE,
        ),
        _table(
            "predictions",
            "one prediction of a trained model, from --evaluation, else from a snapshot among the manifests",
            "line_id attribute box",
            line_id=_LINE_ID,
            attribute_id=_ATTRIBUTE_ID._replace(nullable=True),
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE,
            box=_null(
                _COUNT,
                "Position in `annotations`, or among the rows of the image in a table of the user, from 0; null for an "
                "image-level prediction.",
            ),
            split=_SPLIT,
            source_ref=_SOURCE_REF,
            label=_LABEL,
            confidence=_CONFIDENCE,
            **{name: column._replace(default=None) for name, column in _BOX_COLUMNS.items()},
        ),
        _table("images", "one distinct image of a data set", "data_set source_ref", **_IMAGE_COLUMNS),
        _table(
            "evaluated_images",
            "one image on which the model of --evaluation was evaluated",
            "line_id",
            line_id=_LINE_ID,
            manifest=_MANIFEST,
            line=_LINE,
            split=_SPLIT,
            source_ref=_SOURCE_REF,
        ),
        _run_table(
            "evaluated_labels",
            "one label of the model of --evaluation, with the service's metrics",
            "label",
            label=Column(_TEXT, _LABEL.description, "cat"),
            threshold=_null(
                _NUMBER, "Assumed threshold of the confidence, 0 to 1, by the summary, else by the snapshot."
            ),
            images=_null(_BIG, "Number of test images, by the summary."),
            precision=_null(_NUMBER, "Precision by the summary, 0 to 1."),
            recall=_null(_NUMBER, "Recall by the summary, 0 to 1."),
            f1=_null(_NUMBER, "F1 by the summary, 0 to 1."),
            summary=_null(_TEXT, "The summary that names the label; null where none does."),
        ),
        _run_table(
            "summary_figures",
            "one figure of a summary of --evaluation that is not about a single label",
            "summary figure label other_label",
            summary=Column(_TEXT, "Path of the summary, as given.", "summary.json"),
            figure=Column(
                _TEXT,
                "precision, recall or f1 of all labels, or confusion: the share of the objects of `label` that the "
                "model takes for `other_label`.",
                "precision",
            ),
            label=_null(_TEXT, "Name of the label; null for all labels."),
            other_label=_null(_TEXT, "Name of the predicted label; null for all labels."),
            value=Column(_NUMBER, "The figure, 0 to 1.", 1.0),
        ),
        _table(
            "reference_images",
            "one distinct image of the reference part of a data set, in a manifest or in a folder",
            "data_set source_ref",
            **_IMAGE_COLUMNS,
        ),
        _table(
            "crops",
            "the image content of one box whose image was found",
            "box_id",
            box_id=_BOX_ID,
            manifest=_MANIFEST,
            line=_LINE,
            attribute=_ATTRIBUTE,
            box=_BOX,
            source_ref=_SOURCE_REF,
        ),
        *(
            _run_table(
                name,
                row,
                "source_ref attribute box",
                source_ref=_IMAGE_REF,
                attribute=_ATTRIBUTE,
                box=_null(_COUNT, "Position in `annotations`, from 0; null for an image-level label."),
                numbers=Column(pl.List(pl.Float32()), numbers),
            )
            for name, row, numbers in (
                ("embeddings", "the user's embedding of one labeled image or one box", "The embedding."),
                ("pred_probs", "the user's predicted probabilities for one label or box", "Probability of each label."),
            )
        ),
        _run_table(
            "pred_prob_labels",
            "one label for which `pred_probs` has probabilities",
            "place",
            place=Column(_COUNT, "Position of the label's number in each row, from 0.", 0),
            label=Column(_TEXT, _LABEL.description, "cat"),
        ),
        _run_table(
            "limits",
            "the target, and the limits of the service that depend on the account: always one row",
            "",
            target=Column(_TEXT, "The target: rekognition or ground-truth.", "rekognition"),
            region=_null(_TEXT, "Region of the service; null where it is not configured."),
            max_images=_null(_BIG, "Raised quota of images in a manifest; null for the documented default."),
        ),
        _run_table(
            "suppressions",
            "one [[suppress]] entry of the configuration, once everything else is judged",
            "manifest entry",
            manifest=Column(_TEXT, "Path of the configuration.", "groundlint.toml"),
            entry=Column(_COUNT, "Number of the entry, from 1.", 1),
            rule=Column(_TEXT, "The rule that it names, as written.", "BOX301"),
            reason=Column(_TEXT, "Why the findings are suppressed.", "checked by hand"),
            expires=_null(pl.Date(), "Last day on which it applies; null for no end."),
            expired=Column(_FLAG, "Whether that day is past.", False),
            findings=Column(_COUNT, "Number of findings that it suppresses.", 1),
            judged=Column(_FLAG, "Whether its rule and one of its manifests were judged.", True),
        ),
    )
}
"""The base tables, by name."""
