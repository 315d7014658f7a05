"""One label attribute: what kind it is, what it says, and the first check of the service that it fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from groundlint.manifest.explain import Explainer, escape
from groundlint.manifest.kinds import Kind

MAX_LABEL_NAME = 256
"""Characters in the name of a label."""

DATE = (
    "^(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
    "(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?$(?!\\n)"
)
"""A day of the calendar as ISO 8601 writes it, with or without a time.

Python's `$` matches before a line feed at the end too; its `\\Z` is none of a JSON Schema's patterns.
"""

_DOCUMENTED_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")

_KINDS = {
    "groundtruth/image-classification": "classification",
    "groundtruth/object-detection": "detection",
    "groundtruth/image-classification-multilabel": "multilabel",
    "groundtruth/semantic-segmentation": "segmentation",
    "groundtruth/label-verification": "verification",
}
_TYPES_OF_REFERENCES = tuple(f"groundtruth/{task}" for task in ("semantic-segmentation", "video", "point", "3d"))
_HEX_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


class ImageSize(Struct):
    """The one entry of `image_size`: pixels and channels."""

    width: Annotated[int, Meta(ge=0, le=2147483647)]
    height: Annotated[int, Meta(ge=0, le=2147483647)]
    depth: Annotated[int, Meta(ge=0, le=2147483647)]


Pixels = Annotated[float, Meta(ge=-1e9, le=1e9)]


class Annotation(Struct):
    """One entry of `annotations`: pixels from the top left corner of the image."""

    class_id: int
    left: Pixels
    top: Pixels
    width: Pixels
    height: Pixels


class Detection(Struct):
    """Value of a bounding box attribute."""

    image_size: Annotated[list[ImageSize], Meta(min_length=1, max_length=1)]
    annotations: list[Annotation]


class DetectionMetadata(Struct):
    """Metadata of a bounding box attribute. What `objects` holds is a check of its own."""

    class_map: dict[str, Annotated[str, Meta(min_length=1)]] = msgspec.field(name="class-map")
    type: str
    human: Literal["yes", "no"] = msgspec.field(name="human-annotated")
    created: Annotated[str, Meta(pattern=DATE)] = msgspec.field(name="creation-date")
    objects: list[Any] = msgspec.field(default_factory=list)


Classification = int | Annotated[str, Meta(pattern=r"^[0-9]+$(?!\n)")]


class ClassificationMetadata(Struct):
    """Metadata of an image classification attribute."""

    class_name: Annotated[str, Meta(min_length=1)] = msgspec.field(name="class-name")
    confidence: Annotated[float, Meta(ge=-1e9, le=1e9)]
    type: str
    human: Literal["yes", "no"] = msgspec.field(name="human-annotated")
    created: Annotated[str, Meta(pattern=DATE)] = msgspec.field(name="creation-date")


_FORMS: dict[str, tuple[Any, type[Struct]]] = {
    "detection": (Detection, DetectionMetadata),
    "classification": (Classification, ClassificationMetadata),
}


class Fault(NamedTuple):
    """One fault of an attribute: its kind, a sentence, where in the line, in which box, and of which label."""

    kind: Kind
    detail: str
    pointer: str | None = None
    box: int | None = None
    label: str | None = None


class Box(NamedTuple):
    """One entry of `annotations`, read leniently: what is no number or no name is None."""

    label: str | None
    left: float | None
    top: float | None
    width: float | None
    height: float | None
    confidence: float | None


@dataclass(slots=True)
class Attribute:
    """What one label attribute of a line says. `fault` is the first check of the service that it fails."""

    name: str
    kind: str
    type: str | None
    human: bool | None = None
    job: str | None = None
    created: str | None = None
    adjustment: str | None = None
    class_name: str | None = None
    is_prediction: bool = False
    image_width: int | None = None
    image_height: int | None = None
    boxes: list[Box] = field(default_factory=list)
    labels: list[tuple[str, float | None]] = field(default_factory=list)
    classes: list[tuple[str, str, bool]] = field(default_factory=list)
    fault: Fault | None = None
    notes: list[Fault] = field(default_factory=list)

    @property
    def is_empty_detection(self) -> bool:
        """Whether it is a sound list of no boxes, which the service ignores with a warning."""
        return self.kind == "detection" and self.fault is None and not self.boxes


def read_attribute(name: str, value: Any, metadata: Any, explainer: Explainer) -> Attribute:
    """Read one label attribute leniently and check it in the service's order."""
    fields = metadata if isinstance(metadata, dict) else {}
    attribute = Attribute(
        name=name,
        kind=_kind(value, fields),
        type=_text(fields.get("type")),
        human={"yes": True, "no": False}.get(_text(fields.get("human-annotated")) or ""),
        job=_text(fields.get("job-name")),
        created=_text(fields.get("creation-date")),
        adjustment=_text(fields.get("adjustment-status")),
        class_name=_text(fields.get("class-name")),
        is_prediction=name.startswith("rekognition-custom-labels-evaluation")
        or "rekognition-custom-labels-evaluation-details" in fields,
    )
    if attribute.kind == "detection":
        _read_detection(attribute, value, fields)
    elif attribute.kind == "classification" and attribute.class_name:
        attribute.labels = [(attribute.class_name, _number(fields.get("confidence")))]
    elif attribute.kind == "multilabel":
        _read_multilabel(attribute, value, fields)
    elif attribute.kind == "segmentation":
        _read_segmentation(attribute, fields)
    attribute.fault = next(_faults(attribute, value, metadata, explainer), None)
    attribute.notes += _notes(attribute, value, fields)
    return attribute


def _kind(value: Any, metadata: dict[str, Any]) -> str:
    """The kind by `type`, else by the shape of the value."""
    written = metadata.get("type")
    if written == "groundtruth/image-classification-multilabel" and "class-name" in metadata:
        # The service's own conversion script leaves this type on labels that it has split.
        return "multilabel" if "class-map" in metadata else "classification"
    if isinstance(written, str):
        return _KINDS.get(written, "other")
    if isinstance(value, dict):
        return "detection" if "annotations" in value or "image_size" in value else "other"
    return "multilabel" if isinstance(value, list) and "class-map" in metadata else "classification"


def _faults(attribute: Attribute, value: Any, metadata: Any, explainer: Explainer) -> Iterator[Fault]:
    """The checks that lose an attribute, in the service's order; the first one that fails counts."""
    name = attribute.name
    if attribute.kind not in _FORMS and attribute.type is not None:
        yield Fault(Kind.UNSUPPORTED_LABEL_TYPE, _unsupported(attribute), f"/{escape(name)}-metadata/type")
    if attribute.kind not in _FORMS:
        yield Fault(
            Kind.INVALID_LABEL_ATTRIBUTE,
            f"`{name}` is neither the index of a class nor an object with image_size and annotations, and "
            f"`{name}-metadata` names no type; write the label as the manifest format says",
            f"/{escape(name)}",
        )
        return
    of_value, of_metadata = _FORMS[attribute.kind]
    for kind, key, part, form, schema in (
        (Kind.INVALID_LABEL_ATTRIBUTE, name, value, of_value, attribute.kind),
        (Kind.INVALID_LABEL_METADATA, f"{name}-metadata", metadata, of_metadata, f"{attribute.kind}-metadata"),
    ):
        try:
            msgspec.convert(part, form)
        except msgspec.ValidationError as refusal:
            pointer, detail = explainer.explain(schema, key, part, str(refusal))
            yield Fault(kind, detail, pointer)
            return
    if attribute.kind == "detection":
        yield from _box_faults(name, value["annotations"], metadata)
    for label in [*(metadata.get("class-map") or {}).values()] if attribute.kind == "detection" else attribute.labels:
        text = label if isinstance(label, str) else label[0]
        if len(text) > MAX_LABEL_NAME:
            yield Fault(
                Kind.LABEL_NAME_TOO_LONG,
                f"the name of a label has {len(text)} characters; {MAX_LABEL_NAME} are allowed: {text[:40]}…",
                f"/{escape(name)}-metadata",
                label=text,
            )


def _box_faults(name: str, annotations: list[Any], metadata: dict[str, Any]) -> Iterator[Fault]:
    objects = metadata.get("objects")
    pointer = f"/{escape(name)}-metadata/objects"
    mend = 'write {"confidence": 1} for each box, in the order of the boxes'
    if objects is None:
        yield Fault(Kind.MISSING_BOX_CONFIDENCE, f"`{name}-metadata` has no `objects`; {mend}", pointer)
        return
    if len(objects) != len(annotations):
        detail = f"`{name}` has {len(annotations)} boxes, `objects` of its metadata {len(objects)} entries; {mend}"
        yield Fault(Kind.MISSING_BOX_CONFIDENCE, detail, pointer)
    for position, entry in enumerate(objects):
        if _number(entry.get("confidence") if isinstance(entry, dict) else None) is None:
            detail = f"`{name}-metadata.objects[{position}]` has no number as `confidence`; {mend}"
            yield Fault(Kind.MISSING_BOX_CONFIDENCE, detail, f"{pointer}/{position}")
    for position, box in enumerate(annotations):
        if str(box["class_id"]) not in metadata["class-map"]:
            yield Fault(
                Kind.MISSING_CLASS_ID,
                f"box {position} has class_id {box['class_id']}, which `{name}-metadata.class-map` does not name; "
                f"add it there",
                f"/{escape(name)}/annotations/{position}/class_id",
            )


def _unsupported(attribute: Attribute) -> str:
    mend = {
        "multilabel": "write one image-classification attribute for each label",
        "segmentation": "Custom Labels has no masks: draw boxes",
        "verification": "it judges other labels: filter by it, then remove it",
    }.get(attribute.kind, "it trains on groundtruth/image-classification and groundtruth/object-detection only")
    type_ = attribute.type if attribute.type and attribute.type.strip() else json.dumps(attribute.type)
    return f"`{attribute.name}` has the type {type_}, which Custom Labels does not train on; {mend}"


def _notes(attribute: Attribute, value: Any, metadata: dict[str, Any]) -> Iterator[Fault]:
    """What is worth a word but loses nothing by itself."""
    name = attribute.name
    if attribute.is_empty_detection and attribute.human:
        detail = f"`{name}` has no boxes; the service ignores it and does not take the image as an empty example"
        yield Fault(Kind.ATTRIBUTE_WITHOUT_BOXES, detail, f"/{escape(name)}/annotations")
    if attribute.kind == "classification":
        if attribute.type == "groundtruth/image-classification-multilabel":
            detail = (
                f"`{name}` has one class-name but the type of several labels; write groundtruth/image-classification"
            )
            yield Fault(Kind.MULTILABEL_WITH_CLASS_NAME, detail, f"/{escape(name)}-metadata/type")
        if isinstance(value, str) and attribute.fault is None:
            detail = f'`{name}` is the string "{value}"; write the index as a number, without quotes'
            yield Fault(Kind.TEXT_CLASS_INDEX, detail, f"/{escape(name)}")
    if attribute.fault is None and attribute.created and not _DOCUMENTED_DATE.match(attribute.created):
        detail = f"creation-date {attribute.created} is not in the documented form; write 2024-05-02T10:11:12"
        yield Fault(Kind.ODD_CREATION_DATE, detail, f"/{escape(name)}-metadata/creation-date")
    if attribute.kind == "segmentation":
        yield from _colour_faults(name, metadata)
    yield from _name_faults(attribute)


def _colour_faults(name: str, metadata: dict[str, Any]) -> Iterator[Fault]:
    colours = metadata.get("internal-color-map")
    for key, entry in colours.items() if isinstance(colours, dict) else ():
        colour = entry.get("hex-color") if isinstance(entry, dict) else None
        if not (isinstance(colour, str) and _HEX_COLOUR.fullmatch(colour)):
            detail = (
                f"class {key} of the mask `{name}` has no hex-color of the form #2ca02c; the mask cannot be adjusted"
            )
            yield Fault(Kind.MASK_WITHOUT_COLOURS, detail, f"/{escape(name)}-metadata/internal-color-map/{escape(key)}")
            return


def _name_faults(attribute: Attribute) -> Iterator[Fault]:
    """Ground Truth's rules on the names of label attributes, by the type of the job."""
    name, type_ = attribute.name, attribute.type or ""
    if name.endswith("-metadata"):
        yield Fault(Kind.ODD_ATTRIBUTE_NAME, f"the name `{name}` must not end in -metadata; rename the attribute")
    # The guide writes groundTruth/custom, jobs write lower case.
    task = type_.casefold()
    if not task.startswith("groundtruth/"):
        return
    holds_reference = task.startswith(_TYPES_OF_REFERENCES)
    if name.endswith("-ref") and not holds_reference:
        yield Fault(
            Kind.ODD_ATTRIBUTE_NAME, f"the name `{name}` must not end in -ref for {type_}; rename the attribute"
        )
    if holds_reference and not name.endswith("-ref") and "detection" not in task:
        yield Fault(Kind.ODD_ATTRIBUTE_NAME, f"the name `{name}` must end in -ref for {type_}; rename the attribute")


def _read_detection(attribute: Attribute, value: Any, metadata: dict[str, Any]) -> None:
    value = value if isinstance(value, dict) else {}
    size = value.get("image_size")
    # One page of the service's guide shows the bare object.
    size = size[0] if isinstance(size, list) and size else size
    if isinstance(size, dict):
        attribute.image_width, attribute.image_height = _size(size.get("width")), _size(size.get("height"))
    annotations = value.get("annotations")
    names = metadata.get("class-map")
    names = {key: name for key, name in names.items() if isinstance(name, str)} if isinstance(names, dict) else {}
    objects = metadata.get("objects")
    objects = objects if isinstance(objects, list) else []
    used = set()
    for position, annotation in enumerate(annotations if isinstance(annotations, list) else []):
        box = annotation if isinstance(annotation, dict) else {}
        class_id = str(box.get("class_id"))
        used.add(class_id)
        entry = objects[position] if position < len(objects) else None
        left, top, width, height = (_number(box.get(side)) for side in ("left", "top", "width", "height"))
        confidence = _number(entry.get("confidence") if isinstance(entry, dict) else None)
        attribute.boxes.append(Box(names.get(class_id), left, top, width, height, confidence))
    attribute.classes = [(key, name, key in used) for key, name in names.items()]


def _read_multilabel(attribute: Attribute, value: Any, metadata: dict[str, Any]) -> None:
    names = metadata.get("class-map")
    confidences = metadata.get("confidence-map")
    if not isinstance(names, dict):
        return
    chosen = {str(index) for index in value} if isinstance(value, list) else set()
    for key, name in names.items():
        if isinstance(name, str):
            attribute.classes.append((key, name, key in chosen))
            if key in chosen:
                confidence = confidences.get(key) if isinstance(confidences, dict) else None
                attribute.labels.append((name, _number(confidence)))


def _read_segmentation(attribute: Attribute, metadata: dict[str, Any]) -> None:
    colours = metadata.get("internal-color-map")
    for key, entry in colours.items() if isinstance(colours, dict) else ():
        name = entry.get("class-name") if isinstance(entry, dict) else None
        if isinstance(name, str):
            # What the mask shows is in the mask, which is not read.
            attribute.classes.append((key, name, True))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and -1e9 <= value <= 1e9
    return float(value) if is_number else None  # type: ignore[arg-type]


def _size(value: object) -> int | None:
    is_size = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2147483647
    return value if is_size else None  # type: ignore[return-value]
