"""MAN: the lines of a manifest as JSON."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col

from groundlint import FACT, Bad, Good, Rule, Safety, Severity, pointer, remove_line, rename_key
from groundlint.engine.edits import Operation, edit_file
from groundlint.manifest.kinds import kinds_of
from groundlint_rules.diagnoses import PlainDiagnosisRule
from groundlint_rules.samples import beside_a_sound_line, classification, detection, lines
from groundlint_rules.service import (
    REMOVES_LINE,
    LostLineRule,
    ProblemRule,
    ServiceRule,
    first_lines,
    problems_of,
    removing_lost_lines,
    repairing,
)
from groundlint_rules.tables.verdicts import of_custom_labels


class InvalidJson(LostLineRule):
    """The line is not a valid JSON object.

    ## Why it matters
    The service drops the line.

    ## How to fix it
    Write one complete JSON object on the line.

    ## Causes
    - The line is not JSON. NaN, Infinity, raw control characters, bytes that are not UTF-8, lone surrogates and nesting
      over 500 levels are not valid JSON either, although some parsers accept them.
    - The line is blank, which counts as invalid.
    - The line is JSON, but not an object.
    """

    code = "MAN201"
    name = "invalid-json"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_JSON_LINE"
    targets = ("rekognition", "ground-truth")
    messages = {
        "invalid-json": "invalid JSON: {found}",
        "blank-line": "blank line, which counts as invalid; remove it",
        "not-an-object": "not a JSON object; write {{…}} with source-ref and labels",
    }
    fixes = {Safety.SAFE: "Removes blank lines.", Safety.UNSAFE: REMOVES_LINE}
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=lines(detection(), detection()[:-1]),
            says="invalid JSON: a comma is missing, or the object is not closed, at character 428",
        ),
        Bad(manifest=lines(detection(), ""), says="blank line, which counts as invalid; remove it"),
        Bad(manifest=lines(detection(), "[1]"), says="not a JSON object; write {…} with source-ref and labels"),
        Bad(manifest=lines(detection(), '{"source-ref": "s3://bucket/2.jpg", "score": NaN}')),
    )

    def check(self, verdicts: LazyFrame, lost_lines: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        rows = self.of_rule(verdicts, lost_lines)
        return repairing(rows, col("kind") == "blank-line", pl.concat_list(remove_line()), Safety.SAFE)


class LineTooLong(Rule):
    """The line has more than 100,000 characters.

    ## Why it matters
    Custom Labels removes the line without a message when the data set is created; Ground Truth refuses the job.

    ## How to fix it
    Leave out keys that training does not need, or split the image into parts, each with its boxes.

    ## Causes
    - More than 100,000 characters.
    - More than 8 MiB: groundlint does not parse the line, so other faults in it are not reported.
    """

    code = "MAN202"
    name = "line-too-long"
    severity = Severity.ERROR
    precision = FACT
    messages = {
        "line-too-long": "line too long: {count:# character}, but {limit:,} are allowed; remove keys",
        "line-not-parsed": "line too long: {count:# byte}, and above {limit:,} it is not parsed; remove keys",
    }
    examples = (
        Good(manifest=lines(detection(extra={"note": "x" * 99_000}))),
        Bad(manifest=lines(detection(extra={"note": "x" * 100_000}))),
        Bad(
            problems=[{"kind": "line-not-parsed", "loses": "line", "values": {"count": 9_000_000, "limit": 8_388_608}}],
            says="line too long: 9,000,000 bytes, and above 8,388,608 it is not parsed; remove keys",
        ),
        Bad(manifest=beside_a_sound_line(detection(extra={"note": "x" * 100_000}))),
    )
    fixes = {Safety.UNSAFE: REMOVES_LINE}

    def check(self, problems: LazyFrame, lost_lines: LazyFrame) -> LazyFrame:
        """Every problem of the rule's kinds."""
        return removing_lost_lines(problems_of(self, problems), lost_lines)


class DuplicateKey(ProblemRule):
    """A JSON object has a key twice.

    ## Why it matters
    Only one of the values is used, and which one depends on the parser: here, as in most parsers, the last one.

    ## How to fix it
    Remove the wrong value.
    """

    code = "MAN203"
    name = "duplicate-key"
    severity = Severity.WARNING
    message = "duplicate key `{key}`; only the last value is used"
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=lines(classification().replace('"class-name"', '"class-name": "dog", "class-name"')),
            says="duplicate key `class-name`; only the last value is used",
        ),
    )


class ByteOrderMark(ProblemRule):
    """The file begins with a byte order mark.

    ## Why it matters
    Most parsers read it as part of the first line, which is then not valid JSON.

    ## How to fix it
    Save the file as UTF-8 without a byte order mark.
    """

    code = "MAN204"
    name = "byte-order-mark"
    severity = Severity.ERROR
    message = "the file begins with a byte order mark, which breaks its first line; save it as UTF-8 without one"
    fixes = {Safety.SAFE: "Removes the byte order mark."}
    examples = (Good(manifest=lines(detection())), Bad(manifest="\ufeff" + lines(detection())))

    def check(self, problems: LazyFrame) -> LazyFrame:
        """Every byte order mark."""
        return super().check(problems).with_columns(edits=pl.concat_list(edit_file(Operation.REMOVE_BYTE_ORDER_MARK)))


class CrlfLineEnds(ProblemRule):
    """Lines end in CR LF.

    ## Why it matters
    Ground Truth accepts it, but tools that split lines at LF keep the CR, and mixed line ends easily break lines.

    ## How to fix it
    End lines in LF; in git set `*.manifest text eol=lf`.
    """

    code = "MAN205"
    name = "crlf-line-ends"
    severity = Severity.INFO
    message = "CRLF line ends on {count:# line}; end lines in LF"
    fixes = {Safety.SAFE: "Ends all lines in LF."}
    examples = (
        Good(manifest=lines(detection())),
        Bad(manifest=f"{detection()}\r\n", says="CRLF line ends on 1 line; end lines in LF"),
    )

    def check(self, problems: LazyFrame) -> LazyFrame:
        """Every manifest with such lines."""
        return super().check(problems).with_columns(edits=pl.concat_list(edit_file(Operation.END_LINES_IN_LF)))


class OrphanKey(Rule):
    """A key looks like a label without metadata, or like metadata without a label.

    ## Why it matters
    A label attribute is a key and the same key with `-metadata`. One without the other is not a label: the service
    ignores it without a message if the line has another one, and a chained labeling job treats the line as unlabeled.

    ## How to fix it
    Add the missing key, correct its name, or remove the key. One finding stands for all lines of a manifest with the
    key.

    ## Causes
    - The counterpart of the key is missing.
    - The metadata has a similar, but wrong name, such as `fruit_metadata`.
    - The key is metadata of a label that already has metadata, or of no label.
    """

    code = "MAN206"
    name = "orphan-key"
    severity = Severity.WARNING
    messages = {
        "unpaired-key": "`{key}` has no `{expected}`; add it, or remove the key{others}",
        "misnamed-metadata": "`{key}` has no `{expected}`; rename `{found}`{others}",
        "metadata-only": "`{key}` is metadata without a label; remove the key{others}",
    }
    fixes = {Safety.SAFE: "Renames metadata whose name is misspelt, on all lines of the manifest with the key."}
    examples = (
        Good(manifest=lines(classification(extra={"page": 1}))),
        Good(manifest=lines('{"source-ref": "s3://bucket/1.jpg", "page": 7, "taken-by": "Ada"}')),
        Bad(
            manifest=lines(classification(extra={"fruit_metadata": {"class-name": "pear"}, "fruit": 1})),
            says="`fruit` has no `fruit-metadata`; rename `fruit_metadata`",
        ),
        Bad(
            manifest=lines(classification(extra={"boxes": {"annotations": []}})),
            says="`boxes` has no `boxes-metadata`; add it, or remove the key",
        ),
        Bad(
            manifest=lines(classification(extra={"animal_metadata": {"class-name": "pear"}})),
            says="`animal_metadata` is metadata without a label; remove the key",
        ),
        Good(manifest=lines(classification().replace("animal-metadata", "animal_metadata"))),
        Bad(
            manifest=lines(
                *(
                    classification(source_ref=f"s3://bucket/{n}.jpg").replace("animal-metadata", "animal_metadata")
                    for n in range(3)
                )
            ),
            limits=[{"target": "ground-truth"}],
            says="`animal` has no `animal-metadata`; rename `animal_metadata`; also on 2 other lines",
        ),
    )

    def check(self, problems: LazyFrame, unused_lines: LazyFrame, limits: LazyFrame) -> LazyFrame:
        """The first line of each manifest with the key, and the number of the others."""
        # For Custom Labels, the service's code for a line without any label attribute covers the fault.
        unlabeled = of_custom_labels(problems.filter(col("kind").is_in(kinds_of("LBL101"))), limits)
        orphans = problems_of(self, problems).join(unlabeled, on="line_id", how="anti")
        of_attribute = ("data_set", "manifest", "attribute")
        renamed = (
            orphans.filter(col("kind") == "misnamed-metadata")
            .with_columns(edit=rename_key(pointer(col("found")), col("expected"), line=col("line")))
            .group_by(*of_attribute, "kind")
            .agg(edits="edit")
        )
        rows = first_lines(orphans, unused_lines, *of_attribute)
        return rows.join(renamed, on=[*of_attribute, "kind"], how="left")


class RecordedError(Rule):
    """The manifest records an error that the service found in an earlier training.

    ## Why it matters
    The file is a validation manifest or comes from ListDatasetEntries, and the fault may still be there. A recorded
    error that the line still has is not reported a second time.

    ## How to fix it
    Fix the fault, then remove the keys `errors`, `warnings` and `cl-errors`.
    """

    code = "MAN207"
    name = "recorded-error"
    severity = Severity.INFO
    precision = FACT
    targets = ("rekognition",)
    message = "the manifest records {found}; fix the fault and remove the record"
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(
                classification(extra={"cl-errors": [{"code": "ERROR_INVALID_IMAGE", "message": "It is …"}]})
            ),
            says="the manifest records ERROR_INVALID_IMAGE: It is …; fix the fault and remove the record",
        ),
    )

    def check(self, problems: LazyFrame, verdicts: LazyFrame) -> LazyFrame:
        """Recorded errors that no verdict on the same line repeats."""
        recorded = problems_of(self, problems).with_columns(aws=col("recorded"))
        return recorded.join(verdicts.filter(col("aws").is_not_null()), on=["line_id", "aws"], how="anti")


class UnannotatedLine(ServiceRule):
    """The line names an image without labels.

    ## Why it matters
    The service ignores it. It does not count as invalid, but the image is not used for training.

    ## How to fix it
    Label the image, or remove the line.
    """

    code = "MAN208"
    name = "unannotated-line"
    severity = Severity.WARNING
    aws = "WARNING_UNANNOTATED_RECORD"
    message = "no labels: the service ignores this line; label the image or remove the line"
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines('{"source-ref": "s3://bucket/1.jpg"}'),
            says="no labels: the service ignores this line; label the image or remove the line",
        ),
    )


class LinePerBox(PlainDiagnosisRule):
    """Each box of an image is on a line of its own.

    ## Why it matters
    An image may be in a data set only once. The service removes later lines with the same source-ref without a message,
    and all boxes but those of the first line are lost.

    ## How to fix it
    Merge the boxes into one line for each image.
    """

    code = "MAN209"
    name = "line-per-box"
    message = (
        "{lines:,} of {count:# line} share their image with another line that has other boxes; "
        "merge the boxes into one line for each image"
    )
    examples = (
        Good(manifest=lines(*(detection(source_ref=f"s3://bucket/{n}.jpg") for n in range(4)))),
        Good(manifest=lines(detection(), detection())),
        Bad(
            manifest=lines(
                *(detection({"left": 9 * n}, source_ref=f"s3://bucket/{n % 2}.jpg") for n in range(6)),
                detection(source_ref="s3://bucket/9.jpg"),
            ),
            says="6 of 7 lines share their image with another line that has other boxes; "
            "merge the boxes into one line for each image",
        ),
    )
