"""LBL: label attributes that are written oddly or only in part."""

from __future__ import annotations

from groundlint import Bad, Good, Severity
from groundlint_rules.samples import classification, lines
from groundlint_rules.service import ProblemRule


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
