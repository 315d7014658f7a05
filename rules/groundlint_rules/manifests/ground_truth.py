"""MAN: what a Ground Truth labeling job asks of the lines of its input."""

from __future__ import annotations

from groundlint import Bad, Good, Severity
from groundlint_rules.samples import detection, lines
from groundlint_rules.service import ProblemRule


class AttributeTooLong(ProblemRule):
    """A value of the line has more than 20,000 characters.

    ## Why is this bad?
    The input of a Ground Truth labeling job must not have one.

    ## How to mend it
    Leave the value out, or put it into a file of its own.
    """

    code = "MAN301"
    name = "attribute-too-long"
    severity = Severity.ERROR
    targets = ("ground-truth",)
    examples = (
        Good(manifest=lines(detection(extra={"note": "x" * 19_000}))),
        Bad(manifest=lines(detection(extra={"note": "x" * 20_000}))),
    )


class DollarKey(ProblemRule):
    """A key begins with `$`.

    ## Why is this bad?
    The input of a Ground Truth labeling job must not have such keys. Streaming jobs write them into their output, which
    then cannot be the input of another job as it is.

    ## How to mend it
    Remove or rename the key.
    """

    code = "MAN302"
    name = "dollar-key"
    severity = Severity.ERROR
    targets = ("ground-truth",)
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=lines(detection(extra={"$sequencer": 1})),
            says="the key `$sequencer` begins with $, which the input of a labeling job must not; rename or remove it",
        ),
    )


class MissingSource(ProblemRule):
    """The line has neither `source-ref` nor `source`.

    ## Why is this bad?
    Ground Truth cannot label it: the object fails.

    ## How to mend it
    Write the image's URI as source-ref.
    """

    code = "MAN303"
    name = "missing-source"
    severity = Severity.ERROR
    targets = ("ground-truth",)
    examples = (
        Good(manifest=lines('{"source": "some text"}')),
        Bad(
            manifest=lines('{"source_ref": "s3://bucket/1.jpg"}'),
            says="the line has neither source-ref nor source; source_ref: did you mean source-ref?",
        ),
    )
