"""LBL: label attributes that the service cannot use."""

from __future__ import annotations

from groundlint import Bad, Good, Severity
from groundlint_rules.samples import classification, detection, lines
from groundlint_rules.service import ServiceRule


class NoLabelAttributes(ServiceRule):
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
    )


class InvalidLabelAttribute(ServiceRule):
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
    )


class InvalidLabelMetadata(ServiceRule):
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


class MissingBoxConfidence(ServiceRule):
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


class MissingClassId(ServiceRule):
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
    )


class NoValidLabelAttributes(ServiceRule):
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
    )


class UnsupportedLabelType(ServiceRule):
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
    )
