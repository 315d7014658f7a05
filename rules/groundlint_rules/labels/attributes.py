"""LBL: label attributes that the service cannot use."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col

from groundlint import Bad, Good, Safety, Severity, pointer, rename_key
from groundlint_rules.samples import beside_a_sound_line, classification, detection, lines
from groundlint_rules.service import (
    REMOVES_LINE,
    LostLineRule,
    PlainLostLineRule,
    misspelt_key,
    repairing,
    with_places,
)


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
