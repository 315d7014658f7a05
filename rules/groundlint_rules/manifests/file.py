"""MAN: the manifest as a file, and how many of its lines the service removes."""

from __future__ import annotations

import json

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Severity
from groundlint_rules.samples import classification, detection, lines
from groundlint_rules.service import ProblemRule, ServiceRule


class NotAManifest(ServiceRule):
    """The file is not a manifest.

    ## Why it matters
    The service accepts UTF-8 text with one JSON object on each line. Any other file fails the training.

    ## How to fix it
    Give the path of the manifest itself, or convert the file.

    ## Causes
    - UTF-16: the file was saved in another encoding.
    - gzip: the file is compressed.
    - A Git LFS pointer: the content of the file was not fetched.
    - Another format, such as XML, one JSON array, or a COCO data set over several lines. A file of another format whose
      lines are JSON objects is MAN210.
    - Merge conflict markers of git.
    - Python objects: the converter wrote `str(line)` instead of `json.dumps(line)`.
    - Commas between lines: the converter wrote the items of a list.
    - Commas before closing brackets: the converter put text together.
    - Strings that hold objects: the converter encoded each line twice.
    - Objects over several lines: the converter indented them.
    - CSV: each line has values separated by commas, semicolons or tabs.
    - No line is a JSON object for another reason, which the message gives for the first line.

    A file without anything that belongs to a manifest is skipped with a note where it is found in a folder, and under
    `--force-exclude`.

    ## Undocumented service behavior
    The documents do not mention compressed files; they count as unsupported.
    """

    code = "MAN101"
    name = "not-a-manifest"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
    targets = ("rekognition", "ground-truth")
    messages = {
        "utf-16": "not a manifest: encoded as UTF-16; save it as UTF-8",
        "gzip": "not a manifest: compressed with gzip; decompress it",
        "git-lfs-pointer": "not a manifest: a Git LFS pointer whose content was not fetched; run `git lfs pull`",
        "other-format": "not a manifest: it looks like {found}; {hint}",
        "merge-conflict": "not a manifest: contains merge conflict markers of git; resolve the conflict",
        "python-literals": "not a manifest: line {count} is a Python object, not JSON, because the converter wrote "
        "str(line); write json.dumps(line)",
        "commas-between-lines": "not a manifest: line {count} ends in a comma, because the converter wrote the items "
        "of a JSON list; write each object on a line of its own, without commas",
        "trailing-commas": "not a manifest: line {count} has a comma before a closing bracket, because the converter "
        "put text together; write each line with a JSON library",
        "encoded-twice": "not a manifest: line {count} is a string that holds the object, because the converter "
        "encoded it twice; write json.dumps(line) once",
        "several-lines-per-object": "not a manifest: the object that begins on line {count} does not end there, "
        "because the converter indented its output; write each object on one line",
        "csv": "not a manifest: line {count} has values separated by commas or similar, because the file is CSV; "
        "convert each image's rows to one JSON object",
        "no-json-objects": "not a manifest: no line is a JSON object (line {count}: {found}); "
        "write one object per line and image",
    }
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=f"[{detection()},{detection()}]",
            says="not a manifest: it looks like one JSON array; write each object on a line of its own, without commas",
        ),
        Bad(
            manifest="label,source-ref\ncat,s3://bucket/1.jpg\n",
            says="not a manifest: line 1 has values separated by commas or similar, because the file is CSV; "
            "convert each image's rows to one JSON object",
        ),
        Bad(
            manifest="{'source-ref': 's3://bucket/1.jpg'}\n",
            says="not a manifest: line 1 is a Python object, not JSON, because the converter wrote str(line); "
            "write json.dumps(line)",
        ),
        Bad(
            manifest=f"{detection()},\n{detection()},\n",
            says="not a manifest: line 1 ends in a comma, because the converter wrote the items of a JSON list; "
            "write each object on a line of its own, without commas",
        ),
        Bad(manifest='{"source-ref": "s3://bucket/1.jpg",}\n'),
        Bad(manifest=f"{json.dumps(detection())}\n"),
        Bad(manifest=json.dumps(json.loads(detection()), indent=1)),
        Bad(manifest=json.dumps({"DatasetEntries": [detection()]}, indent=1)),
        Bad(
            manifest="[1]\n[2]\n",
            says="not a manifest: it looks like JSON values other than objects; "
            "write one JSON object per line and image",
        ),
        Bad(manifest="version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        Bad(manifest='{\n"images": [],\n"annotations": [],\n"categories": []\n}'),
        Bad(manifest=f"<<<<<<< HEAD\n{detection()}\n=======\n{detection()}\n>>>>>>> other\n"),
    )


class ForeignFile(ProblemRule):
    """The file has JSON objects, but no line is that of a manifest.

    ## Why it matters
    No line has a `source-ref` or a label, so the file was probably named by mistake. Where such a file is found in a
    folder, and under `--force-exclude`, it is skipped with a note.

    ## How to fix it
    Name the manifest itself, or convert the file.

    ## Causes
    The file is Hugging Face ImageFolder metadata, a COCO data set, a `manifest_summary.json`, a CVAT manifest, the
    response of list-dataset-entries, chat data, an app manifest, or another file with one of the suffixes of manifests.
    """

    code = "MAN210"
    name = "foreign-file"
    severity = Severity.ERROR
    message = "not a manifest: it looks like {found}; {hint}"
    examples = (
        Good(manifest=lines(detection())),
        Good(manifest=lines('{"source_ref": "s3://bucket/1.jpg"}')),
        Bad(
            manifest=lines('{"file_name": "1.png", "text": "a dog"}'),
            says="not a manifest: it looks like Hugging Face ImageFolder metadata; convert it to lines with "
            "`source-ref` and a label",
        ),
        Bad(
            manifest='{"errors": [], "statistics": {"training": {}}}',
            says="not a manifest: it looks like a manifest_summary.json of the service; check the manifest itself",
        ),
        Bad(manifest='{"images": [], "annotations": [], "categories": []}'),
    )


class EmptyManifest(ServiceRule):
    """The manifest has no lines.

    ## Why it matters
    There is nothing to train on, and the training fails. UpdateDatasetEntries and the creation of a data set refuse the
    file with InvalidManifestException.

    ## How to fix it
    Find out why no lines were written, and create the manifest again.
    """

    code = "MAN102"
    name = "empty-manifest"
    severity = Severity.ERROR
    aws = "ERROR_EMPTY_MANIFEST"
    targets = ("rekognition", "ground-truth")
    message = "empty manifest: it has no lines; write one line per image"
    examples = (
        Good(manifest=lines(detection())),
        Bad(manifest="\n\n", says="empty manifest: it has no lines; write one line per image"),
        Bad(manifest=""),
    )


class ManifestTooLarge(ServiceRule):
    """The manifest is larger than 1 GB, or close to it.

    ## Why it matters
    The service does not accept it. The creation of a data set refuses it with InvalidManifestException.

    ## How to fix it
    Split the data set, or leave out keys that training does not need.

    ## Causes
    - More than 2^30 bytes: an error.
    - More than 10^9 bytes: a warning, because 1 GB may mean 10^9 bytes.

    ## Undocumented service behavior
    The documents do not say whether 1 GB is 10^9 or 2^30 bytes.
    """

    code = "MAN103"
    name = "manifest-too-large"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_SIZE_TOO_LARGE"
    messages = {
        "manifest-too-large": "manifest too large: {count:# byte}, but the service accepts 1 GB; split the data set",
        "manifest-near-size-limit": "manifest close to the limit of 1 GB: {count:# byte}; split the data set",
    }
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            problems=[{"kind": "manifest-too-large", "line": None, "values": {"count": 2**30 + 1}}],
            says="manifest too large: 1,073,741,825 bytes, but the service accepts 1 GB; split the data set",
        ),
        Bad(
            problems=[{"kind": "manifest-near-size-limit", "line": None, "values": {"count": 10**9 + 1}}],
            says="manifest close to the limit of 1 GB: 1,000,000,001 bytes; split the data set",
        ),
    )

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """The rule's verdicts; a manifest close to the limit is a warning."""
        is_lost = col("loses").is_not_null()
        severity = pl.when(is_lost).then(lit(Severity.ERROR)).otherwise(lit(Severity.WARNING))
        return super().check(verdicts).with_columns(severity=severity)


class ManifestWithoutSuffix(ProblemRule):
    """The name of the manifest has no suffix.

    ## Why it matters
    The service's list of errors says that it refuses a manifest without a suffix.

    ## How to fix it
    Name the file `….manifest`.

    ## Undocumented service behavior
    Other pages call the suffix optional, so this is a warning.
    """

    code = "MAN105"
    name = "manifest-without-suffix"
    severity = Severity.WARNING
    aws = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
    targets = ("rekognition",)
    message = "file name without a suffix: the service may refuse it; rename the file to {expected}"
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            problems=[{"kind": "manifest-without-suffix", "line": None, "values": {"expected": "train.manifest"}}],
            says="file name without a suffix: the service may refuse it; rename the file to train.manifest",
        ),
    )


class TooManyLines(ServiceRule):
    """The manifest has more lines than the service accepts.

    ## Why it matters
    The data set cannot be created. Blank and invalid lines count.

    ## How to fix it
    Remove lines. The limit is 250,000; for image-level labels it can be raised to 500,000 on request (set
    `max-images`); in Mumbai and London it is 28,000 for training and 7,000 for testing (set `region`).
    """

    code = "MAN106"
    name = "too-many-lines"
    severity = Severity.ERROR
    aws = "ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM"
    message = "too many lines: {count:,}, but the service accepts {limit:,}; remove lines"
    examples = (
        Good(manifests=[{"lines": 250_000}]),
        Good(manifests=[{"lines": 500_000}], limits=[{"max_images": 500_000}]),
        Bad(manifests=[{"lines": 250_001}]),
        Bad(
            manifests=[{"lines": 7_001, "split": "test"}],
            limits=[{"region": "eu-west-2"}],
            says="too many lines: 7,001, but the service accepts 7,000; remove lines",
        ),
    )


class TooManyInvalidLines(ServiceRule):
    """The service would drop more than 20% of the manifest's lines.

    ## Why it matters
    The service drops up to 20% of the lines of a manifest as invalid; with more, the training fails. Lines that it only
    ignores, those without labels, do not count.

    ## How to fix it
    Fix the other findings of the manifest.

    ## Undocumented service behavior
    The documents do not say whether exactly 20% is too many; here it is not.
    """

    code = "MAN107"
    name = "too-many-invalid-lines"
    severity = Severity.ERROR
    aws = "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST"
    message = "{count:,} of {limit:# line} would be dropped, and the training fails above 20%; fix these lines"
    examples = (
        Good(manifest=lines(*[classification(source_ref=f"s3://bucket/{n}.jpg") for n in range(4)], "{}")),
        Bad(
            manifest=lines(*[classification(source_ref=f"s3://bucket/{n}.jpg") for n in range(3)], "{}"),
            says="1 of 4 lines would be dropped, and the training fails above 20%; fix these lines",
        ),
    )


class TooManyRemovedLines(ServiceRule):
    """More than 20% of the manifest's lines would be removed without a message.

    ## Why it matters
    When a data set is created, the service removes lines that are too long, are not valid JSON, have no valid
    source-ref, or repeat one. Neither console nor API reports it. With too many of them the creation fails.

    ## How to fix it
    Fix the findings MAN201, MAN202, REF101, REF102 and REF104 of the manifest.

    ## Undocumented service behavior
    The documents do not say how many are too many; the limit here is 20%, the only share that they mention.
    """

    code = "MAN108"
    name = "too-many-removed-lines"
    severity = Severity.ERROR
    aws = "ERROR_TOO_MANY_RECORDS_IN_ERROR"
    message = "{count:,} of {limit:# line} would be removed silently, and the creation fails above 20%; fix these lines"
    examples = (
        Good(manifest=lines(*[classification(source_ref=f"s3://bucket/{n}.jpg") for n in range(2)])),
        Bad(
            manifest=lines(classification(), "not json"),
            says="1 of 2 lines would be removed silently, and the creation fails above 20%; fix these lines",
        ),
    )
