"""Functions that several formats share: sentences, image names, paths in a repository, unique fingerprints."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePath

import polars as pl
from polars import DataFrame, col

from groundlint.engine.rule import Safety
from groundlint.engine.wording import worded
from groundlint.sanitize import visible

AT_ONCE = 5_000
"""Findings that a format writes together."""

OUTSIDE = "outside-working-directory"
"""The folder under which manifests outside the working directory are shown."""

FIXABLE = "[*]"
"""What stands before findings that can be fixed, as in ruff."""

_PLAIN_START = re.compile(r"[\w./]")


def header_path(path: str) -> str:
    """A path for the start of a line, visible.

    It gets `./` in front unless it begins with a letter, digit, `.`, `/` or `_`: a runner of workflows would take some
    of the others for a command.
    """
    text = visible(path, limit=None)
    return text if _PLAIN_START.match(text) else f"./{text}"


def place(manifest: str, line: int | None) -> str:
    """Where a finding is, for the start of a line: the path of the manifest, and the line if there is one."""
    return header_path(manifest) + (f":{line}" if line is not None else "")


def sentence(name: str, aws: str | None, message: str, image: str | None = None, *, mark: str = "") -> str:
    """What a finding says, visible and never empty: the service code, a mark, the message and the image."""
    text = visible(message)
    code = f"[{visible(aws)}] " if aws else ""
    return f"{code}{mark}{text if text.strip() else name}{f' ({visible(image)})' if image else ''}"


def line(
    manifest: str,
    number: int | None,
    severity: str,
    code: str,
    name: str,
    aws: str | None,
    message: str,
    image: str | None,
    mark: str = "",
) -> str:
    """A finding as one line of text."""
    return f"{place(manifest, number)}: {severity} {code} {name}: {sentence(name, aws, message, image, mark=mark)}"


LINE_COLUMNS = ("manifest", "line", "severity", "code", "name", "aws", "message", "shown_image")
"""The columns of a finding that `line` takes, in its order."""


def with_images(findings: DataFrame) -> DataFrame:
    """Findings with `shown_image`: the local path of the image, else its source-ref."""
    return findings.with_columns(shown_image=pl.coalesce("image", "source_ref"))


def is_fixable(*, unsafe: bool) -> pl.Expr:
    """Whether `--fix` repairs a finding, or with `unsafe` `--fix --unsafe-fixes`."""
    return (col("fix").is_not_null() if unsafe else col("fix") == Safety.SAFE.value).fill_null(value=False)


def with_marks(findings: DataFrame, *, unsafe: bool) -> DataFrame:
    """Findings with `mark`: what formats for people put before the message of those that can be fixed."""
    return findings.with_columns(
        mark=pl.when(is_fixable(unsafe=unsafe)).then(pl.lit(f"{FIXABLE} ")).otherwise(pl.lit(""))
    )


def shortest_names(paths: Iterable[str]) -> dict[str, str]:
    """The shortest end of each path that no other of the paths has, cut at slashes."""
    parts = {path: path.split("/") for path in paths}
    names: dict[str, str] = {}
    pending, depth = list(parts), 1
    while pending:
        ends: dict[str, list[str]] = defaultdict(list)
        for path in pending:
            ends["/".join(parts[path][-depth:])].append(path)
        pending = []
        for end, those in ends.items():
            for path in those:
                if (len(those) == 1 and end) or depth >= len(parts[path]):
                    names[path] = end
                else:
                    pending.append(path)
        depth += 1
    return names


def first_of_each(findings: DataFrame, most: int) -> DataFrame:
    """The first findings of each rule and manifest, `most` of them, or all if it is 0.

    The last one that is kept has the number of those left out after it as `more`; all others have 0.
    """
    if not most:
        return findings.with_columns(more=pl.lit(0))
    total, rank = pl.len().over("manifest", "code"), pl.int_range(1, pl.len() + 1).over("manifest", "code")
    more = pl.when(rank == most).then(total - most).otherwise(0)
    return findings.with_columns(more=more.cast(pl.Int64)).filter(rank <= most)


def with_typical_merged(findings: DataFrame) -> DataFrame:
    """Findings in which those that are typical of a data set are one per rule and data set.

    It stands where the first of them was. Its message is `typical_of`; it names no line, box, label or image. `merged`
    is the number of findings that a row stands for.
    """
    is_typical = col("typical")
    findings = findings.with_columns(merged=pl.lit(1, pl.UInt32))
    group = ("data_set", "code")
    empty = ("line", "attribute", "box", "label", "source_ref", "image", "shown_image", "pointer")
    first = (is_typical & (pl.int_range(pl.len()).over(*group, is_typical) == 0)).alias("_is_first")
    return (
        findings.with_columns(
            first, merged=pl.when(is_typical).then(pl.len().over(*group, is_typical)).otherwise("merged")
        )
        .with_columns(message=pl.when(is_typical).then("typical_of").otherwise("message"))
        .filter(~is_typical | col("_is_first"))
        .with_columns(
            pl.when(is_typical).then(None).otherwise(name).alias(name) for name in empty if name in findings.columns
        )
        .drop("_is_first")
    )


def with_unique_fingerprints(findings: DataFrame) -> DataFrame:
    """Findings with unique fingerprints: data sets that share a manifest may have equal ones."""
    nth = pl.int_range(1, pl.len() + 1).over("fingerprint")
    numbered = worded("{}:{}", "fingerprint", nth)
    return findings.with_columns(fingerprint=pl.when(nth == 1).then("fingerprint").otherwise(numbered))


def repository_path(manifest: str, folder: str) -> str:
    """The path of a manifest relative to a folder, with slashes and never upwards.

    What lies outside, as in S3, is put below `OUTSIDE`, so that it is not mistaken for a file of the repository.
    """
    if manifest.startswith("s3://"):
        return f"{OUTSIDE}/{manifest.removeprefix('s3://')}"
    path = os.path.relpath(os.path.join(folder, manifest), folder)  # noqa: PTH118 - a path keeps its `..`
    parts = PurePath(path).parts
    below = [part for part in parts if part != ".."]
    return "/".join(below if len(below) == len(parts) else [OUTSIDE, *below]) or "."
