"""What the sound lines of a manifest look like, learnt line by line, and the typed decoder for lines of that look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from groundlint.manifest.attributes import MAX_LABEL_NAME
from groundlint.manifest.lines import MAX_ATTRIBUTE_CHARACTERS, SoundLine, is_plain_extra

MAX_NAMES = 64
"""Attributes and extra keys that a shape may have; lines with further names take the slow path."""

MAX_BYTES = MAX_ATTRIBUTE_CHARACTERS
"""Longer lines take the slow path, which looks at the length of their values."""

ESCAPED_QUOTE = b'\\"'
"""Lines with this take the slow path: their quotes do not tell their keys and strings."""

_NOT_LEARNT = re.compile(r'["\\\x00-\x1f]|^cl\Z')
"""Attributes and extra keys whose lines take the slow path.

The decoder has no fields of such characters, and `cl-metadata`, which the console writes, is a field of its own.
"""

_Name = Annotated[str, Meta(min_length=1, max_length=MAX_LABEL_NAME)]
_Scalar = str | int | float | bool | None


class _Metadata(Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    human: Literal["yes", "no"] = msgspec.field(name="human-annotated")
    created: str = msgspec.field(name="creation-date")
    job: str | None = msgspec.field(name="job-name", default=None)
    adjustment: str | None = msgspec.field(name="adjustment-status", default=None)


class _DetectionMetadata(_Metadata, forbid_unknown_fields=True, gc=False, kw_only=True):
    type: Literal["groundtruth/object-detection"]
    objects: Raw
    class_map: dict[str, _Name] = msgspec.field(name="class-map")


class _ClassificationMetadata(_Metadata, forbid_unknown_fields=True, gc=False, kw_only=True):
    type: Literal["groundtruth/image-classification"]
    class_name: _Name = msgspec.field(name="class-name")
    confidence: Annotated[float, Meta(ge=-1e9, le=1e9)]


# Of larger ones the slow path knows which are read as numbers.
_Index = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Size = Annotated[int, Meta(ge=0, le=2147483647)]


class _ImageSize(Struct, forbid_unknown_fields=True, gc=False):
    width: _Size
    height: _Size
    depth: _Size


class _Detection(Struct, forbid_unknown_fields=True, gc=False):
    image_size: Annotated[list[_ImageSize], Meta(min_length=1, max_length=1)]
    annotations: Raw


class _Console(Struct, forbid_unknown_fields=True, gc=False):
    is_labeled: bool


TYPES = {"detection": "groundtruth/object-detection", "classification": "groundtruth/image-classification"}
"""The `type` of each kind of label that the service trains on."""

_FORMS: Mapping[str, tuple[Any, type[Struct]]] = {
    "detection": (_Detection, _DetectionMetadata),
    "classification": (_Index, _ClassificationMetadata),
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
        if len(attributes) + len(names) > MAX_NAMES or any(map(_NOT_LEARNT.search, (*attributes, *names))):
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
