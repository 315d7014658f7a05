"""LBL: label attributes that the service cannot use."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Safety, Severity, pointer, rename_key, set_value, worded
from groundlint_rules.samples import beside_a_sound_line, classification, detection, lines
from groundlint_rules.service import (
    REMOVES_LINE,
    LostLineRule,
    PlainLostLineRule,
    in_metadata,
    misspelt_key,
    repairing,
    with_places,
)

_ENTRY = '{"confidence": 1}'
"""An entry of `objects`; the service requires the confidence but does not use it."""


class NoLabelAttributes(LostLineRule):
    """The line has no label attribute.

    ## Why it matters
    A label attribute is a key and the same key with `-metadata`. The service drops a line that has only one of the two.

    ## How to fix it
    Add the missing key or correct its name. If the labeling failed, label the image again, or remove the line.

    ## Causes
    - A key has no metadata, or metadata has no key.
    - The metadata has a similar, but wrong name, such as `animal_metadata`.
    - The only key that looks like part of a label is metadata without a label.
    - The labeling job failed on the image.

    ## Undocumented service behavior
    The documents do not say whether a key of your own counts as part of a label. They say only that a line with nothing
    but its source-ref is ignored (MAN208), so every other line without a label attribute is this error.
    """

    code = "LBL101"
    name = "no-label-attributes"
    severity = Severity.ERROR
    aws = "ERROR_NO_LABEL_ATTRIBUTES"
    messages = {
        "line-with-unpaired-key": "no label attribute: `{key}` has no `{expected}`; add it, or remove the key",
        "line-with-misnamed-metadata": "no label attribute: `{key}` has no `{expected}`; rename `{found}`",
        "line-with-metadata-only": "no label attribute: `{key}` is metadata without a label; add the label",
        "line-with-failed-label": "no label attribute: labeling of `{key}` failed: {found}; label the image again",
    }
    fixes = {Safety.SAFE: "Renames metadata whose name is misspelt.", Safety.UNSAFE: REMOVES_LINE}
    examples = (
        Good(manifest=lines(classification())),
        Good(manifest=lines('{"source-ref": "s3://bucket/1.jpg"}')),
        Bad(
            manifest=lines(classification().replace("animal-metadata", "animal_metadata")),
            says="no label attribute: `animal` has no `animal-metadata`; rename `animal_metadata`",
        ),
        Bad(
            manifest=lines('{"source-ref": "s3://bucket/1.jpg", "animal": "cat"}'),
            says="no label attribute: `animal` has no `animal-metadata`; add it, or remove the key",
        ),
        Bad(
            manifest=lines('{"source-ref": "s3://bucket/1.jpg", "metadata": {"class-name": "cat"}}'),
            says="no label attribute: `metadata` is metadata without a label; add the label",
        ),
        Bad(
            manifest=lines(
                '{"source-ref": "s3://bucket/1.jpg", "animal-metadata": {"failure-reason": "unreadable image"}}'
            ),
            says="no label attribute: labeling of `animal` failed: unreadable image; label the image again",
        ),
        Bad(manifest=beside_a_sound_line('{"source-ref": "s3://bucket/1.jpg", "animal": "cat"}')),
    )

    def check(self, verdicts: LazyFrame, lost_lines: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        rows = self.of_rule(verdicts, lost_lines)
        renamed = pl.concat_list(rename_key(pointer(col("found")), col("expected")))
        return repairing(rows, col("kind") == "line-with-misnamed-metadata", renamed, Safety.SAFE)


class InvalidLabelAttribute(LostLineRule):
    """The value of a label attribute has the wrong format.

    ## Why it matters
    The service drops the attribute, and the line if it has no other.

    ## How to fix it
    A bounding box attribute is an object with `image_size`, a list of one object with width, height and depth, and
    `annotations`, a list of boxes with class_id, left, top, width and height. An image-level label is a whole number.
    The JSON Schemas `detection` and `classification` define both formats.

    ## Causes
    - A key is missing or has another name.
    - A value has the wrong type or is out of range.
    - `image_size` does not have exactly one entry.
    - The value is neither of the two formats, and the metadata has no type.

    ## Undocumented service behavior
    A missing `depth`, missing `annotations` and an object instead of a list as `image_size` count as errors.
    """

    code = "LBL102"
    name = "invalid-label-attribute"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"
    messages = {
        "label-without-key": "`{key}` has no `{expected}`; {hint}",
        "label-with-invalid-value": "`{key}` is {found}, expected {expected}; {hint}",
        "label-with-invalid-length": "`{key}` has {count:# item}, expected {limit}; {hint}",
        "label-of-unknown-form": "`{key}` is neither an image-level label nor boxes, and its type is missing; add it",
    }
    fixes = {Safety.SAFE: "Renames a misspelt key.", Safety.UNSAFE: REMOVES_LINE}
    examples = (
        Good(manifest=lines(detection({"left": 10.5}))),
        Bad(
            manifest=lines(detection({"left": "10"})),
            says='`animals.annotations[0].left` is the string "10", expected a number; '
            "write the left edge in pixels, without quotes",
        ),
        Bad(
            manifest=lines(detection({"Width": 30, "width": None})),
            says="`animals.annotations[0].width` is null, expected a number; write the width in pixels, without quotes",
        ),
        Bad(
            manifest=lines(detection(value={"image_size": None, "image-size": []})),
            says="`animals` has no `image_size`; rename `image-size`",
        ),
        Bad(
            manifest=lines(detection(value={"image_size": []})),
            says="`animals.image_size` has 0 items, expected 1; "
            "write a list of one object with width, height and depth",
        ),
        Bad(
            manifest=lines(classification(value={"cat": 1}, metadata={"type": None})),
            says="`animal` is neither an image-level label nor boxes, and its type is missing; add it",
        ),
        Bad(manifest=lines(detection(value={"image_size": {"width": 640, "height": 480, "depth": 3}}))),
        Bad(manifest=lines(classification(value="cat"))),
        Bad(manifest=beside_a_sound_line(classification(value="cat"))),
    )

    def check(self, verdicts: LazyFrame, lost_lines: LazyFrame, problems: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        rows = with_places(self.of_rule(verdicts, lost_lines), problems)
        is_misspelt = (col("kind") == "label-without-key") & col("found").is_not_null()
        return repairing(rows, is_misspelt, misspelt_key(), Safety.SAFE)


class InvalidLabelMetadata(LostLineRule):
    """The metadata of a label attribute has the wrong format.

    ## Why it matters
    The service drops the attribute, and the line if it has no other.

    ## How to fix it
    Metadata needs `type`, `human-annotated` (yes or no) and `creation-date`; that of boxes also needs `class-map` and
    `objects`, that of image-level labels `class-name` and `confidence`. The JSON Schemas `detection-metadata` and
    `classification-metadata` define both formats.

    ## Causes
    - A key is missing or has another name.
    - A value has the wrong type or is out of range.
    - The name of a label is empty.

    ## Undocumented service behavior
    A creation-date that is not a date and an empty label name count as errors.
    """

    code = "LBL103"
    name = "invalid-label-metadata"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"
    messages = {
        "metadata-without-key": "`{key}` has no `{expected}`; {hint}",
        "metadata-with-invalid-value": "`{key}` is {found}, expected {expected}; {hint}",
        "metadata-with-empty-name": "`{key}` is empty; {hint}",
    }
    fixes = {
        Safety.SAFE: "Renames a misspelt key.",
        Safety.UNSAFE: "Adds a missing `confidence` of 1; else removes the line, if the service would drop it.",
    }
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(metadata={"confidence": None})),
            says="`animal-metadata` has no `confidence`; "
            "write a number from 0 to 1; the service requires it but ignores it",
        ),
        Bad(
            manifest=lines(detection(metadata={"class-map": None, "class_map": {}})),
            says="`animals-metadata` has no `class-map`; rename `class_map`",
        ),
        Bad(
            manifest=lines(classification(metadata={"human-annotated": "Yes"})),
            says='`animal-metadata.human-annotated` is the string "Yes", expected "yes" or "no"; '
            'write "yes" if a person labeled the image, else "no"',
        ),
        Bad(
            manifest=lines(classification("")),
            says="`animal-metadata.class-name` is empty; write the name of the label",
        ),
        Bad(manifest=lines(classification(metadata={"creation-date": "Mon Nov 18 2013"}))),
    )

    def check(self, verdicts: LazyFrame, lost_lines: LazyFrame, problems: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        rows = with_places(self.of_rule(verdicts, lost_lines), problems)
        is_missing = col("kind") == "metadata-without-key"
        is_misspelt = is_missing & col("found").is_not_null()
        filled = pl.concat_list(set_value(pl.concat_str(col("at"), lit("/confidence")), lit("1")))
        rows = repairing(rows, is_missing & (col("expected") == "confidence"), filled, Safety.UNSAFE)
        return repairing(rows, is_misspelt, misspelt_key(), Safety.SAFE)


class MissingBoxConfidence(LostLineRule):
    """The metadata does not have one confidence for each box.

    ## Why it matters
    The service drops the attribute, and the line if it has no other. It does not use the confidences.

    ## How to fix it
    Write `{"confidence": 1}` for each box into `objects`, in the order of the boxes.

    ## Causes
    - `objects` is missing.
    - `objects` has more or fewer entries than there are boxes.
    - An entry of `objects` has no `confidence`, or one that is not a number.
    """

    code = "LBL104"
    name = "missing-box-confidence"
    severity = Severity.ERROR
    aws = "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"
    messages = {
        "missing-objects": '`{key}` has no `objects`; write a list with one {{"confidence": 1}} for each box',
        "objects-unlike-boxes": "`{key}` has {count:# box}, but `objects` of its metadata has {limit}; "
        'write one {{"confidence": 1}} for each box',
        "object-without-confidence": '`{key}` has no number as `confidence`; write {{"confidence": 1}}',
    }
    fixes = {
        Safety.UNSAFE: "Adds a `confidence` of 1 for each box without one; if there are more confidences than boxes, "
        "removes the line, if the service would drop it."
    }
    examples = (
        Good(manifest=lines(detection({}, {"left": 300}))),
        Bad(
            manifest=lines(detection({}, {"left": 300}, metadata={"objects": [{"confidence": 1}]})),
            says='`animals` has 2 boxes, but `objects` of its metadata has 1; write one {"confidence": 1} for each box',
        ),
        Bad(
            manifest=lines(detection(metadata={"objects": [{}]})),
            says='`animals-metadata.objects[0]` has no number as `confidence`; write {"confidence": 1}',
        ),
        Bad(
            manifest=lines(detection(metadata={"objects": None})),
            says='`animals-metadata` has no `objects`; write a list with one {"confidence": 1} for each box',
        ),
    )

    def check(self, verdicts: LazyFrame, lost_lines: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        rows = self.of_rule(verdicts, lost_lines)
        attribute = ["line_id", "attribute"]
        of_rows = boxes.join(rows.select(*attribute, "kind", "limit").unique(), on=attribute)
        is_without = (
            pl.when(col("kind") == "objects-unlike-boxes")
            .then(col("box") >= col("limit"))
            .otherwise(col("confidence").is_null())
        )
        entry = pl.when(col("kind") == "objects-unlike-boxes").then(lit(_ENTRY))
        at = (in_metadata("objects", col("box")), in_metadata("objects", col("box"), "confidence"))
        filled = (
            of_rows.filter(is_without, col("kind") != "missing-objects")
            .with_columns(
                edit=pl.when(entry.is_not_null()).then(set_value(at[0], entry)).otherwise(set_value(at[1], lit("1")))
            )
            .sort("box")
            .group_by(*attribute, "kind", maintain_order=True)
            .agg(filled="edit")
        )
        written = (
            of_rows.filter(col("kind") == "missing-objects")
            .group_by(*attribute, "kind")
            .agg(objects=worded("[{}]", lit(_ENTRY).repeat_by(pl.len()).list.join(", ").first()))
            .with_columns(filled=pl.concat_list(set_value(in_metadata("objects"), col("objects"))))
            .drop("objects")
        )
        rows = rows.join(pl.concat([filled, written]), on=[*attribute, "kind"], how="left")
        return repairing(rows, col("filled").is_not_null(), col("filled"), Safety.UNSAFE).drop("filled")


class MissingClassId(PlainLostLineRule):
    """A box has a class_id that is not in the class map.

    ## Why it matters
    The service does not know the label and drops the attribute, and the line if it has no other. The class map of a
    line needs only the ids that the line uses; it need not be as long as the list of boxes.

    ## How to fix it
    Add the id, as a string, with the name of its label to `class-map`.
    """

    code = "LBL105"
    name = "missing-class-id"
    severity = Severity.ERROR
    aws = "ERROR_MISSING_CLASS_MAP_ID"
    message = "box {count} has class_id {found}, which `{key}-metadata.class-map` does not contain; add it to the map"
    examples = (
        Good(manifest=lines(detection({"class_id": 1}))),
        Bad(
            manifest=lines(detection({"class_id": 7})),
            says="box 0 has class_id 7, which `animals-metadata.class-map` does not contain; add it to the map",
        ),
        Bad(manifest=beside_a_sound_line(detection({"class_id": 7}))),
    )


class NoValidLabelAttributes(PlainLostLineRule):
    """None of the line's label attributes is valid.

    ## Why it matters
    The service drops the line.

    ## How to fix it
    Fix the line's other findings.

    ## Undocumented service behavior
    This code is reported in addition to others only if all attributes have an unsupported type, or if several are
    invalid.
    """

    code = "LBL106"
    name = "no-valid-label-attributes"
    severity = Severity.ERROR
    aws = "ERROR_NO_VALID_LABEL_ATTRIBUTES"
    message = "no valid label attribute: the service drops this line; fix its other findings"
    examples = (
        Good(manifest=lines(classification())),
        Good(manifest=lines(classification(metadata={"confidence": None}))),
        Bad(
            manifest=lines(classification(metadata={"type": "groundtruth/custom"})),
            says="no valid label attribute: the service drops this line; fix its other findings",
        ),
        Bad(
            manifest=lines(
                *(classification(source_ref=f"s3://bucket/{n}.jpg") for n in range(2, 4)),
                classification(metadata={"type": "groundtruth/custom"}),
            )
        ),
    )


class UnsupportedLabelType(PlainLostLineRule):
    """Custom Labels does not train on the type of a label attribute.

    ## Why it matters
    The service drops the attribute, and the line if it has no other. It trains on `groundtruth/image-classification`
    and `groundtruth/object-detection` only.

    ## How to fix it
    Convert the labels: write several labels of an image as one attribute each, and masks as boxes.

    ## Causes
    - Several labels in one attribute.
    - A mask.
    - A judgment of other labels by a verification job.
    - Any other type.
    """

    code = "LBL107"
    name = "unsupported-label-type"
    severity = Severity.ERROR
    aws = "ERROR_UNSUPPORTED_USE_CASE_TYPE"
    messages = {
        "unsupported-label-type": "`{key}` has the unsupported type {found}; "
        "write groundtruth/image-classification or groundtruth/object-detection",
        "unsupported-multilabel-type": "`{key}` has the unsupported type {found}; "
        "write one image-classification attribute per label",
        "unsupported-mask-type": "`{key}` has the unsupported type {found}; replace the mask with boxes",
        "unsupported-verification-type": "`{key}` has the unsupported type {found}; "
        "remove it after filtering the labels by its verdict",
    }
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(metadata={"type": "groundtruth/text-classification"})),
            says="`animal` has the unsupported type groundtruth/text-classification; "
            "write groundtruth/image-classification or groundtruth/object-detection",
        ),
        Bad(
            manifest=lines(
                classification(
                    value=[0],
                    metadata={
                        "type": "groundtruth/image-classification-multilabel",
                        "class-name": None,
                        "class-map": {"0": "cat"},
                    },
                )
            ),
            says="`animal` has the unsupported type groundtruth/image-classification-multilabel; "
            "write one image-classification attribute per label",
        ),
        Bad(
            manifest=lines(classification(metadata={"type": "groundtruth/semantic-segmentation"})),
            says="`animal` has the unsupported type groundtruth/semantic-segmentation; replace the mask with boxes",
        ),
        Bad(
            manifest=lines(classification(metadata={"type": "groundtruth/label-verification"})),
            says="`animal` has the unsupported type groundtruth/label-verification; "
            "remove it after filtering the labels by its verdict",
        ),
        Bad(manifest=beside_a_sound_line(classification(metadata={"type": "groundtruth/custom"}))),
    )
