"""The shape of the valid lines of a manifest, learned line by line, and the typed decoder for lines of that shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from groundlint.manifest.label_formats import (
    MAX_LABEL_NAME,
    ClassificationMetadata,
    ImageSize,
    Metadata,
)
from groundlint.manifest.lines import MAX_ATTRIBUTE_CHARACTERS, ValidLine, is_plain_extra

MAX_NAMES = 64
"""Attributes and extra keys that a shape may have; lines with further names are read one by one."""

MAX_BATCHED_BYTES = MAX_ATTRIBUTE_CHARACTERS
"""Longer lines are read one by one, which checks the length of their values."""

ESCAPED_QUOTE = b'\\"'
"""Lines with this are read one by one: the number of their quotes is not that of their keys and strings."""

_NOT_LEARNED = re.compile(r'["\\\x00-\x1f]|^cl\Z')
"""Attributes and extra keys whose lines are read one by one.

The decoder has no fields of such characters, and `cl-metadata`, which the console writes, is a field of its own.
"""

_Name = Annotated[str, Meta(min_length=1, max_length=MAX_LABEL_NAME)]
_Scalar = str | int | float | bool | None
# Larger ones are read one by one.
_Index = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class _DetectionMetadata(Metadata, forbid_unknown_fields=True, gc=False, kw_only=True):
    type: Literal["groundtruth/object-detection"]
    # The dates of a batch are checked at once.
    created: str = msgspec.field(name="creation-date")
    class_map: dict[str, _Name] = msgspec.field(name="class-map")
    objects: Raw
    job: str | None = msgspec.field(name="job-name", default=None)
    adjustment: str | None = msgspec.field(name="adjustment-status", default=None)


class _ClassificationMetadata(ClassificationMetadata, forbid_unknown_fields=True, gc=False, kw_only=True):
    type: Literal["groundtruth/image-classification"]
    created: str = msgspec.field(name="creation-date")
    class_name: _Name = msgspec.field(name="class-name")
    job: str | None = msgspec.field(name="job-name", default=None)
    adjustment: str | None = msgspec.field(name="adjustment-status", default=None)


class _ImageSize(ImageSize, forbid_unknown_fields=True, gc=False):
    pass


class _Detection(Struct, forbid_unknown_fields=True, gc=False):
    image_size: Annotated[list[_ImageSize], Meta(min_length=1, max_length=1)]
    annotations: Raw


class _Console(Struct, forbid_unknown_fields=True, gc=False):
    is_labeled: bool


_FORMATS: Mapping[str, tuple[Any, type[Metadata]]] = {
    "detection": (_Detection, _DetectionMetadata),
    "classification": (_Index, _ClassificationMetadata),
}


class Shape(NamedTuple):
    """The label attributes, with their kind, and the extra keys of the valid lines seen so far."""

    attributes: Mapping[str, str] = {}
    extras: tuple[str, ...] = ()

    def learn(self, valid: ValidLine) -> Shape:
        """The shape that includes lines like this one; the same shape if it already does or must not."""
        attributes = dict(self.attributes)
        for attribute in valid.attributes:
            if attribute.kind not in _FORMATS or attribute.is_prediction:
                return self
            attributes.setdefault(attribute.name, attribute.kind)
        known = {"source-ref", "cl-metadata", *attributes, *(f"{name}-metadata" for name in attributes)}
        extras = [key for key in valid.value if key not in known]
        if not all(is_plain_extra(key, valid.value[key]) for key in extras):
            return self
        # An extra key of other lines may be part of a label here.
        names = tuple(key for key in dict.fromkeys([*self.extras, *extras]) if key not in known)
        if len(attributes) + len(names) > MAX_NAMES or any(map(_NOT_LEARNED.search, (*attributes, *names))):
            return self
        return Shape(attributes, names)

    def decoder(self) -> msgspec.json.Decoder[Any]:
        """A decoder for lines of these names: attribute i becomes v<i> and m<i>, extra key i becomes e<i>."""
        fields: list[tuple[str, Any, Any]] = []
        rename = {"source_ref": "source-ref", "console": "cl-metadata"}
        for i, (name, kind) in enumerate(self.attributes.items()):
            of_value, of_metadata = _FORMATS[kind]
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
    """Lines that the decoder of a shape accepted: their numbers, the structs, and the number of quotes of each."""

    shape: Shape
    numbers: list[int]
    rows: list[Any]
    quotes: list[int]
