"""The formats of label attributes that Custom Labels trains on: one description for readers, decoders and schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

MAX_LABEL_NAME = 256
"""Characters in the name of a label."""

TYPES = {
    "classification": "groundtruth/image-classification",
    "detection": "groundtruth/object-detection",
    "multilabel": "groundtruth/image-classification-multilabel",
    "segmentation": "groundtruth/semantic-segmentation",
    "verification": "groundtruth/label-verification",
}
"""The `type` of each kind of label attribute."""

KINDS = {type_: kind for kind, type_ in TYPES.items()}
"""The kind of label attribute for each `type`."""

_COMMON_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"

# Python's `$` also matches before a final line feed; JSON Schema's patterns have no `\Z`.
DATE = (
    f"^(?:[0-9]{{4}}-{_COMMON_DAY}|{_LEAP_YEAR}-02-29)"
    f"(?:[T ]{_MINUTE}(?::[0-5][0-9](?:[.,][0-9]+)?)?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?$(?!\\n)"
)
"""Pattern of a calendar date in ISO 8601, with or without a time."""

SIMPLE_DATE = f"^[0-9]{{4}}-{_COMMON_DAY}T{_MINUTE}:[0-5][0-9](?:[.][0-9]+)?Z?$"
"""Pattern of most of these dates in the documented form. It has no lookahead, which polars does not support."""

_Pixels = Meta(ge=-1e9, le=1e9)
_Size = Meta(ge=0, le=2**31 - 1)
_Name = Annotated[str, Meta(min_length=1, description="write the name of the label")]


class ImageSize(Struct, gc=False):
    """The one entry of `image_size`."""

    width: Annotated[int, _Size, Meta(description="write the width of the image in pixels, without quotes")]
    height: Annotated[int, _Size, Meta(description="write the height of the image in pixels, without quotes")]
    depth: Annotated[int, _Size, Meta(description="write the number of channels, 3 for a color image")]


class Annotation(Struct, gc=False):
    """One box, in pixels from the top left corner of the image."""

    class_id: Annotated[int, Meta(description="write the whole number that is a key of class-map")]
    left: Annotated[float, _Pixels, Meta(description="write the left edge in pixels, without quotes")]
    top: Annotated[float, _Pixels, Meta(description="write the top edge in pixels, without quotes")]
    width: Annotated[float, _Pixels, Meta(description="write the width in pixels, without quotes")]
    height: Annotated[float, _Pixels, Meta(description="write the height in pixels, without quotes")]


class Detection(Struct, gc=False):
    """Value of a bounding box attribute of a Ground Truth manifest, as Amazon Rekognition Custom Labels takes it."""

    image_size: Annotated[
        list[Annotated[ImageSize, Meta(description="write an object with the width, height and depth of the image")]],
        Meta(min_length=1, max_length=1, description="write a list of one object with width, height and depth"),
    ]
    annotations: Annotated[
        list[Annotated[Annotation, Meta(description="write an object with class_id, left, top, width and height")]],
        Meta(description="write a list of boxes, an empty one if the image shows no object"),
    ]


class Metadata(Struct, kw_only=True, gc=False):
    """What the metadata of all label attributes has in common."""

    type: str
    human: Annotated[Literal["yes", "no"], Meta(description='write "yes" if a person labeled the image, else "no"')] = (
        msgspec.field(name="human-annotated")
    )
    created: Annotated[str, Meta(pattern=DATE, description="write the time as 2024-05-02T10:11:12")] = msgspec.field(
        name="creation-date"
    )


class DetectionMetadata(Metadata, kw_only=True, gc=False):
    """Value of the -metadata key of a bounding box attribute, as Amazon Rekognition Custom Labels takes it."""

    type: Annotated[str, Meta(description='write "groundtruth/object-detection"')]
    class_map: Annotated[
        dict[str, _Name], Meta(description="write an object from each class_id, as a string, to the name of its label")
    ] = msgspec.field(name="class-map")
    # What it holds is a check of its own, with a service code of its own.
    objects: Annotated[list[Any], Meta(description='write a list with one {"confidence": number} for each box')] = (
        msgspec.field(default_factory=list)
    )


class ClassificationMetadata(Metadata, kw_only=True, gc=False):
    """Value of the -metadata key of an image classification attribute, as Amazon Rekognition Custom Labels takes it."""

    type: Annotated[str, Meta(description='write "groundtruth/image-classification"')]
    class_name: _Name = msgspec.field(name="class-name")
    confidence: Annotated[
        float, Meta(ge=-1e9, le=1e9, description="write a number from 0 to 1; the service requires it but ignores it")
    ]


Classification = Annotated[
    int | Annotated[str, Meta(pattern=r"^[0-9]+$(?!\n)")],
    Meta(description="Value of an image classification attribute, as Amazon Rekognition Custom Labels takes it."),
]
"""Value of an image classification attribute: the index of a class."""

FORMATS: Mapping[str, tuple[Any, type[Metadata]]] = {
    "detection": (Detection, DetectionMetadata),
    "classification": (Classification, ClassificationMetadata),
}
"""Formats of the value and the metadata of each kind of label attribute that Custom Labels trains on."""

_TITLES = {
    "detection": "Bounding box label",
    "detection-metadata": "Metadata of a bounding box label",
    "classification": "Image label",
    "classification-metadata": "Metadata of an image label",
}


def schemas() -> dict[str, dict[str, Any]]:
    """The formats as JSON Schemas, by name, as "detection" or "detection-metadata". Their descriptions are hints."""
    formats = {
        name: format_
        for kind, (of_value, of_metadata) in FORMATS.items()
        for name, format_ in ((kind, of_value), (f"{kind}-metadata", of_metadata))
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: head | _inlined(format_) | {"title": _TITLES[name]} for name, format_ in formats.items()}


def _inlined(format_: Any) -> dict[str, Any]:
    """The JSON Schema of a format without references, so that the hint on a part is next to its type."""
    schema = msgspec.json.schema(format_)
    definitions = schema.pop("$defs", {})

    def inline(part: Any) -> Any:
        if isinstance(part, list):
            return [inline(entry) for entry in part]
        if not isinstance(part, dict):
            return part
        own = {key: inline(value) for key, value in part.items() if key not in ("$ref", "default")}
        if "$ref" not in part:
            return own
        definition = inline(definitions[part["$ref"].rpartition("/")[2]])
        return {key: value for key, value in definition.items() if key != "title"} | own

    inlined: dict[str, Any] = inline(schema)
    return inlined
