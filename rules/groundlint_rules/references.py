"""REF: how lines name their images."""

from __future__ import annotations

from urllib.parse import unquote

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Rule, Severity
from groundlint_rules.samples import classification, lines
from groundlint_rules.service import ServiceRule, and_others


class MissingSourceRef(ServiceRule):
    """The line has no `source-ref`.

    ## Why is this bad?
    The service does not know the image and drops the line; when a data set is created it does so silently.

    ## How to mend it
    Write the image's URI as `source-ref`. Lines with `source` hold text, which Custom Labels does not train on.
    """

    code = "REF101"
    name = "missing-source-ref"
    severity = Severity.ERROR
    aws = "ERROR_MISSING_SOURCE_REF"
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification().replace("source-ref", "source_ref")),
            says="the line has no source-ref; source_ref: did you mean source-ref?",
        ),
    )


class InvalidSourceRef(ServiceRule):
    """The `source-ref` is not of the form `s3://bucket/key`.

    ## Why is this bad?
    The service cannot load the image and drops the line; when a data set is created it does so silently.

    ## How to mend it
    Copy the image into a bucket and write its S3 URI; `https://` is not taken.
    """

    code = "REF102"
    name = "invalid-source-ref"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_SOURCE_REF_FORMAT"
    examples = (
        Good(manifest=lines(classification(source_ref="s3://bucket/a b/1.jpg"))),
        Bad(
            manifest=lines(classification(source_ref="https://bucket.s3.amazonaws.com/1.jpg")),
            says="source-ref is https://bucket.s3.amazonaws.com/1.jpg; write the image's URI as s3://bucket/key",
        ),
        Bad(manifest=lines(classification(source_ref="s3://bucket"))),
    )


class SeveralBuckets(ServiceRule):
    """The images of a manifest lie in more than one bucket.

    ## Why is this bad?
    The training fails. The manifest itself may lie in another bucket than its images.

    ## How to mend it
    Copy the images into one bucket.
    """

    code = "REF103"
    name = "several-buckets"
    severity = Severity.ERROR
    aws = "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS"
    examples = (
        Good(lines=[{"bucket": "a"}, {"bucket": "a", "line": 2}]),
        Bad(
            manifest=lines(classification(source_ref="s3://cats/1.jpg"), classification(source_ref="s3://dogs/1.jpg")),
            says="the images lie in 2 buckets (cats, dogs); copy them into one",
        ),
    )


class RepeatedSourceRef(Rule):
    """An earlier line names the same image.

    ## Why is this bad?
    An image may stand once in a data set. Later lines are removed silently, and their labels with them.

    ## How to mend it
    Join the labels of the lines in one, or remove the later ones.
    """

    code = "REF104"
    name = "repeated-source-ref"
    severity = Severity.ERROR
    message = "{detail}"
    targets = ("rekognition",)
    examples = (
        Good(manifest=lines(classification(), classification(source_ref="s3://bucket/2.jpg"))),
        Good(manifest=lines(classification()), test_manifest=lines(classification())),
        Bad(
            manifest=lines(classification(), classification("dog")),
            says="s3://bucket/1.jpg already stands on line 1 of train.manifest; only that line counts",
        ),
    )

    def check(self, repeated_lines: LazyFrame) -> LazyFrame:
        """Lines lost to an earlier one, with that one as related."""
        first = pl.struct("source_ref", manifest="first_manifest", line="first_line")
        return repeated_lines.with_columns(loses=lit("line"), related=pl.concat_list(first))


class UpperCaseScheme(Rule):
    """The `source-ref` begins with `S3://`.

    ## Why is this bad?
    One page of the service's guide writes it so, all others `s3://`; other tools do not find the image. One finding
    stands for all lines of a manifest.

    ## How to mend it
    Write `s3://`.
    """

    code = "REF105"
    name = "upper-case-scheme"
    severity = Severity.WARNING
    message = "source-ref {source_ref} begins with S3://; write s3://{others}"
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(source_ref="S3://bucket/1.jpg")),
            says="source-ref S3://bucket/1.jpg begins with S3://; write s3://",
        ),
    )

    def check(self, lines: LazyFrame) -> LazyFrame:
        """One line of each manifest with the scheme."""
        upper = lines.filter(col("source_ref").str.starts_with("S3://")).sort("source_ref", "line")
        return upper.group_by("manifest").agg(col("line", "source_ref").first(), others=and_others())


class OddBucketName(Rule):
    """The bucket of a `source-ref` is no bucket name.

    ## Why is this bad?
    Bucket names have 3 to 63 lower-case letters, digits, dots and hyphens. Access points, ARNs and placeholders that
    were never filled in have other characters, and the service does not document that it takes them. One finding stands
    for all lines of a manifest with the bucket.

    ## How to mend it
    Write the name of the bucket.
    """

    code = "REF106"
    name = "odd-bucket-name"
    severity = Severity.WARNING
    message = "{bucket} is no bucket name (3 to 63 of a-z, 0-9, dot, hyphen); write s3://bucket/key{others}"
    examples = (
        Good(lines=[{"bucket": "my-bucket.eu"}]),
        Bad(
            lines=[{"bucket": "lab#-rawdata"}],
            says="lab#-rawdata is no bucket name (3 to 63 of a-z, 0-9, dot, hyphen); write s3://bucket/key",
        ),
        Bad(lines=[{"bucket": "arn:aws:s3:eu-west-1:1:accesspoint"}]),
    )

    def check(self, lines: LazyFrame) -> LazyFrame:
        """One line of each manifest with each odd bucket."""
        odd = lines.filter(~col("bucket").str.contains("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")).sort("source_ref", "line")
        return odd.group_by("manifest", "bucket").agg(col("line", "source_ref").first(), others=and_others())


class OddSourceRef(Rule):
    """The `source-ref` has characters that cannot be seen, spaces at its ends, or an empty folder name.

    ## Why is this bad?
    S3 compares keys exactly: such a key is seldom the one that was meant, and nobody sees the difference.

    ## How to mend it
    Rename the object, or mend the URI. A key that really is so is better renamed, too.
    """

    code = "REF107"
    name = "odd-source-ref"
    severity = Severity.WARNING
    message = "the key of source-ref has {what}: {source_ref}; rename the object or mend the URI"
    examples = (
        Good(lines=[{"key": "a b/한.jpg"}]),
        Bad(
            lines=[{"key": "a//1.jpg", "source_ref": "s3://bucket/a//1.jpg"}],
            says="the key of source-ref has an empty folder name: s3://bucket/a//1.jpg; "
            "rename the object or mend the URI",
        ),
        Bad(lines=[{"key": "1.jpg "}]),
        Bad(lines=[{"key": "1\u200b.jpg"}]),
    )

    def check(self, lines: LazyFrame) -> LazyFrame:
        """Keys with the first of the oddities that they have."""
        key = col("key")
        what = (
            pl.when(key.str.contains(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]"))
            .then(pl.lit("an invisible character"))
            .when(key.str.contains(r"^\s|\s$"))
            .then(pl.lit("a space at one end"))
            .when(key.str.contains("^/|//"))
            .then(pl.lit("an empty folder name"))
        )
        return lines.with_columns(what=what).filter(col("what").is_not_null())


class TwinSourceRef(Rule):
    """Two source-refs differ only in case, percent-encoding or invisible characters.

    ## Why is this bad?
    They are two images to the service, but mostly one to those who made the data, and one of the two is not found.

    ## How to mend it
    Write the key as it stands in the bucket, without percent-encoding.
    """

    code = "REF108"
    name = "twin-source-ref"
    severity = Severity.WARNING
    message = (
        "{source_ref} differs from {twin} only in case, percent-encoding or invisible characters; "
        "write the one that exists"
    )
    examples = (
        Good(lines=[{"source_ref": "s3://b/1.jpg"}, {"line": 2, "source_ref": "s3://b/2.jpg"}]),
        Bad(
            lines=[{"source_ref": "s3://b/a b.jpg"}, {"line": 2, "source_ref": "s3://b/a%20b.jpg"}],
            says="s3://b/a%20b.jpg differs from s3://b/a b.jpg only in case, percent-encoding or invisible characters; "
            "write the one that exists",
        ),
        Bad(lines=[{"source_ref": "s3://b/1.jpg"}, {"line": 2, "source_ref": "s3://b/1.JPG"}]),
    )

    def check(self, lines: LazyFrame) -> LazyFrame:
        """Source-refs whose plain form an earlier, different one of the same manifest has."""
        source_ref = col("source_ref")
        decoded = (
            pl.when(source_ref.str.contains("%", literal=True))
            .then(source_ref.map_batches(_unquote, return_dtype=pl.String))
            .otherwise(source_ref)
        )
        plain = decoded.str.to_lowercase().str.replace_all(r"[\p{Cc}\p{Cf}]", "")
        same = ["manifest", "plain"]
        distinct = lines.sort("line").unique(["manifest", "source_ref"], keep="first", maintain_order=True)
        twins = distinct.with_columns(plain=plain).filter(pl.struct(same).is_duplicated())
        return twins.with_columns(twin=source_ref.first().over(same)).filter(source_ref != col("twin"))


def _unquote(texts: pl.Series) -> pl.Series:
    return pl.Series([text if text is None or "%" not in text else unquote(text) for text in texts], dtype=pl.String)
