"""LBL: the names of labels, and how many a split has."""

from __future__ import annotations

from polars import LazyFrame

from groundlint import Bad, Good, Severity
from groundlint_rules.samples import classification, lines
from groundlint_rules.service import ServiceRule, warn_of_choice


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
            says="image labels and boxes are mixed, which leaves too few labels of one kind: "
            "1 for classification (at least 2) in the train split; keep one kind",
        ),
    )

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """A verdict that depends on the service's choice is a warning."""
        return warn_of_choice(super().check(verdicts))
