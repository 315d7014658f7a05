"""MAN: lines that a Ground Truth labeling job does not accept as input."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Safety, Severity, pointer, rename_key
from groundlint_rules.samples import detection, lines
from groundlint_rules.service import ProblemRule, repairing


class AttributeTooLong(ProblemRule):
    """A value of the line has more than 20,000 characters.

    ## Why it matters
    The input of a Ground Truth labeling job must not contain such a value.

    ## How to fix it
    Leave the value out, or put it into a file of its own.
    """

    code = "MAN301"
    name = "attribute-too-long"
    severity = Severity.ERROR
    targets = ("ground-truth",)
    message = "the value of `{key}` is too long: {count:# character}, but {limit:,} are allowed; shorten or remove it"
    examples = (
        Good(manifest=lines(detection(extra={"note": "x" * 19_000}))),
        Bad(
            manifest=lines(detection(extra={"note": "x" * 20_000})),
            says="the value of `note` is too long: 20,002 characters, but 20,000 are allowed; shorten or remove it",
        ),
    )


class DollarKey(ProblemRule):
    """A key begins with `$`.

    ## Why it matters
    The input of a Ground Truth labeling job must not contain such keys. Streaming jobs write them into their output,
    which therefore cannot be the input of another job unchanged.

    ## How to fix it
    Remove or rename the key.
    """

    code = "MAN302"
    name = "dollar-key"
    severity = Severity.ERROR
    targets = ("ground-truth",)
    message = "the key `{key}` begins with $, which a labeling job refuses; rename or remove it"
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=lines(detection(extra={"$sequencer": 1})),
            says="the key `$sequencer` begins with $, which a labeling job refuses; rename or remove it",
        ),
    )


class MissingSource(ProblemRule):
    """The line has neither `source-ref` nor `source`.

    ## Why it matters
    Ground Truth cannot label the line: the labeling of this object fails.

    ## How to fix it
    Write the image's URI as `source-ref`.

    ## Causes
    - The line has no such key, nor one with a similar name.
    - A key has a similar name, such as `source_ref`.
    """

    code = "MAN303"
    name = "missing-source"
    severity = Severity.ERROR
    targets = ("ground-truth",)
    messages = {
        "missing-source": "neither source-ref nor source; add the image's URI as source-ref",
        "misnamed-source": "neither source-ref nor source; rename `{found}` to source-ref",
    }
    fixes = {Safety.SAFE: "Renames a misspelt `source-ref`."}
    examples = (
        Good(manifest=lines('{"source": "some text"}')),
        Bad(
            manifest=lines('{"source_ref": "s3://bucket/1.jpg"}'),
            says="neither source-ref nor source; rename `source_ref` to source-ref",
        ),
        Bad(
            manifest=lines('{"source": "some text"}', '{"text": 1}'),
            says="neither source-ref nor source; add the image's URI as source-ref",
        ),
    )

    def check(self, problems: LazyFrame) -> LazyFrame:
        """Every problem of the rule's kinds."""
        rows = super().check(problems)
        renamed = pl.concat_list(rename_key(pointer(col("found")), lit("source-ref")))
        return repairing(rows, col("kind") == "misnamed-source", renamed, Safety.SAFE)
