"""One label attribute: its kind, its content, and the first check of the service that it fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from groundlint.manifest.explain import Explainer, Fault, escape
from groundlint.manifest.kinds import Kind, Values
from groundlint.manifest.label_formats import FORMATS, KINDS, MAX_LABEL_NAME, TYPES

_DOCUMENTED_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_TYPES_OF_REFERENCES = tuple(f"groundtruth/{task}" for task in ("semantic-segmentation", "video", "point", "3d"))
_HEX_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_UNSUPPORTED = {
    "multilabel": Kind.UNSUPPORTED_MULTILABEL,
    "segmentation": Kind.UNSUPPORTED_MASK,
    "verification": Kind.UNSUPPORTED_VERIFICATION,
}


class Box(NamedTuple):
    """One entry of `annotations`, read leniently: None stands for a value that is not a number or not a name."""

    label: str | None
    left: float | None
    top: float | None
    width: float | None
    height: float | None
    confidence: float | None


@dataclass(slots=True)
class Attribute:
    """What one label attribute of a line says.

    `fault` is the first check of the service that it fails, `remarks` are faults that lose nothing by themselves.
    """

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
    remarks: list[Fault] = field(default_factory=list)

    @property
    def is_empty_detection(self) -> bool:
        """Whether it is a valid bounding box attribute without boxes, which the service ignores with a warning."""
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
    attribute.remarks += _remarks(attribute, value)
    return attribute


def _kind(value: Any, metadata: dict[str, Any]) -> str:
    """The kind by `type`, else by the shape of the value."""
    written = metadata.get("type")
    if written == TYPES["multilabel"] and "class-name" in metadata:
        # The service's own conversion script leaves this type on attributes that it has split.
        return "multilabel" if "class-map" in metadata else "classification"
    if isinstance(written, str):
        return KINDS.get(written, "other")
    if isinstance(value, dict):
        return "detection" if "annotations" in value or "image_size" in value else "other"
    return "multilabel" if isinstance(value, list) and "class-map" in metadata else "classification"


def _faults(attribute: Attribute, value: Any, metadata: Any, explainer: Explainer) -> Iterator[Fault]:
    """The checks that lose an attribute, in the service's order; the first one that fails counts."""
    name = attribute.name
    if attribute.kind not in FORMATS and attribute.type is not None:
        type_ = attribute.type if attribute.type.strip() else json.dumps(attribute.type)
        kind = _UNSUPPORTED.get(attribute.kind, Kind.UNSUPPORTED_TYPE)
        values: Values = {"key": name, "found": type_}
        if kind is Kind.UNSUPPORTED_TYPE and (meant := _supported_type(value, metadata)):
            values = {**values, "expected": meant}
        yield Fault(kind, values, f"/{escape(name)}-metadata/type")
    if attribute.kind not in FORMATS:
        yield Fault(Kind.LABEL_OF_UNKNOWN_FORM, {"key": name}, f"/{escape(name)}")
        return
    of_value, of_metadata = FORMATS[attribute.kind]
    for key, part, format_, schema in (
        (name, value, of_value, attribute.kind),
        (f"{name}-metadata", metadata, of_metadata, f"{attribute.kind}-metadata"),
    ):
        try:
            msgspec.convert(part, format_)
        except msgspec.ValidationError as refusal:
            yield explainer.explain(schema, key, part, str(refusal))
            return
    if attribute.kind == "detection":
        yield from _box_faults(name, value["annotations"], metadata)
    for label in [*(metadata.get("class-map") or {}).values()] if attribute.kind == "detection" else attribute.labels:
        text = label if isinstance(label, str) else label[0]
        if len(text) > MAX_LABEL_NAME:
            values = {"found": text[:40], "count": len(text), "limit": MAX_LABEL_NAME}
            yield Fault(Kind.LABEL_NAME_TOO_LONG, values, f"/{escape(name)}-metadata", label=text)


def _supported_type(value: Any, metadata: Any) -> str | None:
    """The supported type that a label has by the form of its value; None if it has neither form."""
    if isinstance(value, dict) and isinstance(value.get("annotations"), list) and "image_size" in value:
        return TYPES["detection"]
    is_index = isinstance(value, int) and not isinstance(value, bool)
    return TYPES["classification"] if is_index and isinstance(metadata.get("class-name"), str) else None


def _box_faults(name: str, annotations: list[Any], metadata: dict[str, Any]) -> Iterator[Fault]:
    objects = metadata.get("objects")
    pointer = f"/{escape(name)}-metadata/objects"
    if objects is None:
        yield Fault(Kind.MISSING_OBJECTS, {"key": f"{name}-metadata"}, pointer)
        return
    if len(objects) != len(annotations):
        counts = {"count": len(annotations), "limit": len(objects)}
        yield Fault(Kind.OBJECTS_UNLIKE_BOXES, {"key": name, **counts}, pointer)
    for position, entry in enumerate(objects):
        if _number(entry.get("confidence") if isinstance(entry, dict) else None) is None:
            path = f"{name}-metadata.objects[{position}]"
            yield Fault(Kind.OBJECT_WITHOUT_CONFIDENCE, {"key": path}, f"{pointer}/{position}")
    class_map = metadata["class-map"]
    for position, box in enumerate(annotations):
        if str(box["class_id"]) not in class_map:
            values: Values = {"key": name, "count": position, "found": str(box["class_id"])}
            yield Fault(Kind.MISSING_CLASS_ID, values, f"/{escape(name)}/annotations/{position}/class_id")


def _remarks(attribute: Attribute, value: Any) -> Iterator[Fault]:
    """Faults that lose nothing by themselves."""
    name = attribute.name
    if attribute.is_empty_detection and attribute.human:
        yield Fault(Kind.ATTRIBUTE_WITHOUT_BOXES, {"key": name}, f"/{escape(name)}/annotations")
    if attribute.kind == "classification":
        if attribute.type == TYPES["multilabel"]:
            yield Fault(Kind.MULTILABEL_WITH_CLASS_NAME, {"key": name}, f"/{escape(name)}-metadata/type")
        if isinstance(value, str) and attribute.fault is None:
            yield Fault(Kind.QUOTED_CLASS_INDEX, {"key": name, "found": value}, f"/{escape(name)}")
    if attribute.fault is None and attribute.created and not _DOCUMENTED_DATE.match(attribute.created):
        pointer = f"/{escape(name)}-metadata/creation-date"
        yield Fault(Kind.UNDOCUMENTED_DATE_FORMAT, {"key": name, "found": attribute.created}, pointer)


def ground_truth_faults(attribute: Attribute, metadata: Any) -> Iterator[Fault]:
    """What a Ground Truth labeling job does not accept of an attribute, whatever else is wrong with the line."""
    name, type_ = attribute.name, attribute.type or ""
    if attribute.kind == "segmentation" and isinstance(metadata, dict):
        yield from _color_faults(name, metadata)
    if name.endswith("-metadata"):
        yield Fault(Kind.NAME_ENDS_IN_METADATA, {"key": name})
    # The guide writes groundTruth/custom, jobs write lower case.
    task = type_.casefold()
    if not task.startswith("groundtruth/"):
        return
    holds_reference = task.startswith(_TYPES_OF_REFERENCES)
    if name.endswith("-ref") and not holds_reference:
        yield Fault(Kind.NAME_ENDS_IN_REF, {"key": name, "found": type_})
    if holds_reference and not name.endswith("-ref") and "detection" not in task:
        yield Fault(Kind.NAME_WITHOUT_REF, {"key": name, "found": type_})


def _color_faults(name: str, metadata: dict[str, Any]) -> Iterator[Fault]:
    """The first class of a mask that has no color."""
    colors = metadata.get("internal-color-map")
    for key, entry in colors.items() if isinstance(colors, dict) else ():
        color = entry.get("hex-color") if isinstance(entry, dict) else None
        if not (isinstance(color, str) and _HEX_COLOR.fullmatch(color)):
            pointer = f"/{escape(name)}-metadata/internal-color-map/{escape(key)}"
            yield Fault(Kind.MASK_WITHOUT_COLORS, {"key": name, "found": key}, pointer)
            return


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
        attribute.boxes.append(
            Box(
                names.get(class_id),
                _number(box.get("left")),
                _number(box.get("top")),
                _number(box.get("width")),
                _number(box.get("height")),
                _number(entry.get("confidence") if isinstance(entry, dict) else None),
            )
        )
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
    colors = metadata.get("internal-color-map")
    for key, entry in colors.items() if isinstance(colors, dict) else ():
        name = entry.get("class-name") if isinstance(entry, dict) else None
        if isinstance(name, str):
            # Which classes the mask shows only the mask says, and masks are not read.
            attribute.classes.append((key, name, True))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    # Not by isinstance: a bool is an int.
    is_number = type(value) in (int, float) and -1e9 <= value <= 1e9  # type: ignore[operator]
    return float(value) if is_number else None  # type: ignore[arg-type]


def _size(value: object) -> int | None:
    is_size = type(value) is int and 0 <= value <= 2147483647
    return value if is_size else None  # type: ignore[return-value]
