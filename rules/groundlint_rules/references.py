"""REF: how lines name their images."""

from __future__ import annotations

from urllib.parse import unquote

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Rule, Safety, Severity, keep_line, pointer, rename_key
from groundlint.engine.edits import remove_copy
from groundlint_rules.samples import beside_a_sound_line, classification, detection, lines
from groundlint_rules.service import REMOVES_LINE, LostLineRule, PlainLostLineRule, ServiceRule, first_lines, repairing


class MissingSourceRef(LostLineRule):
    """The line has no `source-ref`.

    ## Why it matters
    The service does not know the image and drops the line; when a data set is created, it does so without a message.

    ## How to fix it
    Write the image's URI as `source-ref`.

    ## Causes
    - The line has no such key, nor one with a similar name.
    - A key has a similar name, such as `source_ref`.
    - The line has `source`: it holds text, which Custom Labels does not train on.
    """

    code = "REF101"
    name = "missing-source-ref"
    severity = Severity.ERROR
    aws = "ERROR_MISSING_SOURCE_REF"
    messages = {
        "missing-source-ref": "no source-ref; add the image's URI as s3://bucket/key",
        "misnamed-source-ref": "no source-ref; rename `{found}` to source-ref",
        "text-source": "no source-ref: `source` holds text, which Custom Labels does not train on; add source-ref",
    }
    fixes = {Safety.SAFE: "Renames a misspelt `source-ref`.", Safety.UNSAFE: REMOVES_LINE}
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification().replace("source-ref", "source_ref")),
            says="no source-ref; rename `source_ref` to source-ref",
        ),
        Bad(
            manifest=lines(classification().replace("source-ref", "file")),
            says="no source-ref; add the image's URI as s3://bucket/key",
        ),
        Bad(
            manifest=lines(classification().replace("source-ref", "source")),
            says="no source-ref: `source` holds text, which Custom Labels does not train on; add source-ref",
        ),
        Bad(manifest=beside_a_sound_line(classification().replace("source-ref", "file"))),
    )

    def check(self, verdicts: LazyFrame, lost_lines: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        rows = self.of_rule(verdicts, lost_lines)
        renamed = pl.concat_list(rename_key(pointer(col("found")), lit("source-ref")))
        return repairing(rows, col("kind") == "misnamed-source-ref", renamed, Safety.SAFE)


class InvalidSourceRef(PlainLostLineRule):
    """The `source-ref` is not of the form `s3://bucket/key`.

    ## Why it matters
    The service cannot load the image and drops the line; when a data set is created, it does so without a message.

    ## How to fix it
    Copy the image into a bucket and write its S3 URI; `https://` is not accepted.
    """

    code = "REF102"
    name = "invalid-source-ref"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_SOURCE_REF_FORMAT"
    message = "source-ref is {found}, not an S3 URI; write s3://bucket/key"
    examples = (
        Good(manifest=lines(classification(source_ref="s3://bucket/a b/1.jpg"))),
        Bad(
            manifest=lines(classification(source_ref="https://bucket.s3.amazonaws.com/1.jpg")),
            says="source-ref is https://bucket.s3.amazonaws.com/1.jpg, not an S3 URI; write s3://bucket/key",
        ),
        Bad(manifest=lines(classification(source_ref="s3://bucket"))),
        Bad(manifest=beside_a_sound_line(classification(source_ref="s3://bucket"))),
    )


class SeveralBuckets(ServiceRule):
    """The images of a manifest are in more than one bucket.

    ## Why it matters
    The training fails. The manifest itself may be in another bucket than its images.

    ## How to fix it
    Copy the images into one bucket.
    """

    code = "REF103"
    name = "several-buckets"
    severity = Severity.ERROR
    aws = "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS"
    message = "the images are in {count:# bucket} ({found}), but the service accepts one; copy them into one bucket"
    examples = (
        Good(lines=[{"bucket": "a"}, {"bucket": "a", "line": 2}]),
        Bad(
            manifest=lines(classification(source_ref="s3://cats/1.jpg"), classification(source_ref="s3://dogs/1.jpg")),
            says="the images are in 2 buckets (cats, dogs), but the service accepts one; copy them into one bucket",
        ),
    )


class RepeatedSourceRef(LostLineRule):
    """An earlier line names the same image.

    ## Why it matters
    An image may be in a data set only once. The service removes later lines, with their labels, without a message.

    ## How to fix it
    Merge the labels or boxes of the lines into one line, or remove the later ones.

    ## Causes
    - The image is in the manifest twice.
    - The lines have different boxes: each box, or each labeling job, was written on a line of its own.
    """

    code = "REF104"
    name = "repeated-source-ref"
    severity = Severity.ERROR
    messages = {
        "repeated-source-ref": "same source-ref as line {count} of {found}, and only that line is used; "
        "merge their labels or remove this line",
        "repeated-with-other-boxes": "same source-ref as line {count} of {found}, but other boxes, and only that line "
        "is used; merge the boxes into one line",
    }
    fixes = {
        Safety.SAFE: "Removes the line if it has the same bytes as the first one.",
        Safety.UNSAFE: REMOVES_LINE,
    }
    examples = (
        Good(manifest=lines(classification(), classification(source_ref="s3://bucket/2.jpg"))),
        Good(manifest=lines(classification()), test_manifest=lines(classification())),
        Bad(manifest=lines(classification(), classification())),
        Bad(
            manifest=lines(classification(), classification("dog")),
            says="same source-ref as line 1 of train.manifest, and only that line is used; "
            "merge their labels or remove this line",
        ),
        Bad(
            manifest=lines(detection(), detection({"left": 300})),
            says="same source-ref as line 1 of train.manifest, but other boxes, and only that line is used; "
            "merge the boxes into one line",
        ),
    )

    def check(self, verdicts: LazyFrame, lost_lines: LazyFrame) -> LazyFrame:
        """Lines that repeat an earlier one, which is related."""
        first = pl.struct("source_ref", manifest="found", line="count")
        rows = self.of_rule(verdicts, lost_lines).with_columns(related=pl.concat_list(first))
        removed = pl.concat_list(remove_copy(), keep_line(manifest=col("found"), line=col("count")))
        return repairing(rows, col("edits").is_not_null(), removed, Safety.UNSAFE)


class UpperCaseScheme(Rule):
    """The `source-ref` begins with `S3://`.

    ## Why it matters
    One page of the service's guide shows this form, all others show `s3://`, and other tools do not find the image.
    Each manifest gets one finding.

    ## How to fix it
    Write `s3://`.
    """

    code = "REF105"
    name = "upper-case-scheme"
    severity = Severity.WARNING
    precision = FACT
    message = "source-ref {source_ref} begins with S3://; write s3://{others}"
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(source_ref="S3://bucket/1.jpg")),
            says="source-ref S3://bucket/1.jpg begins with S3://; write s3://",
        ),
    )

    def check(self, lines: LazyFrame, unused_lines: LazyFrame) -> LazyFrame:
        """The first line of each manifest with the scheme."""
        upper = lines.filter(col("source_ref").str.starts_with("S3://"))
        return first_lines(upper, unused_lines, "data_set", "manifest")


class InvalidBucketName(Rule):
    """The bucket of a `source-ref` has a name that no bucket can have.

    ## Why it matters
    Bucket names have 3 to 63 lower-case letters, digits, dots and hyphens. Access points, ARNs and placeholders that
    were never filled in have other characters, and the service does not document that it accepts them. A manifest gets
    one finding for each such bucket.

    ## How to fix it
    Write the name of the bucket.
    """

    code = "REF106"
    name = "invalid-bucket-name"
    severity = Severity.WARNING
    precision = FACT
    message = "invalid bucket name {bucket!r}: not 3 to 63 of a-z, 0-9, dot and hyphen; write s3://bucket/key{others}"
    examples = (
        Good(lines=[{"bucket": "my-bucket.eu"}]),
        Bad(
            lines=[{"bucket": "lab#-rawdata"}],
            says="invalid bucket name 'lab#-rawdata': not 3 to 63 of a-z, 0-9, dot and hyphen; write s3://bucket/key",
        ),
        Bad(lines=[{"bucket": "arn:aws:s3:eu-west-1:1:accesspoint"}]),
    )

    def check(self, lines: LazyFrame, unused_lines: LazyFrame) -> LazyFrame:
        """The first line of each manifest with each invalid bucket."""
        invalid = lines.filter(~col("bucket").str.contains("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"))
        return first_lines(invalid, unused_lines, "data_set", "manifest", "bucket")


class SuspiciousKey(Rule):
    """The key of a `source-ref` has an invisible character, a space at one end, an empty folder name, or backslashes.

    ## Why it matters
    S3 compares keys exactly. Such a key is rarely intended, and the difference is hard to see. Backslashes come from
    paths of Windows, usually on all lines, and give one finding for the manifest; S3 separates folders by slashes.

    ## How to fix it
    Correct the URI. If the object really has this key, rename the object as well.
    """

    code = "REF107"
    name = "suspicious-key"
    severity = Severity.WARNING
    precision = FACT
    message = "the key of source-ref has {what}: {source_ref}; rename the object or correct the URI{others}"
    examples = (
        Good(lines=[{"key": "a b/한.jpg"}]),
        Bad(
            lines=[{"key": "a//1.jpg", "source_ref": "s3://bucket/a//1.jpg"}],
            says="the key of source-ref has an empty folder name: s3://bucket/a//1.jpg; "
            "rename the object or correct the URI",
        ),
        Bad(lines=[{"key": "1.jpg "}]),
        Bad(lines=[{"key": "1\u200b.jpg"}]),
        Bad(
            lines=[{"key": "img\\1.jpg", "source_ref": "s3://bucket/img\\1.jpg"}],
            says="the key of source-ref has backslashes: s3://bucket/img\\1.jpg; rename the object or correct the URI",
        ),
    )

    def check(self, lines: LazyFrame, unused_lines: LazyFrame) -> LazyFrame:
        """Keys with a suspicious part, by the first kind that applies; of backslashes the first of a manifest."""
        key = col("key")
        what = (
            pl.when(key.str.contains(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]"))
            .then(lit("an invisible character"))
            .when(key.str.contains(r"^\s|\s$"))
            .then(lit("a space at one end"))
            .when(key.str.contains("^/|//"))
            .then(lit("an empty folder name"))
            .when(key.str.contains("\\", literal=True))
            .then(lit("backslashes"))
        )
        suspicious = lines.with_columns(what=what).filter(col("what").is_not_null())
        has_backslashes = col("what") == "backslashes"
        first = first_lines(suspicious.filter(has_backslashes), unused_lines, "data_set", "manifest")
        others = suspicious.filter(~has_backslashes).with_columns(others=lit(""))
        return pl.concat([others, first], how="diagonal")


class NearIdenticalSourceRefs(Rule):
    """Two source-refs differ only in case, percent-encoding or invisible characters.

    ## Why it matters
    To the service they are two images; usually one image was meant, and one of the two is not found.

    ## How to fix it
    Write the key as it is in the bucket, without percent-encoding.
    """

    code = "REF108"
    name = "near-identical-source-refs"
    severity = Severity.WARNING
    precision = FACT
    message = (
        "{source_ref} differs from {other} only in case, percent-encoding or invisible characters; "
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
        """Source-refs that are an earlier, different one of the same manifest when normalized."""
        source_ref = col("source_ref")
        decoded = (
            pl.when(source_ref.str.contains("%", literal=True))
            .then(source_ref.map_batches(_unquote, return_dtype=pl.String))
            .otherwise(source_ref)
        )
        plain = decoded.str.to_lowercase().str.replace_all(r"[\p{Cc}\p{Cf}]", "")
        manifest = ["data_set", "manifest"]
        same = [*manifest, "plain"]
        named = lines.filter(source_ref.is_not_null()).sort("line")
        distinct = named.unique([*manifest, "source_ref"], keep="first", maintain_order=True).with_columns(plain=plain)
        similar = distinct.filter(pl.struct(same).is_duplicated())
        return similar.with_columns(other=source_ref.first().over(same)).filter(source_ref != col("other"))


def _unquote(texts: pl.Series) -> pl.Series:
    return pl.Series([text if text is None or "%" not in text else unquote(text) for text in texts], dtype=pl.String)
