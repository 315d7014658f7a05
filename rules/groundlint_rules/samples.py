"""Builders of valid manifest lines, and parts of rows, from which the examples of rules are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_METADATA = {"human-annotated": "yes", "creation-date": "2024-05-02T10:11:12", "job-name": "labeling-job/animals"}

IN_TEST: dict[str, Any] = {"manifest": "test.manifest", "split": "test"}
"""A row of the test data."""

METRICS: dict[str, Any] = {
    "label": "cat",
    "objects": 13,
    "images": 13,
    "evaluated": 40,
    "threshold": 0.5,
    "true_positives": 8,
    "false_positives": 1,
    "false_negatives": 5,
    "precision": 8 / 9,
    "recall": 8 / 13,
    "f1": 16 / 22,
}
"""Metrics of a label by an evaluated model."""

_NEAREST = {
    "manifest": "train.manifest",
    "line": 2,
    "attribute": "animals",
    "box": None,
    "source_ref": "s3://bucket/2.jpg",
}
LABEL_ODDS: dict[str, Any] = {
    "manifest": "train.manifest",
    "line": 1,
    "source_ref": "s3://bucket/1.jpg",
    "attribute": "animals",
    "box": None,
    "label": "cat",
    "suspicion": 0.9,
    "suggested_label": "dog",
    "p_given": 0.002,
    "p_suggested": 0.97,
    "flagged": False,
    "signal": 0.95,
    "nearest": [_NEAREST],
}
"""The odds of a label, which looks like another one, with the nearest image that has the other one."""


def detection(
    *boxes: Mapping[str, Any],
    source_ref: str = "s3://bucket/1.jpg",
    name: str = "animals",
    size: tuple[int, int] = (640, 480),
    value: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> str:
    """A line with boxes, one valid box unless others are given. A part given as None is omitted."""
    box = {"class_id": 0, "left": 10, "top": 20, "width": 30, "height": 40}
    annotations = [box | dict(own) for own in boxes or ({},)]
    label = {"image_size": [{"width": size[0], "height": size[1], "depth": 3}], "annotations": annotations}
    described = {"objects": [{"confidence": 0.9}] * len(annotations), "class-map": {"0": "cat", "1": "dog"}}
    described |= {"type": "groundtruth/object-detection"} | _METADATA
    return _line(source_ref, name, label | dict(value or {}), described | dict(metadata or {}), extra)


def classification(
    label: str = "cat",
    *,
    source_ref: str = "s3://bucket/1.jpg",
    name: str = "animal",
    value: Any = 0,
    metadata: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> str:
    """A line with one image-level label. A part given as None is omitted."""
    described = {"class-name": label, "confidence": 0.9, "type": "groundtruth/image-classification"} | _METADATA
    return _line(source_ref, name, value, described | dict(metadata or {}), extra)


def beside_a_sound_line(text: str) -> str:
    """A line and another one without fault, as the text of a manifest: the fix of the first may be to remove it."""
    return lines(text, classification(source_ref="s3://bucket/other.jpg"))


def lines(*texts: str) -> str:
    """Lines as the text of a manifest."""
    return "".join(f"{text}\n" for text in texts)


def _line(source_ref: str, name: str, label: Any, metadata: Mapping[str, Any], extra: Mapping[str, Any] | None) -> str:
    line = {"source-ref": source_ref, name: _present(label), f"{name}-metadata": _present(metadata)} | dict(extra or {})
    return json.dumps(_present(line))


def _present(value: Any) -> Any:
    return {key: part for key, part in value.items() if part is not None} if isinstance(value, dict) else value
