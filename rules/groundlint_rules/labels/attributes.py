"""LBL: label attributes that the service cannot use."""

from __future__ import annotations

from groundlint import Bad, Good, Severity
from groundlint_rules.samples import classification, detection, lines
from groundlint_rules.service import ServiceRule


class NoLabelAttributes(ServiceRule):
    """The line has no label attribute.

    ## Why is this bad?
    A label is a key and the same key with `-metadata`. A line with neither whole is dropped.

    ## How to mend it
    Add the missing half or mend its name. Where a labeling job gave up, its reason is in the finding: label the image
    again, or remove the line.

    ## What the documents leave open
    Whether a key of your own counts as half a label: only a line with nothing but its source-ref is documented as
    ignored (MAN208), so every other line without a label attribute is taken as this error.
    """

    code = "LBL101"
    name = "no-label-attributes"
    severity = Severity.ERROR
    aws = "ERROR_NO_LABEL_ATTRIBUTES"
    examples = (
        Good(manifest=lines(classification())),
        Good(manifest=lines('{"source-ref": "s3://bucket/1.jpg"}')),
        Bad(
            manifest=lines(classification().replace("animal-metadata", "animal_metadata")),
            says="the line has no label attribute, which is a key and the same key with -metadata; "
            "`animal` has no `animal-metadata` beside it; animal_metadata: did you mean animal-metadata?",
        ),
        Bad(
            manifest=lines('{"source-ref": "s3://bucket/1.jpg", "animal": "cat"}'),
            says="the line has no label attribute, which is a key and the same key with -metadata; "
            "`animal` has no `animal-metadata` beside it; add it, or remove the key",
        ),
        Bad(
            manifest=lines(
                '{"source-ref": "s3://bucket/1.jpg", "animal-metadata": {"failure-reason": "unreadable image"}}'
            ),
            says="the line has no label attribute, which is a key and the same key with -metadata; "
            "labeling of `animal` failed: unreadable image",
        ),
    )


class InvalidLabelAttribute(ServiceRule):
    """The value of a label attribute has the wrong form.

    ## Why is this bad?
    The service drops the attribute, and the line if it has no other.

    ## How to mend it
    A bounding box attribute is an object with `image_size`, a list of one object with width, height and depth, and
    `annotations`, a list of boxes with class_id, left, top, width and height. An image label is a whole number. The
    JSON Schemas `detection` and `classification` say it exactly.

    ## What the documents leave open
    A missing `depth`, a missing `annotations` and a bare object as `image_size` are taken as errors.
    """

    code = "LBL102"
    name = "invalid-label-attribute"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"
    examples = (
        Good(manifest=lines(detection({"left": 10.5}))),
        Bad(
            manifest=lines(detection({"left": "10"})),
            says='`animals.annotations[0].left` is the string "10", expected a number; '
            "write the left edge in pixels, a number without quotes",
        ),
        Bad(
            manifest=lines(detection({"Width": 30, "width": None})),
            says="`animals.annotations[0].width` is null, expected a number; "
            "write the width in pixels, a number without quotes",
        ),
        Bad(manifest=lines(detection(value={"image_size": {"width": 640, "height": 480, "depth": 3}}))),
        Bad(manifest=lines(classification(value="cat"))),
    )


class InvalidLabelMetadata(ServiceRule):
    """The metadata of a label attribute has the wrong form.

    ## Why is this bad?
    The service drops the attribute, and the line if it has no other.

    ## How to mend it
    Metadata needs `type`, `human-annotated` (yes or no) and `creation-date`; that of boxes also `class-map` and
    `objects`, that of image labels `class-name` and `confidence`. The JSON Schemas `detection-metadata` and
    `classification-metadata` say it exactly.

    ## What the documents leave open
    A creation-date that is no date and an empty name of a label are taken as errors.
    """

    code = "LBL103"
    name = "invalid-label-metadata"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(metadata={"confidence": None})),
            says="`animal-metadata` has no `confidence`; "
            "write a number from 0 to 1; the service needs it but does not use it",
        ),
        Bad(
            manifest=lines(detection(metadata={"class-map": None, "class_map": {}})),
            says="`animals-metadata` has no `class-map`; class_map: did you mean class-map?",
        ),
        Bad(manifest=lines(classification(metadata={"human-annotated": "Yes"}))),
        Bad(manifest=lines(classification(metadata={"creation-date": "Mon Nov 18 2013"}))),
    )


class MissingBoxConfidence(ServiceRule):
    """The metadata has not one confidence for each box.

    ## Why is this bad?
    The service drops the attribute, and the line if it has no other. It does not use the confidences.

    ## How to mend it
    Write `{"confidence": 1}` for each box into `objects`, in the order of the boxes.
    """

    code = "LBL104"
    name = "missing-box-confidence"
    severity = Severity.ERROR
    aws = "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"
    examples = (
        Good(manifest=lines(detection({}, {"left": 300}))),
        Bad(
            manifest=lines(detection({}, {"left": 300}, metadata={"objects": [{"confidence": 1}]})),
            says="`animals` has 2 boxes, `objects` of its metadata 1 entries; "
            'write {"confidence": 1} for each box, in the order of the boxes',
        ),
        Bad(manifest=lines(detection(metadata={"objects": [{}]}))),
        Bad(manifest=lines(detection(metadata={"objects": None}))),
    )


class MissingClassId(ServiceRule):
    """A box has a class_id that the class map does not name.

    ## Why is this bad?
    The service does not know the label and drops the attribute, and the line if it has no other. The class map of a
    line needs only the ids that the line uses; it need not be as long as the list of boxes.

    ## How to mend it
    Add the id, as a string, with the name of its label to `class-map`.
    """

    code = "LBL105"
    name = "missing-class-id"
    severity = Severity.ERROR
    aws = "ERROR_MISSING_CLASS_MAP_ID"
    examples = (
        Good(manifest=lines(detection({"class_id": 1}))),
        Bad(
            manifest=lines(detection({"class_id": 7})),
            says="box 0 has class_id 7, which `animals-metadata.class-map` does not name; add it there",
        ),
    )


class NoValidLabelAttributes(ServiceRule):
    """None of the line's label attributes can be used.

    ## Why is this bad?
    The service drops the line.

    ## How to mend it
    Mend the line's other findings.

    ## What the documents leave open
    It stands beside other codes only where all attributes are of an unsupported type, or several have failed.
    """

    code = "LBL106"
    name = "no-valid-label-attributes"
    severity = Severity.ERROR
    aws = "ERROR_NO_VALID_LABEL_ATTRIBUTES"
    examples = (
        Good(manifest=lines(classification())),
        Good(manifest=lines(classification(metadata={"confidence": None}))),
        Bad(
            manifest=lines(classification(metadata={"type": "groundtruth/custom"})),
            says="none of the line's label attributes can be used; see its other findings",
        ),
    )


class UnsupportedLabelType(ServiceRule):
    """The type of a label attribute is not one that Custom Labels trains on.

    ## Why is this bad?
    The service drops the attribute, and the line if it has no other. It trains on `groundtruth/image-classification`
    and `groundtruth/object-detection` only.

    ## How to mend it
    Convert the labels: several labels of an image to one attribute for each, masks to boxes.
    """

    code = "LBL107"
    name = "unsupported-label-type"
    severity = Severity.ERROR
    aws = "ERROR_UNSUPPORTED_USE_CASE_TYPE"
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(metadata={"type": "groundtruth/text-classification"})),
            says="`animal` has the type groundtruth/text-classification, which Custom Labels does not train on; "
            "it trains on groundtruth/image-classification and groundtruth/object-detection only",
        ),
    )


class LineWithoutBoxes(ServiceRule):
    """The line has bounding box attributes, and none of them has a box.

    ## Why is this bad?
    The service ignores the line. It does not take the image as an example of background.

    ## How to mend it
    Draw the boxes, or remove the line.
    """

    code = "LBL109"
    name = "line-without-boxes"
    severity = Severity.WARNING
    aws = "WARNING_NO_ANNOTATIONS"
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=lines(detection(value={"annotations": []}, metadata={"objects": []})),
            says="the line has no boxes; the service ignores it, remove it or draw boxes",
        ),
    )


class AttributeWithoutBoxes(ServiceRule):
    """A bounding box attribute has no box.

    ## Why is this bad?
    The service ignores the attribute.

    ## How to mend it
    Draw the boxes, or remove the attribute.
    """

    code = "LBL110"
    name = "attribute-without-boxes"
    severity = Severity.WARNING
    aws = "WARNING_NO_ATTRIBUTE_ANNOTATIONS"
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=lines(detection(value={"annotations": []}, metadata={"objects": []})),
            says="`animals` has no boxes; the service ignores it and does not take the image as an empty example",
        ),
    )
