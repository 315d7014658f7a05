"""MAN: the manifest as a file, and what its losses come to."""

from __future__ import annotations

from polars import LazyFrame, col

from groundlint import Bad, Good, Severity
from groundlint_rules.samples import classification, detection, lines
from groundlint_rules.service import ProblemRule, ServiceRule


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
