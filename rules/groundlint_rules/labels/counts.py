"""LBL: the names of labels, and how many labels a split has."""

from __future__ import annotations

import json

from polars import LazyFrame

from groundlint import Bad, Good, Severity
from groundlint_rules.samples import beside_a_sound_line, classification, lines
from groundlint_rules.service import PlainLostLineRule, ServiceRule, warn_of_choice


class LabelNameTooLong(PlainLostLineRule):
    """The name of a label has more than 256 characters.

    ## Why it matters
    The service drops the attribute.

    ## How to fix it
    Shorten the name.
    """

    code = "LBL108"
    name = "label-name-too-long"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_LABEL_NAME_LENGTH"
    message = "label name too long: {count:# character}, but {limit} are allowed; shorten '{found}…'"
    examples = (
        Good(manifest=lines(classification("x" * 256))),
        Bad(
            manifest=lines(classification("x" * 257)),
            says=f"label name too long: 257 characters, but 256 are allowed; shorten '{'x' * 40}…'",
        ),
        Bad(manifest=beside_a_sound_line(classification("x" * 257))),
    )


class TooFewLabels(ServiceRule):
    """A split has fewer labels than the service needs.

    ## Why it matters
    The training fails: both training and test data need two labels if these are image-level labels, and one if they are
    boxes. Only labels that remain after dropped boxes and lines are removed count.

    ## How to fix it
    Fix the lines that the service would drop, or add images with other labels.

    ## Undocumented service behavior
    One page requires two labels for boxes as well; the list of limits, which is newer, requires one.
    """

    code = "LBL111"
    name = "too-few-labels"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_TOO_FEW_LABELS"
    message = "the {key} split has {count:# usable label}, but {found} needs at least {limit}; {hint}"
    examples = (
        Good(labels=[{"label": "cat"}, {"line": 2, "label": "dog"}]),
        Good(boxes=[{"label": "cat"}]),
        Bad(
            labels=[{"label": "cat"}],
            says="the train split has 1 usable label, but classification needs at least 2; add labeled images",
        ),
        Bad(
            manifest=lines(json.dumps(json.loads(classification()) | {"animal-metadata": {}})),
            says="the train split has 0 usable labels, but classification needs at least 2; fix the 1 line that would "
            "be dropped",
        ),
    )


class TooManyLabels(ServiceRule):
    """A split has more than 250 labels.

    ## Why it matters
    The training fails.

    ## How to fix it
    Merge labels, or train several models.
    """

    code = "LBL112"
    name = "too-many-labels"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_TOO_MANY_LABELS"
    message = "the {key} split has {count:# label}, but the service accepts {limit}; merge or remove labels"
    examples = (
        Good(labels=[{"line": n, "label": f"{n}"} for n in range(250)]),
        Bad(
            labels=[{"line": n, "label": f"{n}"} for n in range(251)],
            says="the train split has 251 labels, but the service accepts 250; merge or remove labels",
        ),
    )


class TooFewUsableLabels(ServiceRule):
    """Image-level labels and boxes are mixed, and one kind alone has too few labels.

    ## Why it matters
    The service trains on one kind, chosen in a way that is not documented, and drops the lines of the other. If too few
    labels remain, the training fails.

    ## How to fix it
    Keep one kind of label.

    ## Undocumented service behavior
    The documents do not say how the service chooses. This is an error if both choices would fail, and a warning if one
    would. One page gives the minimum numbers of the two kinds the other way around.
    """

    code = "LBL113"
    name = "too-few-usable-labels"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS"
    message = "image-level labels and boxes are mixed, which leaves too few labels of one kind: {found}; keep one kind"
    examples = (
        Good(labels=[{"label": "cat"}, {"line": 2, "label": "dog"}], boxes=[{"line": 3}]),
        Bad(
            labels=[{"label": "cat"}],
            boxes=[{"line": 3}],
            says="image-level labels and boxes are mixed, which leaves too few labels of one kind: "
            "1 for classification (at least 2) in the train split; keep one kind",
        ),
    )

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """The rule's verdicts; one that depends on the service's choice is a warning."""
        return warn_of_choice(super().check(verdicts))
