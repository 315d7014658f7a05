"""What the service would report on a manifest or a data set as a whole, given what it removes from its lines."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint.engine.base_tables import VALUES
from groundlint.manifest.kinds import Effect, Kind, Values, kinds_with
from groundlint.phrases import number_of
from groundlint_rules.tables.set_wide_causes import MOST
from groundlint_rules.tables.verdicts import SCHEMA, images_of_labels

MAX_LOST_SHARE = 0.2
MAX_LABELS = 250
MIN_OVERLAP = 0.5
MIN_LABELS = {"classification": 2, "detection": 1}
MIN_SPLIT_IMAGES = 2
"""Images that a label needs to be in both parts of an automatic split."""

MAX_LINES = 250_000
RAISED_MAX_LINES = 500_000
REGIONAL_MAX_LINES = {"train": 28_000, "test": 7_000}
SMALL_REGIONS = ("ap-south-1", "eu-west-2")

_COLUMNS = (
    SCHEMA
    | dict.fromkeys(("kind", "aws", "loses", "cause"), pl.String())
    | {"values": VALUES, "caused_by": pl.String()}
)
_SHOWN_BUCKETS = 3
_JUDGED_SPLITS: tuple[str, ...] = ("train", "test")


class _Verdict(NamedTuple):
    """A verdict on a data set, or on one of its manifests."""

    data_set: int
    kind: Kind
    values: Values
    manifest: str | None = None
    label: str | None = None
    depends_on_choice: bool = False
    caused_by: str | None = None

    @property
    def subject(self) -> tuple[int, Kind, str | None, str | None]:
        """What the verdict is about, whatever its numbers are."""
        return self.data_set, self.kind, self.label, str(self.values.get("key"))

    def row(self) -> dict[str, Any]:
        """The verdict as a row of the table."""
        kind = self.kind
        return {
            "data_set": self.data_set,
            "manifest": self.manifest,
            "label": self.label,
            "kind": kind.value,
            "aws": kind.aws,
            "loses": None if self.depends_on_choice else kind.loses,
            "cause": kind.rule,
            "values": self.values,
            "caused_by": self.caused_by,
        }


class _Split(NamedTuple):
    """The usable labels of one split: for each use case, the number of images of each label; and its lost lines."""

    data_set: int
    name: str
    labels: dict[str, dict[str, int]]
    lost: int = 0

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
    labels: LazyFrame,
    boxes: LazyFrame,
    leading_causes: LazyFrame,
    limits: LazyFrame,
) -> DataFrame:
    """One verdict of the service on a manifest or a data set as a whole: a failed training, or a warning.

    `caused_by` is the rule behind most of the losses that lead to the verdict.
    """
    key = ["data_set", "manifest"]
    unknown = problems.filter(col("kind").is_in(kinds_with(Effect.UNKNOWN_CONTENT))).select(key)
    unknown = pl.concat([unknown, manifests.filter(col("lines").is_null()).select(key)]).unique()
    detections = attributes.filter(col("kind") == "detection").select(key).unique()
    # A manifest in two splits has each of its lines twice.
    lost = lost_lines.group_by(key).agg(
        lost=col("line").n_unique(), silently=col("line").filter("removed_silently").n_unique()
    )
    counted = (
        manifests.join(unknown, on=key, how="anti")
        .join(lost, on=key, how="left")
        .join(detections.with_columns(has_boxes=True), on=key, how="left")
        .with_columns(col("lost", "silently").fill_null(0), col("has_boxes").fill_null(False))
        .sort("data_set", "split", "manifest")
    ).collect()
    limit = limits.collect().row(0, named=True)
    causes = leading_causes.collect()
    of_scope = {row[:3]: row[3] for row in causes.select("data_set", "manifest", "scope", "root").iter_rows()}
    found = [
        verdict
        for manifest in counted.iter_rows(named=True)
        for verdict in (*_of_lines(manifest, limit), *_of_losses(manifest, of_scope))
    ]
    found += _of_buckets(counted, lines)
    kinds = attributes.filter(col("kind").is_in(["classification", "detection"])).select("data_set", "kind").unique()
    files, unknowns, kind_set = manifests.collect(), unknown.collect(), set(kinds.collect().iter_rows())
    of_labels = list(_of_labels(counted, files, unknowns, usable_labels.collect(), kind_set))
    if of_labels and not causes.is_empty():
        without_losses = _of_labels(counted, files, unknowns, images_of_labels(labels, boxes).collect(), kind_set)
        of_labels = _with_causes(of_labels, {verdict.subject for verdict in without_losses}, causes, counted)
    found += of_labels
    rows: dict[str, dict[str, Any]] = {}
    for verdict in found:
        # A manifest in two splits is reported once.
        rows.setdefault(repr(verdict), verdict.row())
    return DataFrame(list(rows.values()), schema=_COLUMNS)


def _of_lines(manifest: dict[str, Any], limit: dict[str, Any]) -> Iterator[_Verdict]:
    """Whether a manifest has too many lines, by region and split, and by the quota for image-level labels."""
    most = MAX_LINES
    if limit["max_images"] is not None and not manifest["has_boxes"]:
        most = min(limit["max_images"], RAISED_MAX_LINES)
    if limit["region"] in SMALL_REGIONS:
        most = REGIONAL_MAX_LINES.get(manifest["split"], most)
    if manifest["lines"] > most:
        values = {"count": manifest["lines"], "limit": most}
        yield _Verdict(manifest["data_set"], Kind.TOO_MANY_LINES, values, manifest["manifest"])


def _of_losses(manifest: dict[str, Any], causes: Mapping[tuple[Any, ...], str]) -> Iterator[_Verdict]:
    """Whether too many lines of a manifest are lost, and the rule that reports most of them."""
    for scope, kind in (("lost", Kind.TOO_MANY_INVALID_LINES), ("silently", Kind.TOO_MANY_REMOVED_LINES)):
        if manifest[scope] > MAX_LOST_SHARE * manifest["lines"]:
            values = {"count": manifest[scope], "limit": manifest["lines"]}
            cause = causes.get((manifest["data_set"], manifest["manifest"], scope))
            yield _Verdict(manifest["data_set"], kind, values, manifest["manifest"], caused_by=cause)


def _with_causes(
    found: Iterable[_Verdict], others: Container[tuple[Any, ...]], causes: DataFrame, manifests: DataFrame
) -> list[_Verdict]:
    """Verdicts on labels with the rule that most of their data set's losses come from, where they follow from these.

    They do if they would not be there without losses, or if most lines are lost, whose labels may be unknown.
    """
    lost = manifests.group_by("data_set").agg(is_mostly_lost=col("lost").sum() > MOST * col("lines").sum())
    mostly_lost = set(lost.filter("is_mostly_lost")["data_set"])
    any_loss = causes.filter(col("scope") == "any").group_by("data_set", "root").agg(col("lines").sum())
    any_loss = any_loss.sort("lines", "root", descending=[True, False])
    root = dict(any_loss.unique("data_set", keep="first", maintain_order=True).select("data_set", "root").iter_rows())
    return [
        verdict._replace(caused_by=root.get(verdict.data_set))
        if verdict.subject not in others or verdict.data_set in mostly_lost
        else verdict
        for verdict in found
    ]


def _of_buckets(manifests: DataFrame, lines: LazyFrame) -> Iterator[_Verdict]:
    key = ["data_set", "manifest"]
    buckets = lines.filter(col("bucket").is_not_null()).group_by(key).agg(col("bucket").unique().sort())
    several = buckets.filter(col("bucket").list.len() > 1).collect()
    of_known = several.join(manifests.select(key).unique(), on=key, how="semi").sort(key)
    for data_set, manifest, names in of_known.iter_rows():
        shown = ", ".join(names[:_SHOWN_BUCKETS]) + (", …" if len(names) > _SHOWN_BUCKETS else "")
        yield _Verdict(data_set, Kind.SEVERAL_BUCKETS, {"count": len(names), "found": shown}, manifest)


def _of_labels(
    counted: DataFrame, manifests: DataFrame, unknown: DataFrame, labels: DataFrame, kinds: set[tuple[int, str]]
) -> Iterator[_Verdict]:
    """The verdicts on the labels of each data set."""
    unknown_manifests = set(unknown.iter_rows())
    lost = {row[:2]: row[2] for row in counted.group_by("data_set", "split").agg(col("lost").sum()).iter_rows()}
    by_split: dict[tuple[int, str], dict[str, dict[str, int]]] = {}
    for data_set, split, use_case, label, images in labels.select(
        "data_set", "split", "use_case", "label", "images"
    ).iter_rows():
        by_split.setdefault((data_set, split), {}).setdefault(use_case, {})[label] = images
    files: dict[int, dict[str, list[str]]] = {}
    for data_set, split, manifest in manifests.select("data_set", "split", "manifest").iter_rows():
        files.setdefault(data_set, {}).setdefault(split, []).append(manifest)
    for data_set, splits in sorted(files.items()):
        # A split with an unknown manifest cannot be judged.
        known = {
            name: _Split(data_set, name, by_split.get((data_set, name), {}), lost.get((data_set, name), 0))
            for name in _JUDGED_SPLITS
            if name in splits and not any((data_set, manifest) in unknown_manifests for manifest in splits[name])
        }
        is_classified = (data_set, "classification") in kinds and (data_set, "detection") not in kinds
        declared = "classification" if is_classified else "detection"
        yield from _of_splits(known, declared, has_test="test" in splits)


def _of_splits(splits: dict[str, _Split], declared: str, *, has_test: bool) -> Iterator[_Verdict]:
    """Whether each split has too few or too many labels, and whether the splits have enough in common.

    With one use case the service needs enough labels; with both it chooses one, in a way it does not document, and
    needs enough among the remaining ones.
    """
    use_cases = sorted({use_case for split in splits.values() for use_case in split.labels})
    for split in splits.values():
        yield from _too_many(split)
        if len(use_cases) < 2:
            # Where no label is usable, the attributes still say what the labels are for.
            yield from _too_few(split, *(use_cases or [declared]))
    if len(use_cases) > 1:
        yield from _too_few_usable(splits.values())
    if "train" in splits and "test" in splits:
        yield from _overlap(splits["train"], splits["test"], use_cases)
    elif "train" in splits and not has_test:
        yield from _too_few_to_split(splits["train"])


def _too_many(split: _Split) -> Iterator[_Verdict]:
    names = {name for names in split.labels.values() for name in names}
    if len(names) > MAX_LABELS:
        values: Values = {"key": split.name, "count": len(names), "limit": MAX_LABELS}
        yield _Verdict(split.data_set, Kind.TOO_MANY_LABELS, values)


def _too_few(split: _Split, use_case: str) -> Iterator[_Verdict]:
    count, least = len(split.names(use_case)), MIN_LABELS[use_case]
    if count < least:
        hint = f"fix the {number_of(split.lost, 'line')} that would be dropped" if split.lost else "add labeled images"
        values: Values = {"key": split.name, "found": use_case, "count": count, "limit": least, "hint": hint}
        yield _Verdict(split.data_set, Kind.TOO_FEW_LABELS, values)


def _too_few_usable(splits: Iterable[_Split]) -> Iterator[_Verdict]:
    """One verdict on all splits: a choice of the service fails if it leaves too few labels in any of them."""
    short = [
        (split.data_set, use_case, f"{count} for {use_case} (at least {least}) in the {split.name} split")
        for use_case, least in MIN_LABELS.items()
        for split in splits
        if (count := len(split.names(use_case))) < least
    ]
    if short:
        values = {"found": " and ".join(text for _, _, text in short)}
        depends = {use_case for _, use_case, _ in short} != set(MIN_LABELS)
        yield _Verdict(short[0][0], Kind.TOO_FEW_USABLE_LABELS, values, depends_on_choice=depends)


def _overlap(train: _Split, test: _Split, use_cases: list[str]) -> Iterator[_Verdict]:
    shares = {}
    for use_case in use_cases:
        names = train.names(use_case)
        shares[use_case] = len(names & test.names(use_case)) / len(names) if names else None
    short = {use_case: share for use_case, share in shares.items() if share is not None and share < MIN_OVERLAP}
    if not short:
        return
    limit = round(100 * MIN_OVERLAP)
    if len(use_cases) == 1:
        [(use_case, share)] = short.items()
        values: Values = {"found": use_case, "count": round(100 * share), "limit": limit}
        yield _Verdict(train.data_set, Kind.INSUFFICIENT_LABEL_OVERLAP, values)
    else:
        shown = " and ".join(f"{share:.0%} of the {use_case} labels" for use_case, share in short.items())
        # A use case without training labels would fail as well.
        fails_in_any_case = all(use_case in short or shares[use_case] is None for use_case in use_cases)
        yield _Verdict(
            train.data_set,
            Kind.INSUFFICIENT_USABLE_LABEL_OVERLAP,
            {"found": shown, "limit": limit},
            depends_on_choice=not fails_in_any_case,
        )


def _too_few_to_split(train: _Split) -> Iterator[_Verdict]:
    for label in sorted({label for images in train.labels.values() for label in images}):
        count = max(images.get(label, 0) for images in train.labels.values())
        if count < MIN_SPLIT_IMAGES:
            values = {"count": count, "limit": MIN_SPLIT_IMAGES}
            yield _Verdict(train.data_set, Kind.TOO_FEW_IMAGES_TO_SPLIT, values, label=label)
