"""The faults that a line can have, after the service's list of errors. Each entry makes a sound line faulty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from shapes import BUCKET, Draw, Object, Writing, classification, detection, source_ref

NAME = "boxes"
METADATA = "boxes-metadata"

OURS = "ours"  # the service has no code for it: a finding without a service code
GROUND_TRUTH = "ground-truth"  # a rule on the input of labeling jobs: a finding under that target only


class Fault(NamedTuple):
    """One fault of a line.

    `code` is the service's code, or OURS or GROUND_TRUTH. `change` changes the line or returns another one, and
    `recode` turns its text into bytes.
    """

    code: str
    name: str
    change: Callable[[Draw, Object], Object | None]
    recode: Callable[[str], bytes] = str.encode

    def write(self, draw: Draw, number: int, writing: Writing) -> bytes:
        """Return the faulty line for the image with a number, without a line end."""
        line = source_ref(number) | detection(draw, NAME)
        return self.recode(writing.text(self.change(draw, line) or line))


def unchanged(draw: Draw, line: Object) -> None:
    """Leave the line as it is; only its bytes are changed."""


def without(*path: str | int) -> Callable[[Draw, Object], None]:
    """Remove the key or item at the end of a path."""

    def change(draw: Draw, line: Object) -> None:
        inner: Any = line
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]

    return change


def with_value(value: Any, *path: str | int) -> Callable[[Draw, Object], None]:
    """Set the key or item at the end of a path."""

    def change(draw: Draw, line: Object) -> None:
        inner: Any = line
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return change


def renamed(old: str, new: str) -> Callable[[Draw, Object], Object]:
    """Rename a key of the line."""
    return lambda draw, line: {new if key == old else key: value for key, value in line.items()}


def of_type(kind: str, name: str, value: Any, **metadata: Any) -> Callable[[Draw, Object], Object]:
    """Replace the boxes by a label attribute of another type."""

    def change(draw: Draw, line: Object) -> Object:
        common = {"type": kind, "human-annotated": "yes", "creation-date": draw.date(), "job-name": f"job/{name}"}
        hyphened = {key.replace("_", "-"): item for key, item in metadata.items()}
        return {"source-ref": line["source-ref"], name: value, f"{name}-metadata": hyphened | common}

    return change


def beside(change: Callable[[Draw, Object], Object]) -> Callable[[Draw, Object], Object]:
    """Keep the boxes of the line beside the attribute that a change adds."""
    return lambda draw, line: line | change(draw, line)


def sized(width: int, height: int, box_width: int = 40) -> Callable[[Draw, Object], None]:
    """Give the image a size, and one box inside it."""

    def change(draw: Draw, line: Object) -> None:
        line[NAME]["image_size"] = [{"width": width, "height": height, "depth": 3}]
        line[NAME]["annotations"] = [{"class_id": 0, "left": 4, "top": 4, "width": box_width, "height": 40}]
        line[METADATA] |= {"objects": [{"confidence": 0.5}], "class-map": {"0": "car"}}

    return change


def many_boxes(draw: Draw, line: Object) -> Object:
    return source_ref_of(line) | detection(draw, NAME, count=51)


def one_box_of_two(box: str, number: int) -> Callable[[Draw, Object], Object]:
    """Give the line two boxes, and the second an invalid number: the line stays usable."""

    def change(draw: Draw, line: Object) -> Object:
        line = source_ref_of(line) | detection(draw, NAME, count=2)
        line[NAME]["annotations"][1][box] = number
        return line

    return change


def all_boxes_outside(draw: Draw, line: Object) -> None:
    for box in line[NAME]["annotations"]:
        box["left"] = -box["width"]


def no_boxes(draw: Draw, line: Object) -> None:
    line[NAME]["annotations"] = []
    line[METADATA] |= {"objects": [], "class-map": {}}


def no_boxes_beside_boxes(draw: Draw, line: Object) -> Object:
    empty = detection(draw, "empty", count=1)
    empty["empty"]["annotations"] = []
    empty["empty-metadata"] |= {"objects": [], "class-map": {}}
    return line | empty


def one_confidence_short(draw: Draw, line: Object) -> None:
    line[METADATA]["objects"].pop()


def failed_job(draw: Draw, line: Object) -> Object:
    metadata = {"failure-reason": "ClientError: the image could not be read", "human-annotated": "yes"}
    return source_ref_of(line) | {METADATA: metadata | {"creation-date": draw.date(), "job-name": "labeling-job/boxes"}}


def long_label(draw: Draw, line: Object) -> None:
    line[METADATA]["class-map"] = dict.fromkeys(line[METADATA]["class-map"], "n" * 257)


def no_label(draw: Draw, line: Object) -> None:
    line[METADATA]["class-map"] = dict.fromkeys(line[METADATA]["class-map"], "")


def both_broken(draw: Draw, line: Object) -> Object:
    second = detection(draw, "second")
    del second["second"]["image_size"]
    del line[METADATA]["type"]
    return line | second


def bad_image_label(key: str) -> Callable[[Draw, Object], Object]:
    """An image-level label as the only attribute, without one key of its metadata."""

    def change(draw: Draw, line: Object) -> Object:
        line = source_ref_of(line) | classification(draw, "scene")
        del line["scene-metadata"][key]
        return line

    return change


def image_label_as_text(draw: Draw, line: Object) -> Object:
    return source_ref_of(line) | classification(draw, "scene") | {"scene": {"name": "day"}}


def repeated(draw: Draw, line: Object) -> Object:
    """Name the image of the first line, which is never faulty, again."""
    return line | source_ref(0)


def source_ref_of(line: Object) -> Object:
    return {"source-ref": line["source-ref"]}


def _replacing(old: bytes, new: bytes) -> Callable[[str], bytes]:
    return lambda text: text.encode().replace(old, new)


_JSON = "ERROR_INVALID_JSON_LINE"
_NO_REF = "ERROR_MISSING_SOURCE_REF"
_REF = "ERROR_INVALID_SOURCE_REF_FORMAT"
_NO_ATTRIBUTES = "ERROR_NO_LABEL_ATTRIBUTES"
_FORMAT = "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"
_METADATA = "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"
_CONFIDENCE = "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"
_CLASS_ID = "ERROR_MISSING_CLASS_MAP_ID"
_TYPE = "ERROR_UNSUPPORTED_USE_CASE_TYPE"

_MASK = "s3://example-bucket/masks/1.png"
_COLOR_MAP = {"0": {"class-name": "road", "hex-color": "#2ca02c", "confidence": 0.9}}

FAULTS = (
    # The line is not a JSON object.
    Fault(_JSON, "cut short", unchanged, lambda text: text.encode()[: len(text) // 2]),
    Fault(_JSON, "trailing comma", unchanged, lambda text: text.encode()[:-1] + b",}"),
    Fault(_JSON, "single quotes", unchanged, _replacing(b'"', b"'")),
    Fault(_JSON, "semicolons instead of commas", unchanged, _replacing(b",", b";")),
    Fault(_JSON, "NaN", with_value(float("nan"), NAME, "annotations", 0, "left")),
    Fault(_JSON, "blank line", unchanged, lambda text: b""),
    Fault(_JSON, "a list", unchanged, lambda text: b"[" + text.encode() + b"]"),
    Fault(_JSON, "two objects", unchanged, lambda text: text.encode() * 2),
    Fault(_JSON, "raw control character", unchanged, _replacing(b"example-bucket", b"example\x01bucket")),
    Fault(_JSON, "not UTF-8", unchanged, _replacing(b"example-bucket", b"example-b\xfccket")),
    Fault(_JSON, "lone surrogate", unchanged, _replacing(b"example-bucket", b"example-bucket\\ud800")),
    # The source-ref is missing or invalid.
    Fault(_NO_REF, "no source-ref", without("source-ref")),
    Fault(_NO_REF, "source_ref", renamed("source-ref", "source_ref")),
    Fault(_NO_REF, "Source-Ref", renamed("source-ref", "Source-Ref")),
    Fault(_NO_REF, "source", renamed("source-ref", "source")),
    Fault(_REF, "https", with_value("https://example-bucket.s3.amazonaws.com/1.jpg", "source-ref")),
    Fault(_REF, "no key", with_value(BUCKET, "source-ref")),
    Fault(_REF, "a local path", with_value("/data/1.jpg", "source-ref")),
    Fault(_REF, "a number", with_value(1, "source-ref")),
    Fault(_REF, "empty", with_value("", "source-ref")),
    Fault(OURS, "repeated source-ref", repeated),
    # No label attribute has metadata.
    Fault(_NO_ATTRIBUTES, "no metadata", without(METADATA)),
    Fault(_NO_ATTRIBUTES, "only metadata", without(NAME)),
    Fault(_NO_ATTRIBUTES, "metadata under another name", renamed(METADATA, "box-metadata")),
    Fault(_NO_ATTRIBUTES, "failed job", failed_job),
    # The value of the attribute.
    Fault(_FORMAT, "no image_size", without(NAME, "image_size")),
    Fault(_FORMAT, "no depth", without(NAME, "image_size", 0, "depth")),
    Fault(_FORMAT, "bare image_size", with_value({"width": 4000, "height": 3000, "depth": 3}, NAME, "image_size")),
    Fault(_FORMAT, "no annotations", without(NAME, "annotations")),
    Fault(_FORMAT, "no class_id", without(NAME, "annotations", 0, "class_id")),
    Fault(_FORMAT, "no width", without(NAME, "annotations", 0, "width")),
    Fault(_FORMAT, "text instead of a number", with_value("12", NAME, "annotations", 0, "left")),
    Fault(_FORMAT, "object instead of an image label", image_label_as_text),
    # The metadata of the attribute.
    Fault(_METADATA, "no creation-date", without(METADATA, "creation-date")),
    Fault(_METADATA, "no human-annotated", without(METADATA, "human-annotated")),
    Fault(_METADATA, "no type", without(METADATA, "type")),
    Fault(_METADATA, "no class-map", without(METADATA, "class-map")),
    Fault(_METADATA, "true instead of yes", with_value(True, METADATA, "human-annotated")),
    Fault(_METADATA, "creation-date is not a date", with_value("yesterday", METADATA, "creation-date")),
    Fault(_METADATA, "text instead of metadata", with_value("boxes", METADATA)),
    Fault(_METADATA, "empty label name", no_label),
    Fault(_METADATA, "image label without class-name", bad_image_label("class-name")),
    Fault(_METADATA, "image label without confidence", bad_image_label("confidence")),
    Fault(_CONFIDENCE, "one confidence too few", one_confidence_short),
    Fault(_CONFIDENCE, "object without confidence", with_value({}, METADATA, "objects", 0)),
    Fault(_CONFIDENCE, "no objects", without(METADATA, "objects")),
    Fault(_CLASS_ID, "empty class-map", with_value({}, METADATA, "class-map")),
    Fault(_CLASS_ID, "id not in class-map", with_value(99, NAME, "annotations", 0, "class_id")),
    Fault("ERROR_INVALID_LABEL_NAME_LENGTH", "label of 257 characters", long_label),
    # Label attributes that Custom Labels does not train on.
    Fault("ERROR_NO_VALID_LABEL_ATTRIBUTES", "two broken attributes", both_broken),
    Fault(
        _TYPE, "mask", of_type("groundtruth/semantic-segmentation", "mask-ref", _MASK, internal_color_map=_COLOR_MAP)
    ),
    Fault(
        _TYPE,
        "mask without colors",
        of_type(
            "groundtruth/semantic-segmentation",
            "mask-ref",
            _MASK,
            internal_color_map={"0": {"class-name": "road", "confidence": 0.9}},
        ),
    ),
    Fault(
        _TYPE,
        "several labels",
        of_type(
            "groundtruth/image-classification-multilabel",
            "tags",
            [0, 3],
            class_map={"0": "night", "3": "wet"},
            confidence_map={"0": 0.3, "3": 0.9},
        ),
    ),
    Fault(
        OURS,
        "one label with the type for several labels",
        of_type("groundtruth/image-classification-multilabel", "tags0", 0, class_name="night", confidence=0.3),
    ),
    Fault(_TYPE, "custom", of_type("groundtruth/custom", "cells", {"annotationsFromAllWorkers": []})),
    Fault(
        _TYPE,
        "verification beside boxes",
        beside(of_type("groundtruth/label-verification", "check", "1", class_name="bad", confidence=0.9)),
    ),
    Fault(
        _TYPE,
        "video",
        of_type("groundtruth/video-object-detection", "track-ref", "s3://example-bucket/SeqLabel.json", class_map={}),
    ),
    # The size of the image and the numbers of boxes.
    Fault("ERROR_INVALID_IMAGE", "longer than 20:1", sized(2100, 100)),
    Fault("ERROR_INVALID_IMAGE_DIMENSION", "63 px high", sized(640, 63)),
    Fault("ERROR_INVALID_IMAGE_DIMENSION", "4097 px wide", sized(4097, 3000)),
    Fault("ERROR_INVALID_BOUNDING_BOX", "negative left", one_box_of_two("left", -1)),
    Fault("ERROR_INVALID_BOUNDING_BOX", "beyond the right edge", one_box_of_two("width", 4001)),
    Fault("ERROR_INVALID_BOUNDING_BOX", "beyond the lower edge", one_box_of_two("top", 3000)),
    Fault("ERROR_BOUNDING_BOX_TOO_SMALL", "1 px wide", one_box_of_two("width", 1)),
    Fault("ERROR_BOUNDING_BOX_TOO_SMALL", "less than 1 px after scaling", sized(4000, 3000, box_width=3)),
    Fault("ERROR_TOO_MANY_BOUNDING_BOXES", "51 boxes", many_boxes),
    Fault("ERROR_NO_VALID_ANNOTATIONS", "all boxes outside", all_boxes_outside),
    # Lines that the service ignores.
    Fault("WARNING_UNANNOTATED_RECORD", "only source-ref", lambda draw, line: source_ref_of(line)),
    Fault("WARNING_NO_ANNOTATIONS", "no boxes", no_boxes),
    Fault("WARNING_NO_ATTRIBUTE_ANNOTATIONS", "no boxes beside boxes", no_boxes_beside_boxes),
    # Removed without an error, or against the rules for the input of labeling jobs.
    Fault(OURS, "over 100,000 characters", with_value("x" * 100_000, "note")),
    Fault(GROUND_TRUTH, "key over 20,000 characters", with_value("x" * 20_001, "note")),
    Fault(GROUND_TRUTH, "key that starts with $", with_value("7", "$sequencer")),
    Fault(
        GROUND_TRUTH,
        "boxes under a name that ends in -ref",
        lambda draw, line: source_ref_of(line) | {"boxes-ref": line[NAME], "boxes-ref-metadata": line[METADATA]},
    ),
)
