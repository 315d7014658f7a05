"""LBL: label attributes and the names of labels."""

from __future__ import annotations

from polars import LazyFrame, col

from groundlint import Bad, Good, Rule, Severity
from groundlint_rules.samples import classification, detection, lines
from groundlint_rules.service import ProblemRule, ServiceRule, and_others, warn_of_choice


class NoLabelAttributes(ServiceRule):
    """The line has no label attribute.

    ## Why is this bad?
    A label is a key and the same key with `-metadata`. A line with neither whole is dropped.

    ## How to mend it
    Add the missing half or mend its name. Where a labeling job gave up, its reason is in the finding: label the image
    again, or remove the line.
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


class LabelNameTooLong(ServiceRule):
    """The name of a label has more than 256 characters.

    ## Why is this bad?
    The service drops the attribute.

    ## How to mend it
    Shorten the name.
    """

    code = "LBL108"
    name = "label-name-too-long"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_LABEL_NAME_LENGTH"
    examples = (
        Good(manifest=lines(classification("x" * 256))),
        Bad(manifest=lines(classification("x" * 257))),
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


class TooFewLabels(ServiceRule):
    """A split has fewer labels than the service needs.

    ## Why is this bad?
    The training fails: image labels need two of them, boxes one, in training and in test data. Labels count that remain
    once lost boxes and lines are gone.

    ## How to mend it
    Mend the lost lines, or add images with other labels.

    ## What the documents leave open
    One page asks two labels of boxes as well; the list of limits, which is newer, one.
    """

    code = "LBL111"
    name = "too-few-labels"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_TOO_FEW_LABELS"
    examples = (
        Good(labels=[{"label": "cat"}, {"line": 2, "label": "dog"}]),
        Good(boxes=[{"label": "cat"}]),
        Bad(
            labels=[{"label": "cat"}],
            says="the train split has 1 usable labels; classification needs at least 2; add labelled images",
        ),
    )


class TooManyLabels(ServiceRule):
    """A split has more than 250 labels.

    ## Why is this bad?
    The training fails.

    ## How to mend it
    Merge labels, or train several models.
    """

    code = "LBL112"
    name = "too-many-labels"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_TOO_MANY_LABELS"
    examples = (
        Good(labels=[{"line": n, "label": f"{n}"} for n in range(250)]),
        Bad(labels=[{"line": n, "label": f"{n}"} for n in range(251)]),
    )


class TooFewUsableLabels(ServiceRule):
    """Image labels and boxes are mixed, and one kind alone has too few labels.

    ## Why is this bad?
    The service trains on one kind, chosen in a way that is not documented, and drops the lines of the other. With too
    few labels in what remains the training fails.

    ## How to mend it
    Keep one kind of label.

    ## What the documents leave open
    How the service chooses: if either choice would fail this is a warning, if both would, an error. One page gives the
    minima of the two kinds the other way round.
    """

    code = "LBL113"
    name = "too-few-usable-labels"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS"
    examples = (
        Good(labels=[{"label": "cat"}, {"line": 2, "label": "dog"}], boxes=[{"line": 3}]),
        Bad(
            labels=[{"label": "cat"}],
            boxes=[{"line": 3}],
            says="image labels and boxes are mixed, which leaves the train split too few labels: "
            "1 for classification (at least 2); keep one kind",
        ),
    )

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """A verdict that depends on the service's choice is a warning."""
        return warn_of_choice(super().check(verdicts))


class MultilabelWithClassName(ProblemRule):
    """An attribute has one `class-name` but the type of several labels.

    ## Why is this bad?
    The service's own conversion script leaves the type `groundtruth/image-classification-multilabel` on the attributes
    that it splits, and the service's list of types does not have it.

    ## How to mend it
    Write `groundtruth/image-classification`.

    ## What the documents leave open
    Whether the service takes such an attribute; so this is a warning.
    """

    code = "LBL114"
    name = "multilabel-with-class-name"
    severity = Severity.WARNING
    targets = ("rekognition",)
    examples = (
        Good(manifest=lines(classification())),
        Bad(manifest=lines(classification(metadata={"type": "groundtruth/image-classification-multilabel"}))),
    )


class FailedLabel(ProblemRule):
    """A labeling job gave up on an attribute of the line.

    ## Why is this bad?
    The metadata has a `failure-reason` and there is no label; the line has only its other labels.

    ## How to mend it
    Label the image again, or remove the metadata.
    """

    code = "LBL115"
    name = "failed-label"
    severity = Severity.WARNING
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(extra={"boxes-metadata": {"failure-reason": "no consensus"}})),
            says="labeling of `boxes` failed: no consensus",
        ),
    )


class TextClassIndex(ProblemRule):
    """The index of an image label is written as a string.

    ## Why is this bad?
    Some pages of the guides write it so, but the format asks for a whole number, and built-in training reads numbers.

    ## How to mend it
    Remove the quotes.
    """

    code = "LBL116"
    name = "text-class-index"
    severity = Severity.WARNING
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(value="1")),
            says='`animal` is the string "1"; write the index as a number, without quotes',
        ),
    )


class OddCreationDate(ProblemRule):
    """A `creation-date` is not in the documented form.

    ## Why is this bad?
    The service documents `2024-05-02T10:11:12`. Other forms of ISO 8601 may not be taken.

    ## How to mend it
    Write date and time with a T between them.
    """

    code = "LBL117"
    name = "odd-creation-date"
    severity = Severity.WARNING
    examples = (
        Good(manifest=lines(classification(metadata={"creation-date": "2024-05-02T10:11:12.123456"}))),
        Bad(
            manifest=lines(classification(metadata={"creation-date": "2013-11-18 02:53:27"})),
            says="creation-date 2013-11-18 02:53:27 is not in the documented form; write 2024-05-02T10:11:12",
        ),
    )


class OddAttributeName(Rule):
    """The name of a label attribute breaks Ground Truth's rules.

    ## Why is this bad?
    A labeling job that reuses the attribute is refused. Names must not end in `-metadata`; those of masks, video and
    point clouds must end in `-ref`, all others must not. One finding stands for all lines of a manifest.

    ## How to mend it
    Rename the attribute and its metadata.
    """

    code = "LBL201"
    name = "odd-attribute-name"
    severity = Severity.ERROR
    message = "{detail}{others}"
    targets = ("ground-truth",)
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(name="animal-ref")),
            says="the name `animal-ref` must not end in -ref for groundtruth/image-classification; "
            "rename the attribute",
        ),
    )

    def check(self, problems: LazyFrame) -> LazyFrame:
        """The first line of each manifest with the name."""
        odd = problems.filter(col("kind") == self.name).sort("line")
        return odd.group_by("manifest", "attribute").agg(
            col("line", "source_ref", "detail").first(), others=and_others()
        )


class MaskWithoutColours(ProblemRule):
    """A mask's class has no `hex-color`.

    ## Why is this bad?
    Jobs that adjust or verify the mask cannot be set up. Masks of older jobs lack the colours.

    ## How to mend it
    Add the colour of each class as `#rrggbb` to `internal-color-map`.
    """

    code = "LBL202"
    name = "mask-without-colours"
    severity = Severity.ERROR
    targets = ("ground-truth",)
    examples = (
        Good(
            manifest=lines(
                classification(
                    name="road-ref",
                    value="s3://bucket/1.png",
                    metadata={
                        "type": "groundtruth/semantic-segmentation",
                        "internal-color-map": {"1": {"class-name": "road", "hex-color": "#2ca02c"}},
                    },
                )
            )
        ),
        Bad(
            manifest=lines(
                classification(
                    name="road-ref",
                    value="s3://bucket/1.png",
                    metadata={
                        "type": "groundtruth/semantic-segmentation",
                        "internal-color-map": {"1": {"class-name": "road"}},
                    },
                )
            ),
            says="class 1 of the mask `road-ref` has no hex-color of the form #2ca02c; the mask cannot be adjusted",
        ),
    )


class VideoOrPointCloud(Rule):
    """The line labels a video or a point cloud, not an image.

    ## Why is this bad?
    It is not: it is only that no rule on images applies to it.

    ## How to mend it
    There is nothing to mend.
    """

    code = "LBL203"
    name = "video-or-point-cloud"
    severity = Severity.INFO
    message = "`{attribute}` has the type {type}; rules on images pass over it{others}"
    targets = ("ground-truth",)
    examples = (
        Good(attributes=[{"type": "groundtruth/object-detection"}]),
        Bad(
            attributes=[{"type": "groundtruth/video-object-detection", "attribute": "cars-ref"}],
            says="`cars-ref` has the type groundtruth/video-object-detection; rules on images pass over it",
        ),
    )

    def check(self, attributes: LazyFrame) -> LazyFrame:
        """The first line of each manifest with the attribute."""
        moving = attributes.filter(col("type").str.contains("^groundtruth/(?:video|point.?cloud|3d)")).sort("line")
        return moving.group_by("manifest", "attribute").agg(
            col("line", "source_ref", "type").first(), others=and_others()
        )


class IncompleteLabel(Rule):
    """The line has half a label and no whole one.

    ## Why is this bad?
    A label is a key and the same key with `-metadata`; a chained job takes the line as unlabelled.

    ## How to mend it
    Add the missing half or mend its name.
    """

    code = "LBL204"
    name = "incomplete-label"
    severity = Severity.WARNING
    message = "{detail}"
    targets = ("ground-truth",)
    examples = (
        Good(manifest=lines(classification())),
        Bad(manifest=lines(classification().replace("animal-metadata", "animal_metadata"))),
    )

    def check(self, problems: LazyFrame) -> LazyFrame:
        """Lines on which a half was found and no whole attribute."""
        return problems.filter(col("kind") == "no-label-attributes")
