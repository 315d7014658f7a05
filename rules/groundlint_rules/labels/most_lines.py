"""LBL: label attributes that are wrong in the same way on most lines of a manifest."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Safety, pointer, remove_value
from groundlint_rules.diagnoses import DiagnosisRule, with_values
from groundlint_rules.samples import classification, detection, lines
from groundlint_rules.service import in_metadata


def _detections(count: int = 6, **parts: Any) -> str:
    return lines(*(detection(source_ref=f"s3://bucket/{n}.jpg", **parts) for n in range(1, count + 1)))


def _with_ids(shift: int) -> str:
    """Lines whose boxes have the ids 0 and 1 of their class map, moved by a number."""
    return lines(
        *(
            detection({"class_id": n % 2 + shift}, {"class_id": shift, "left": 300}, source_ref=f"s3://bucket/{n}.jpg")
            for n in range(1, 7)
        )
    )


def _adjusted(moved: int, status: str | None = "adjusted") -> str:
    """Lines with an attribute and another one, whose box is moved by some px."""
    made = []
    for n in range(1, 5):
        line = json.loads(detection(source_ref=f"s3://bucket/{n}.jpg", name="bb"))
        metadata = {"creation-date": "2024-06-02T10:11:12", "adjustment-status": status}
        other = json.loads(detection({"left": 10 + moved}, name="adjusted-bb", metadata=metadata))
        made.append(json.dumps(line | {key: part for key, part in other.items() if key != "source-ref"}))
    return lines(*made)


class AttributePerImage(DiagnosisRule):
    """Each line has a label attribute of its own name.

    ## Why it matters
    A label attribute is one kind of labels over all images. Ground Truth treats lines without the attribute as
    unlabeled, and statistics by attribute mean nothing.

    ## How to fix it
    Give the attribute the same name on all lines.
    """

    code = "LBL401"
    name = "attribute-per-image"
    message = (
        "{lines:,} of {count:# line} each have a label attribute with a name of its own, such as `{example}`; "
        "give it the same name on all lines"
    )
    examples = (
        Good(manifest=_detections()),
        Good(
            manifest=lines(
                *(classification(label, name=label, source_ref=f"s3://bucket/{label}.jpg") for label in "abcdef")
            )
        ),
        Bad(
            manifest=lines(*(detection(source_ref=f"s3://bucket/{n}.jpg", name=f"boxes-{n}") for n in range(1, 7))),
            says="6 of 6 lines each have a label attribute with a name of its own, such as `boxes-1`; "
            "give it the same name on all lines",
        ),
    )

    def check(self, diagnoses: LazyFrame, attributes_per_image: LazyFrame) -> LazyFrame:
        """The diagnosed manifests, with the first name; it is not the place of the finding."""
        rows = self.of_rule(diagnoses)
        names = attributes_per_image.select("data_set", "manifest", example="attribute")
        return with_values(rows, names, "example")


class CopiedUnsupportedType(DiagnosisRule):
    """Labels of images have the type of another task, such as video object detection.

    ## Why it matters
    The service decides by the type, before it looks at the labels: it drops them all.

    ## How to fix it
    Replace the type. It was probably copied from an example, because the labels have the form of a supported type.
    """

    code = "LBL402"
    name = "copied-unsupported-type"
    message = (
        "the type {found} is unsupported, but the labels of {lines:,} of {count:# line} have the form of {expected}; "
        "write that type"
    )
    targets = ("rekognition",)
    examples = (
        Good(manifest=_detections()),
        Good(
            manifest=lines(
                '{"source-ref": "s3://bucket/1.json", "t-ref": "s3://bucket/s.json", "t-ref-metadata": '
                '{"type": "groundtruth/video-object-tracking"}}'
            )
        ),
        Bad(
            manifest=_detections(metadata={"type": "groundtruth/video-object-detection"}),
            says="the type groundtruth/video-object-detection is unsupported, but the labels of 6 of 6 lines have the "
            "form of groundtruth/object-detection; write that type",
        ),
    )

    def check(self, diagnoses: LazyFrame, copied_types: LazyFrame) -> LazyFrame:
        """The diagnosed manifests, with the type and the one that fits."""
        return with_values(self.of_rule(diagnoses), copied_types, "found", "expected")


class ShiftedClassIds(DiagnosisRule):
    """The class ids of boxes start from a different number than those of the class maps.

    ## Why it matters
    Each box has the label of the next class, and the service drops the attributes whose last class is not in the map.

    ## How to fix it
    Count both from 0, or both from 1.

    ## How reliable it is
    Over all lines of the manifest, the ids of boxes and those of the class maps are each a run of whole numbers, one of
    which is moved by one; so the first class of the map is never used. It reports none of raccoon, bccd, coco128,
    animalpose, wider_occ and kitti_labels, nor of the eight public manifests.
    """

    code = "LBL403"
    name = "shifted-class-ids"
    message = (
        "class ids of boxes are {shift} {direction} than those of the class map on {lines:,} of {count:# line}, so "
        "labels are wrong or missing; count both from the same number"
    )
    examples = (
        Good(manifest=_with_ids(0)),
        Good(manifest=lines(*_with_ids(0).splitlines(), detection({"class_id": 2}, source_ref="s3://bucket/9.jpg"))),
        Bad(
            manifest=_with_ids(1),
            says="class ids of boxes are 1 higher than those of the class map on 6 of 6 lines, so "
            "labels are wrong or missing; count both from the same number",
        ),
        Bad(manifest=_with_ids(-1)),
    )

    def check(self, diagnoses: LazyFrame, shifted_class_ids: LazyFrame) -> LazyFrame:
        """The diagnosed manifests, with the direction of the shift."""
        rows = self.of_rule(diagnoses)
        direction = pl.when(col("shift") > 0).then(lit("higher")).otherwise(lit("lower"))
        return with_values(rows, shifted_class_ids, "shift").with_columns(direction=direction, shift=col("shift").abs())


class AdjustedCopy(DiagnosisRule):
    """An adjustment job's boxes are beside those that it adjusted.

    ## Why it matters
    If a model is trained on both attributes, each object counts twice, in two slightly different places.

    ## How to fix it
    Keep the newest attribute, and remove the other one and its metadata from all lines.

    ## How reliable it is
    One of the attributes has `adjustment-status`, both are on most lines, and at least half of their boxes have a
    counterpart of the same label with an intersection over union of 0.5 or more.
    """

    code = "LBL404"
    name = "adjusted-copy"
    message = (
        "`{oldest}` and `{newest}` box the same objects on {lines:,} of {count:# line}, and one adjusts the other: "
        "objects count twice; keep the newest attribute, `{newest}`"
    )
    fixes = {Safety.UNSAFE: "Removes the older attribute and its metadata from all lines that have both."}
    examples = (
        Good(manifest=_detections()),
        Good(manifest=_adjusted(1, status=None)),
        Bad(
            manifest=_adjusted(1),
            says="`bb` and `adjusted-bb` box the same objects on 4 of 4 lines, and one adjusts the other: "
            "objects count twice; keep the newest attribute, `adjusted-bb`",
        ),
    )

    def check(self, diagnoses: LazyFrame, adjusted_copies: LazyFrame) -> LazyFrame:
        """The diagnosed manifests, with the names of the two attributes."""
        rows = with_values(self.of_rule(diagnoses), adjusted_copies, "newest", "oldest")
        manifest = ["data_set", "manifest"]
        places = adjusted_copies.select(*manifest, "line", attribute="oldest").unique().sort("line", "attribute")
        edits = [remove_value(at, line=col("line")) for at in (pointer(col("attribute")), in_metadata())]
        removed = (
            places.select(*manifest, edits=pl.concat_list(edits))
            .explode("edits", empty_as_null=False)
            .group_by(manifest, maintain_order=True)
            .agg("edits")
        )
        return rows.join(removed, on=manifest, how="left")
