"""LBL: label attributes that are written in an unusual way or are incomplete."""

from __future__ import annotations

from groundlint import Bad, Good, Severity
from groundlint_rules.samples import classification, lines
from groundlint_rules.service import ProblemRule


class MultilabelWithClassName(ProblemRule):
    """An attribute has one `class-name`, but the type of several labels.

    ## Why it matters
    The service's own conversion script leaves the type `groundtruth/image-classification-multilabel` on the attributes
    that it splits, and the service's list of types does not contain it.

    ## How to fix it
    Write `groundtruth/image-classification`.

    ## Undocumented service behavior
    The documents do not say whether the service accepts such an attribute, so this is a warning.
    """

    code = "LBL114"
    name = "multilabel-with-class-name"
    severity = Severity.WARNING
    targets = ("rekognition",)
    message = "`{key}` has one class-name, but a multi-label type; write groundtruth/image-classification"
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(metadata={"type": "groundtruth/image-classification-multilabel"})),
            says="`animal` has one class-name, but a multi-label type; write groundtruth/image-classification",
        ),
    )


class FailedLabel(ProblemRule):
    """A labeling job failed on an attribute of the line.

    ## Why it matters
    The metadata has a `failure-reason` instead of a label, so the line has only its other labels.

    ## How to fix it
    Label the image again, or remove the metadata.
    """

    code = "LBL115"
    name = "failed-label"
    severity = Severity.WARNING
    message = "labeling of `{key}` failed: {found}; label the image again or remove the metadata"
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(extra={"boxes-metadata": {"failure-reason": "no consensus"}})),
            says="labeling of `boxes` failed: no consensus; label the image again or remove the metadata",
        ),
    )


class QuotedClassIndex(ProblemRule):
    """The index of an image-level label is written as a string.

    ## Why it matters
    Some pages of the guides show it in quotes, but the format requires a whole number, and built-in training reads
    numbers.

    ## How to fix it
    Remove the quotes.
    """

    code = "LBL116"
    name = "quoted-class-index"
    severity = Severity.WARNING
    message = '`{key}` is the string "{found}"; write the index as a number, without quotes'
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(value="1")),
            says='`animal` is the string "1"; write the index as a number, without quotes',
        ),
    )


class UndocumentedDateFormat(ProblemRule):
    """A `creation-date` is not in the documented format.

    ## Why it matters
    The service documents `2024-05-02T10:11:12`. It may not accept other formats of ISO 8601.

    ## How to fix it
    Write date and time with a T between them.
    """

    code = "LBL117"
    name = "undocumented-date-format"
    severity = Severity.WARNING
    message = "creation-date {found} is not in the documented format; write it as 2024-05-02T10:11:12"
    examples = (
        Good(manifest=lines(classification(metadata={"creation-date": "2024-05-02T10:11:12.123456"}))),
        Bad(
            manifest=lines(classification(metadata={"creation-date": "2013-11-18 02:53:27"})),
            says="creation-date 2013-11-18 02:53:27 is not in the documented format; write it as 2024-05-02T10:11:12",
        ),
    )
