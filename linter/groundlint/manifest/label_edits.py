"""Changes of the labels of a line: the value of an attribute, its metadata and the ids of classes stay consistent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from itertools import filterfalse
from typing import Any

_ID = re.compile(r"0|[1-9][0-9]{0,17}")


class NotEditable(Exception):
    """A label has a fault because of which it cannot be changed; the text says which."""


class LabelIds:
    """The ids that labels have in class maps and as class indexes, and new ids for labels that have none.

    Ids are local to a line, but one label has one id on all lines as far as their class maps allow it. They do not
    depend on the order of lines and changes.
    """

    def __init__(self) -> None:
        """Start with no ids."""
        self._of_label: dict[str, dict[str, Counter[int]]] = {}
        self._highest: dict[str, int] = {}
        self._wanted: dict[str, set[str]] = {}

    def add(self, name: str, line: Mapping[str, Any]) -> None:
        """Count the ids in one attribute of a line."""
        known = self._of_label.setdefault(name, {})
        value, metadata = line[name], line[f"{name}-metadata"]
        numbers = [-1, *(number for id_ in _ids(value) if (number := _as_id(id_)) is not None)]
        for written, label in _named_ids(value, metadata):
            if (number := _as_id(written)) is not None:
                numbers.append(number)
                if isinstance(label, str):
                    known.setdefault(label, Counter())[number] += 1
        self._highest[name] = max(self._highest.get(name, -1), *numbers)

    def want(self, name: str, label: str) -> None:
        """Prepare for a label to which labels of an attribute change; all of them come before the first change."""
        self._wanted.setdefault(name, set()).add(label)

    def id_of(self, name: str, label: str, taken: Mapping[str, Any]) -> int:
        """The id of a label in an attribute of a line, given the ids that the line has, with their labels."""
        for key, other in taken.items():
            if other == label and (number := _as_id(key)) is not None:
                return number
        counts = self._of_label[name].get(label, Counter())
        for number in sorted(counts, key=lambda number: (-counts[number], number)):
            if str(number) not in taken:
                return number
        return self._fresh[name][label]

    @cached_property
    def _fresh(self) -> dict[str, dict[str, int]]:
        """Ids that no line has yet, for each label that labels change to; labels that have no id come first."""
        fresh = {}
        for name, labels in self._wanted.items():
            is_known = self._of_label[name].__contains__
            in_order = [*sorted(filterfalse(is_known, labels)), *sorted(filter(is_known, labels))]
            fresh[name] = {label: number for number, label in enumerate(in_order, self._highest[name] + 1)}
        return fresh


def _ids(value: Any) -> Iterable[Any]:
    """The ids of boxes, or of several labels, whether they have a name or not."""
    if isinstance(value, list):
        return value
    boxes = value.get("annotations") if isinstance(value, dict) else None
    return [box.get("class_id") for box in boxes if isinstance(box, dict)] if isinstance(boxes, list) else ()


def _named_ids(value: Any, metadata: Any) -> Iterable[tuple[Any, Any]]:
    """The ids in an attribute, each with the name of its label."""
    if not isinstance(metadata, dict):
        return ()
    class_map = metadata.get("class-map")
    return class_map.items() if isinstance(class_map, dict) else [(value, metadata.get("class-name"))]


def _as_id(written: Any) -> int | None:
    """An id as a number, if class maps and labels write it in the same way."""
    if isinstance(written, str):
        return int(written) if _ID.fullmatch(written) else None
    return written if type(written) is int and 0 <= written < 10**18 else None


def edit_boxes(
    line: dict[str, Any], name: str, labels: Mapping[int, str], removed: Collection[int], ids: LabelIds
) -> None:
    """Change the labels of boxes and remove boxes, with their confidences.

    Classes that lose their last box leave the class map, unless it names classes without a box anyway.

    Args:
        line: The line, which changes.
        name: Its bounding box attribute.
        labels: New labels by the position of the box.
        removed: Positions of the boxes to remove.
        ids: The ids of labels.

    Raises:
        NotEditable: The class map or a box is not an object, or there is not one confidence for each box.
    """
    boxes, metadata = line[name]["annotations"], line[f"{name}-metadata"]
    if not isinstance(metadata, dict) or not all(isinstance(box, dict) for box in boxes):
        raise NotEditable(f"boxes or metadata of {name!r} are not objects")
    class_map: Any = metadata.get("class-map")
    objects = metadata.get("objects")
    if labels and not isinstance(class_map, dict):
        raise NotEditable(f"the metadata of {name!r} has no class-map")
    if removed and isinstance(objects, list) and len(objects) != len(boxes):
        raise NotEditable(f"{name!r} has {len(boxes)} annotations, but {len(objects)} objects in its metadata")
    names_unused = isinstance(class_map, dict) and bool(class_map.keys() - _used(boxes))
    for position, label in labels.items() if isinstance(class_map, dict) else ():
        class_id = ids.id_of(name, label, dict.fromkeys(_used(boxes)) | class_map)
        boxes[position]["class_id"] = class_id
        class_map[str(class_id)] = label
    for part in (boxes, objects) if isinstance(objects, list) else (boxes,):
        part[:] = [entry for position, entry in enumerate(part) if position not in removed]
    if isinstance(class_map, dict) and not names_unused:
        left = _used(boxes)
        metadata["class-map"] = {key: label for key, label in class_map.items() if key in left}


def _used(boxes: list[dict[str, Any]]) -> set[str]:
    return {str(box.get("class_id")) for box in boxes}


def relabel_image(line: dict[str, Any], name: str, label: str, ids: LabelIds) -> None:
    """Change the one label of an image; the class index stays text where it was text.

    Raises:
        NotEditable: The label is not a class index.
    """
    value = line[name]
    if _as_id(value) is None:
        raise NotEditable(f"{name!r} is not the index of a class")
    index = ids.id_of(name, label, {})
    line[name] = str(index) if isinstance(value, str) else index
    line[f"{name}-metadata"]["class-name"] = label


def replace_label(line: dict[str, Any], name: str, old: str, new: str | None, ids: LabelIds) -> None:
    """Change one of several labels of an image, or remove it; one that the image has already is not added.

    A class that the image no longer has leaves the class map, unless it names classes that the image has not anyway.

    Args:
        line: The line, which changes.
        name: Its attribute with several labels.
        old: The label to change or remove.
        new: The new label; None removes the old one.
        ids: The ids of labels.

    Raises:
        NotEditable: A class index is not a whole number.
    """
    indexes, metadata = line[name], line[f"{name}-metadata"]
    class_map, confidences = metadata["class-map"], metadata.get("confidence-map")
    chosen = [str(index) for index in indexes]
    old_key = next((key for key, label in class_map.items() if label == old and key in chosen), None)
    if old_key is None:
        raise NotEditable(f"{name!r} has a class index that is not a whole number")
    confidence = confidences.pop(old_key, None) if isinstance(confidences, dict) else None
    at = chosen.index(old_key)
    if class_map.keys() <= set(chosen):
        del class_map[old_key]
    number = None if new is None else ids.id_of(name, new, dict.fromkeys(chosen) | class_map)
    if number is None or str(number) in chosen:
        del indexes[at]
        return
    indexes[at] = number
    class_map[str(number)] = new
    if confidence is not None:
        confidences[str(number)] = confidence
