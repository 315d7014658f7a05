"""MAN: the manifest file, and its lines as JSON."""

from __future__ import annotations

from polars import LazyFrame, col

from groundlint import Bad, Good, Rule, Severity
from groundlint_rules.samples import classification, detection, lines
from groundlint_rules.service import ProblemRule, ServiceRule, and_others


class NotAManifest(ServiceRule):
    """The file is no manifest.

    ## Why is this bad?
    The service takes UTF-8 text with one JSON object on each line and fails the training on anything else. What the
    file is instead is named where it can be told: UTF-16, gzip, a JSON array, a COCO data set, a manifest_summary.json,
    a Git LFS pointer, a file with merge-conflict markers.

    ## How to mend it
    Name the manifest itself, or convert the file.

    ## What the documents leave open
    Compressed files are not mentioned; they are taken as unsupported.
    """

    code = "MAN101"
    name = "not-a-manifest"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
    targets = ("rekognition", "ground-truth")
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=f"[{detection()},{detection()}]",
            says="the file is one JSON array; write each of its objects on a line of its own, without commas",
        ),
        Bad(manifest="label,image\ncat,1.jpg\n"),
    )

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """Verdicts on the content; the suffix has a rule of its own."""
        return super().check(verdicts).filter(col("kind") == self.name)


class EmptyManifest(ServiceRule):
    """The manifest holds no line.

    ## Why is this bad?
    There is nothing to train on, and the training fails. UpdateDatasetEntries and dataset creation refuse it as
    InvalidManifestException.

    ## How to mend it
    Look for the step that should have written it.
    """

    code = "MAN102"
    name = "empty-manifest"
    severity = Severity.ERROR
    aws = "ERROR_EMPTY_MANIFEST"
    targets = ("rekognition", "ground-truth")
    examples = (
        Good(manifest=lines(detection())),
        Bad(manifest="\n\n", says="the file is empty; it must hold one line for each image"),
        Bad(manifest=""),
    )


class ManifestTooLarge(ServiceRule):
    """The manifest is larger than 1 GB.

    ## Why is this bad?
    The service does not take it. Dataset creation refuses it as InvalidManifestException.

    ## How to mend it
    Split the data set, or leave out keys that training does not need.

    ## What the documents leave open
    Whether 1 GB is 10^9 or 2^30 bytes: files over 2^30 bytes are this error, files over 10^9 bytes a warning (MAN104).
    """

    code = "MAN103"
    name = "manifest-too-large"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_SIZE_TOO_LARGE"
    examples = (
        Good(problems=[{"kind": "large-manifest"}]),
        Bad(problems=[{"kind": "manifest-too-large", "line": None, "loses": "training"}]),
    )


class LargeManifest(ProblemRule):
    """The manifest is larger than 10^9 bytes.

    ## Why is this bad?
    The service's limit of 1 GB may mean 10^9 bytes.

    ## How to mend it
    Split the data set, or leave out keys that training does not need.
    """

    code = "MAN104"
    name = "large-manifest"
    severity = Severity.WARNING
    targets = ("rekognition",)
    examples = (Good(manifest=lines(detection())), Bad(problems=[{"kind": "large-manifest", "line": None}]))


class ManifestWithoutSuffix(ProblemRule):
    """The name of the manifest has no suffix.

    ## Why is this bad?
    The service's list of errors says that a manifest without a suffix is refused.

    ## How to mend it
    Name the file `….manifest`.

    ## What the documents leave open
    Other pages call the suffix optional; so this is a warning.
    """

    code = "MAN105"
    name = "manifest-without-suffix"
    severity = Severity.WARNING
    aws = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
    targets = ("rekognition",)
    examples = (Good(manifest=lines(detection())), Bad(problems=[{"kind": "manifest-without-suffix", "line": None}]))


class TooManyLines(ServiceRule):
    """The manifest has more lines than the service takes.

    ## Why is this bad?
    The data set cannot be created. Blank and invalid lines count.

    ## How to mend it
    Leave out lines. The limit is 250,000; for image-level labels it can be raised to 500,000 on request (set
    `max-images`); in Mumbai and London it is 28,000 for training and 7,000 for testing (set `region`).
    """

    code = "MAN106"
    name = "too-many-lines"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM"
    examples = (
        Good(manifests=[{"lines": 250_000}]),
        Good(manifests=[{"lines": 500_000}], limits=[{"max_images": 500_000}]),
        Bad(manifests=[{"lines": 250_001}]),
        Bad(
            manifests=[{"lines": 7_001, "split": "test"}],
            limits=[{"region": "eu-west-2"}],
            says="the manifest has 7,001 lines; the service takes 7,000; leave out lines",
        ),
    )


class TooManyInvalidLines(ServiceRule):
    """More than a fifth of the manifest's lines are lost.

    ## Why is this bad?
    The service drops invalid lines up to 20 % of a manifest; above, the training fails. Lines that it merely ignores,
    those without labels, do not count.

    ## How to mend it
    Mend the other findings of the manifest.

    ## What the documents leave open
    Whether exactly 20 % is too many: here it is not.
    """

    code = "MAN107"
    name = "too-many-invalid-lines"
    severity = Severity.ERROR
    aws = "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST"
    examples = (
        Good(manifest=lines(*[classification(source_ref=f"s3://bucket/{n}.jpg") for n in range(4)], "{}")),
        Bad(
            manifest=lines(*[classification(source_ref=f"s3://bucket/{n}.jpg") for n in range(3)], "{}"),
            says="1 of 4 lines are lost; above 20% the training fails; mend the lines",
        ),
    )


class TooManyRemovedLines(ServiceRule):
    """More than a fifth of the manifest's lines would be removed silently.

    ## Why is this bad?
    When a data set is created, lines that are too long, no valid JSON, without a sound source-ref, or repeat one, are
    removed without a word in console or API. Too many of them fail the creation.

    ## How to mend it
    Mend the findings MAN201, MAN202, REF101, REF102 and REF104 of the manifest.

    ## What the documents leave open
    How many are too many: 20 %, the only share that the documents name, is taken.
    """

    code = "MAN108"
    name = "too-many-removed-lines"
    severity = Severity.ERROR
    aws = "ERROR_TOO_MANY_RECORDS_IN_ERROR"
    examples = (
        Good(manifest=lines(*[classification(source_ref=f"s3://bucket/{n}.jpg") for n in range(2)])),
        Bad(
            manifest=lines(classification(), "not json"),
            says="1 of 2 lines would be removed silently; above 20% the training fails; mend the lines",
        ),
    )


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
        """The first line of each manifest with the key, and how many others have it."""
        orphans = problems.filter(col("kind") == self.name).sort("line")
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
