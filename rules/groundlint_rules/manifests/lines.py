"""MAN: the lines of a manifest as JSON."""

from __future__ import annotations

from polars import LazyFrame, col

from groundlint import Bad, Good, Rule, Severity
from groundlint_rules.samples import classification, detection, lines
from groundlint_rules.service import ProblemRule, ServiceRule, and_others


class InvalidJson(ServiceRule):
    """The line is no valid JSON object.

    ## Why is this bad?
    The service drops the line. A blank line counts as an invalid one. NaN, Infinity, raw control characters, bytes that
    are not UTF-8, lone surrogates and nesting over 500 levels are no valid JSON either, though some parsers take them.

    ## How to mend it
    Write one complete JSON object on the line.
    """

    code = "MAN201"
    name = "invalid-json"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_JSON_LINE"
    targets = ("rekognition", "ground-truth")
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=lines(detection(), detection()[:-1]),
            says="the line is no valid JSON: a comma is missing, or the object is not closed, at character 428",
        ),
        Bad(manifest=lines(detection(), ""), says="the line is blank and counts as an invalid one; remove it"),
        Bad(manifest=lines(detection(), '{"source-ref": "s3://bucket/2.jpg", "score": NaN}')),
    )


class LineTooLong(ProblemRule):
    """The line has more than 100,000 characters.

    ## Why is this bad?
    Custom Labels removes the line silently when the data set is created; Ground Truth refuses the job.

    ## How to mend it
    Leave out keys that training does not need, or split the image and its boxes.
    """

    code = "MAN202"
    name = "line-too-long"
    severity = Severity.ERROR
    examples = (
        Good(manifest=lines(detection(extra={"note": "x" * 99_000}))),
        Bad(manifest=lines(detection(extra={"note": "x" * 100_000}))),
    )


class RepeatedKey(ProblemRule):
    """A key stands twice in one JSON object.

    ## Why is this bad?
    Only one of the values counts, and which one depends on the parser: here, as for most, the last.

    ## How to mend it
    Remove the wrong one.
    """

    code = "MAN203"
    name = "repeated-key"
    severity = Severity.WARNING
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=lines(classification().replace('"class-name"', '"class-name": "dog", "class-name"')),
            says="the key `class-name` stands twice in one object; only the last one counts",
        ),
    )


class ByteOrderMark(ProblemRule):
    """The file begins with a byte order mark.

    ## Why is this bad?
    Most parsers take it as part of the first line, which then is no valid JSON.

    ## How to mend it
    Save the file as UTF-8 without a byte order mark.
    """

    code = "MAN204"
    name = "byte-order-mark"
    severity = Severity.ERROR
    examples = (Good(manifest=lines(detection())), Bad(manifest="\ufeff" + lines(detection())))


class CrlfLineEnds(ProblemRule):
    """Lines end in CR LF.

    ## Why is this bad?
    Ground Truth allows it, but tools that split lines at LF keep the CR, and a file with both ends is easily torn.

    ## How to mend it
    Write LF alone; in git set `*.manifest text eol=lf`.
    """

    code = "MAN205"
    name = "crlf-line-ends"
    severity = Severity.INFO
    examples = (
        Good(manifest=lines(detection())),
        Bad(manifest=f"{detection()}\r\n", says="1 lines end in CR LF; write LF alone"),
    )


class OrphanKey(Rule):
    """A key looks like one half of a label: its `-metadata` is missing, or the key to that.

    ## Why is this bad?
    A label is a key and the same key with `-metadata`. One without the other is no label, and the service passes over
    it without a word as long as the line has another one.

    ## How to mend it
    Add the missing half, mend its name, or remove the key. One finding stands for all lines of a manifest with the key.
    """

    code = "MAN206"
    name = "orphan-key"
    severity = Severity.WARNING
    message = "{detail}{others}"
    examples = (
        Good(manifest=lines(classification(extra={"page": 1}))),
        Bad(
            manifest=lines(classification(extra={"fruit_metadata": {"class-name": "pear"}, "fruit": 1})),
            says="`fruit` has no `fruit-metadata` beside it; fruit_metadata: did you mean fruit-metadata?",
        ),
    )

    def check(self, problems: LazyFrame) -> LazyFrame:
        """One line of each manifest with the key, and how many others have it."""
        orphans = problems.filter(col("kind") == self.name).sort("source_ref", "line")
        return orphans.group_by("manifest", "attribute").agg(
            col("line", "source_ref", "detail").first(), others=and_others()
        )


class RecordedError(Rule):
    """The manifest records an error that the service found in an earlier training.

    ## Why is this bad?
    It is a validation manifest or comes from ListDatasetEntries, and the fault may still be there. An error that the
    line still has is not told again.

    ## How to mend it
    Mend the fault, then remove the keys `errors`, `warnings` and `cl-errors`.
    """

    code = "MAN207"
    name = "recorded-error"
    severity = Severity.INFO
    message = "{detail}"
    targets = ("rekognition",)
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(
                classification(extra={"cl-errors": [{"code": "ERROR_INVALID_IMAGE", "message": "It is …"}]})
            ),
            says="the file records ERROR_INVALID_IMAGE: It is …",
        ),
    )

    def check(self, problems: LazyFrame, verdicts: LazyFrame) -> LazyFrame:
        """Recorded errors that no verdict on the same line repeats."""
        recorded = problems.filter(col("kind") == self.name).with_columns(aws=col("recorded"))
        return recorded.join(verdicts, on=["manifest", "line", "aws"], how="anti")


class UnannotatedLine(ServiceRule):
    """The line names an image without labels.

    ## Why is this bad?
    The service ignores it. It does not count as invalid, but the image is missing in training.

    ## How to mend it
    Label the image, or remove the line.
    """

    code = "MAN208"
    name = "unannotated-line"
    severity = Severity.WARNING
    aws = "WARNING_UNANNOTATED_RECORD"
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines('{"source-ref": "s3://bucket/1.jpg"}'),
            says="the line names an image without labels; the service ignores it",
        ),
    )
