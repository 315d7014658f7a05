"""What the service would say of a manifest or a data set as a whole, counted from what its lines lose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint_rules.tables.verdicts import SCHEMA

MAX_LOST_SHARE = 0.2
MAX_LABELS = 250
MIN_OVERLAP = 0.5
MIN_LABELS = {"classification": 2, "detection": 1}
MIN_SPLIT_IMAGES = 2
"""Images that a label needs to stand in both halves of an automatic split."""

MAX_LINES = 250_000
RAISED_MAX_LINES = 500_000
REGIONAL_MAX_LINES = {"train": 28_000, "test": 7_000}
SMALL_REGIONS = ("ap-south-1", "eu-west-2")

_FILE_IS_LOST = ("not-a-manifest", "empty-manifest", "manifest-too-large")


class _Verdict(NamedTuple):
    """One sentence on a manifest; without one, on the data set."""

    manifest: str | None
    kind: str
    aws: str
    detail: str
    loses: str | None = "training"
    label: str | None = None


class _Split(NamedTuple):
    """The usable labels of one split: images by label, by use case."""

    name: str
    labels: dict[str, dict[str, int]]

    def names(self, use_case: str) -> set[str]:
        return set(self.labels.get(use_case, ()))


@table()
def data_set_verdicts(
    manifests: LazyFrame,
    lines: LazyFrame,
    problems: LazyFrame,
    attributes: LazyFrame,
    lost_lines: LazyFrame,
    usable_labels: LazyFrame,
    limits: LazyFrame,
) -> DataFrame:
    """One verdict of the service on a manifest or on the data set: it fails the training, or warns of the data."""
    files = manifests.collect()
    lost_files = problems.filter(col("kind").is_in(_FILE_IS_LOST)).select("manifest").unique().collect()["manifest"]
    lost_files = pl.concat([lost_files, files.filter(col("lines").is_null())["manifest"]])
    intact = files.filter(~col("manifest").is_in(lost_files.implode()))
    detections = attributes.filter(col("kind") == "detection").select("manifest").unique().collect()["manifest"]
    lost = lost_lines.group_by("manifest").agg(lost=col("line").len(), silently=col("removed_silently").sum()).collect()
    counted = intact.join(lost, on="manifest", how="left").with_columns(
        col("lost", "silently").fill_null(0), has_boxes=col("manifest").is_in(detections.implode())
    )
    limit = limits.collect().row(0, named=True)
    found = [
        verdict
        for manifest in counted.iter_rows(named=True)
        for verdict in (*_of_lines(manifest, limit), *_of_losses(manifest))
    ]
    found += _of_buckets(intact, lines)
    splits = _splits(files, lost_files.to_list(), usable_labels.collect())
    found += _of_labels(splits, has_test="test" in files["split"].to_list())
    # A manifest that is in two splits is said the same of once.
    return DataFrame([verdict._asdict() for verdict in dict.fromkeys(found)], schema=SCHEMA)


def _of_lines(manifest: dict[str, Any], limit: dict[str, Any]) -> Iterator[_Verdict]:
    """The limit of lines depends on region and split, and can be raised for image labels only."""
    most = MAX_LINES
    if limit["max_images"] is not None and not manifest["has_boxes"]:
        most = min(limit["max_images"], RAISED_MAX_LINES)
    if limit["region"] in SMALL_REGIONS:
        most = REGIONAL_MAX_LINES.get(manifest["split"], most)
    if manifest["lines"] > most:
        detail = f"the manifest has {manifest['lines']:,} lines; the service takes {most:,}; leave out lines"
        yield _Verdict(manifest["manifest"], "too-many-lines", "ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM", detail)


def _of_losses(manifest: dict[str, Any]) -> Iterator[_Verdict]:
    lines = manifest["lines"]
    for count, kind, aws, what in (
        (manifest["lost"], "too-many-invalid-lines", "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST", "are lost"),
        (
            manifest["silently"],
            "too-many-removed-lines",
            "ERROR_TOO_MANY_RECORDS_IN_ERROR",
            "would be removed silently",
        ),
    ):
        if count > MAX_LOST_SHARE * lines:
            detail = (
                f"{count:,} of {lines:,} lines {what}; above {MAX_LOST_SHARE:.0%} the training fails; mend the lines"
            )
            yield _Verdict(manifest["manifest"], kind, aws, detail)


def _of_buckets(manifests: DataFrame, lines: LazyFrame) -> Iterator[_Verdict]:
    buckets = lines.filter(col("bucket").is_not_null()).group_by("manifest").agg(col("bucket").unique().sort())
    several = buckets.filter(col("bucket").list.len() > 1).collect()
    for manifest, names in several.join(manifests.select("manifest"), on="manifest", how="semi").iter_rows():
        shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        detail = f"the images lie in {len(names)} buckets ({shown}); copy them into one"
        yield _Verdict(manifest, "several-buckets", "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS", detail)


def _splits(files: DataFrame, lost_files: list[str], labels: DataFrame) -> dict[str, _Split]:
    """Train and test, as far as they can be judged: a split with a lost file cannot."""
    splits = {}
    for name in ("train", "test"):
        manifests = files.filter(col("split") == name)["manifest"].to_list()
        if manifests and not set(manifests) & set(lost_files):
            by_use_case: dict[str, dict[str, int]] = {}
            for use_case, label, images in (
                labels.filter(col("split") == name).select("use_case", "label", "images").rows()
            ):
                by_use_case.setdefault(use_case, {})[label] = images
            splits[name] = _Split(name, by_use_case)
    return splits


def _of_labels(splits: dict[str, _Split], *, has_test: bool) -> Iterator[_Verdict]:
    """Minima and maxima of labels, by split, and what the splits have in common.

    With one use case the service needs enough labels; with both it chooses one, in a way it does not document, and
    needs enough among what remains.
    """
    use_cases = sorted({use_case for split in splits.values() for use_case in split.labels})
    for split in splits.values():
        yield from _too_many(split)
        if len(use_cases) < 2:
            yield from _too_few(split, *use_cases)
    if len(use_cases) > 1:
        yield from _too_few_usable(splits.values())
    if "train" in splits and "test" in splits:
        yield from _overlap(splits["train"], splits["test"], use_cases)
    elif "train" in splits and not has_test:
        yield from _too_few_to_split(splits["train"])


def _too_many(split: _Split) -> Iterator[_Verdict]:
    names = {name for names in split.labels.values() for name in names}
    if len(names) > MAX_LABELS:
        detail = (
            f"the {split.name} split has {len(names)} labels; the service takes {MAX_LABELS}; merge or leave out labels"
        )
        yield _Verdict(None, "too-many-labels", "ERROR_MANIFEST_TOO_MANY_LABELS", detail)


def _too_few(split: _Split, use_case: str = "detection") -> Iterator[_Verdict]:
    count, least = len(split.names(use_case)), MIN_LABELS[use_case]
    if count < least:
        detail = (
            f"the {split.name} split has {count} usable labels; {use_case} needs at least {least}; add labelled images"
        )
        yield _Verdict(None, "too-few-labels", "ERROR_MANIFEST_TOO_FEW_LABELS", detail)


def _too_few_usable(splits: Iterable[_Split]) -> Iterator[_Verdict]:
    """One verdict on all splits: a choice of the service fails if it leaves any of them too few."""
    short = [
        (use_case, f"{count} for {use_case} (at least {least}) in the {split.name} split")
        for use_case, least in MIN_LABELS.items()
        for split in splits
        if (count := len(split.names(use_case))) < least
    ]
    if short:
        shown = " and ".join(what for _, what in short)
        detail = f"image labels and boxes are mixed, which leaves too few labels of one kind: {shown}; keep one kind"
        loses = "training" if {use_case for use_case, _ in short} == set(MIN_LABELS) else None
        yield _Verdict(None, "too-few-usable-labels", "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS", detail, loses)


def _overlap(train: _Split, test: _Split, use_cases: list[str]) -> Iterator[_Verdict]:
    shares = {}
    for use_case in use_cases:
        names = train.names(use_case)
        shares[use_case] = len(names & test.names(use_case)) / len(names) if names else None
    short = {use_case: share for use_case, share in shares.items() if share is not None and share < MIN_OVERLAP}
    if not short:
        return
    shown = " and ".join(f"{share:.0%} of the {use_case} labels" for use_case, share in short.items())
    detail = (
        f"only {shown} of training are in the test split, less than {MIN_OVERLAP:.0%}; add test images of the others"
    )
    if len(use_cases) == 1:
        yield _Verdict(None, "label-overlap", "ERROR_INSUFFICIENT_LABEL_OVERLAP", detail)
    else:
        # A use case without training labels would fail as well.
        fails_whatever_is_chosen = all(use_case in short or shares[use_case] is None for use_case in use_cases)
        loses = "training" if fails_whatever_is_chosen else None
        yield _Verdict(None, "usable-label-overlap", "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP", detail, loses)


def _too_few_to_split(train: _Split) -> Iterator[_Verdict]:
    for label in sorted({label for images in train.labels.values() for label in images}):
        count = max(images.get(label, 0) for images in train.labels.values())
        if count < MIN_SPLIT_IMAGES:
            detail = f"the label {label} has {count} usable image; the automatic split needs {MIN_SPLIT_IMAGES} of each"
            aws = "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT"
            yield _Verdict(None, "too-few-images-to-split", aws, detail, label=label)
