"""The portrait of a data set: what it holds, in numbers, and what was not looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import polars as pl
from polars import DataFrame, Expr, col
from pydantic import BaseModel, ConfigDict, Field

from groundlint.config.data_sets import SPLITS, DataSet
from groundlint.engine.base_tables import BASE

BASE_TABLES = ("manifests", "lines", "attributes", "labels", "boxes")
"""Base tables that a portrait uses, beside that of images."""

TABLES = ("duplicate_groups",)
"""Derived tables that a portrait uses, if a package offers them."""

FEATURES = ("bright_level", "clipped_share")
"""Measured columns of images that a portrait uses, if a package offers them."""

UseCase = Literal["classification", "detection"]

_DATE = r"^(\d{4}-\d{2}-\d{2})"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Quantiles(_Model):
    """How a number is distributed: least, 5%, median, 95% and greatest."""

    min: float
    p5: float
    median: float
    p95: float
    max: float


class SplitPart(_Model):
    """What a split of the data set holds."""

    split: str
    manifests: int
    lines: int = Field(description="Physical lines, blank and bad ones included.")
    images: int = Field(description="Distinct images.")
    labels: int = Field(description="Image-level labels.")
    boxes: int


class UseCasePart(_Model):
    """The images with image-level labels (classification), or those with boxes (detection)."""

    use_case: UseCase
    images: int
    images_with_several_labels: int
    labels: int = Field(description="Distinct labels.")


class LabelPart(_Model):
    """How often a label occurs; shares are those of all images and boxes of the use case."""

    label: str
    use_case: UseCase
    images: int
    image_share: float
    boxes: int | None = Field(description="Null for image-level labels.")
    box_share: float | None
    images_by_split: dict[str, int]


class BoxSizes(_Model):
    """Sizes of boxes, and how many an image has; null where no box or no image size is known."""

    short_side: Quantiles | None = Field(description="Shorter side, in px.")
    area_share: Quantiles | None = Field(description="Share of the area of the image.")
    per_image: Quantiles | None = Field(description="Boxes of an image that has any.")


class ImageSizes(_Model):
    """Sizes of images, in px."""

    source: Literal["files", "image_size"] = Field(description="Where sizes are from: image files, or the manifest.")
    images: int
    width: Quantiles
    height: Quantiles
    sizes: int = Field(description="Distinct sizes.")
    most_frequent: tuple[int, int] = Field(description="Width and height.")
    most_frequent_images: int


class Duplicates(_Model):
    """Images that are duplicates or near-duplicates of another image of the data set."""

    measured: int = Field(description="Images that were compared.")
    images: int
    share: float
    groups: int
    redundant: int = Field(description="Images beside the one to keep of each group.")


class Exposure(_Model):
    """How bright the images are."""

    images: int
    bright_level: Quantiles | None = Field(description="Level that 99.5% of the pixels do not exceed, 0 to 255.")
    clipped_share: Quantiles | None = Field(description="Share of pixels that are white.")


class Job(_Model):
    """A labeling job, by its `job-name`."""

    job: str | None
    attributes: int = Field(description="Label attributes that are from it.")
    first_date: str | None
    last_date: str | None


class Workers(_Model):
    """Who made the labels. Manifests name no workers; a confidence of 0 is that of a label by a single one."""

    by_people: int = Field(description="Label attributes with `human-annotated` yes.")
    by_machine: int
    unknown: int
    labels: int = Field(description="Labels and boxes that have a confidence.")
    single_worker: int = Field(description="Labels and boxes by people with confidence 0.")


class NotLookedAt(_Model):
    """What the portrait leaves out. `images_not_found` and `images_unreadable` are distinct images."""

    images_not_found: int
    images_unreadable: int
    lines: int = Field(description="Lines that are blank or not a JSON object.")
    other_attributes: dict[str, int] = Field(description="Attributes that are neither, by kind.")
    skipped_rules: list[str] = Field(description="Codes of rules that cannot judge without images.")


class Portrait(_Model):
    """One data set. Parts are null where nothing was measured."""

    manifests: list[str]
    images: int = Field(description="Distinct images.")
    images_found: int
    unlabeled_images: int = Field(description="Images without any label or box.")
    splits: list[SplitPart]
    use_cases: list[UseCasePart]
    labels: list[LabelPart] = Field(description="The most frequent first.")
    boxes: BoxSizes
    image_sizes: ImageSizes | None
    duplicates: Duplicates | None
    exposure: Exposure | None
    jobs: list[Job] = Field(description="The one with most attributes first.")
    workers: Workers
    not_looked_at: NotLookedAt


def portraits(
    tables: Mapping[str, DataFrame], data_sets: Sequence[DataSet], *, skipped: Mapping[int, Sequence[str]]
) -> list[Portrait]:
    """The portraits of data sets, in their order; each is of the whole data set, whichever manifests were named.

    Args:
        tables: The base tables of a run, and those of `TABLES` that there are.
        data_sets: The data sets of the run.
        skipped: Codes of the rules that could not judge, by number of the data set.
    """
    wanted = (*BASE_TABLES, "images", *TABLES)
    parts = {
        name: {key[0]: rows for key, rows in tables[name].partition_by("data_set", as_dict=True).items()}
        for name in wanted
        if name in tables
    }
    return [
        _portrait(
            {name: part.get(number, tables[name].clear()) for name, part in parts.items()}, skipped.get(number, ())
        )
        for number in range(len(data_sets))
    ]


def _portrait(tables: Mapping[str, DataFrame], skipped: Sequence[str]) -> Portrait:
    manifests, images = tables["manifests"], tables.get("images", BASE["images"].empty())
    # A manifest in two splits has its rows twice.
    first = manifests.unique("manifest", keep="first", maintain_order=True).select("manifest", "split")
    lines, attributes, labels, boxes = (
        tables[name].join(first, on=["manifest", "split"], how="semi")
        for name in ("lines", "attributes", "labels", "boxes")
    )
    refs = _images_of(lines)
    labeled = _images_of(pl.concat([labels.select("source_ref"), boxes.select("source_ref")]))
    found = images.filter("found")
    by_use_case: dict[UseCase, DataFrame] = {"classification": _named(labels), "detection": _named(boxes)}
    every: dict[UseCase, DataFrame] = {"classification": tables["labels"], "detection": tables["boxes"]}
    of_label = [part for use_case, rows in by_use_case.items() for part in _labels(rows, every[use_case], use_case)]
    return Portrait(
        manifests=manifests["manifest"].unique(maintain_order=True).to_list(),
        images=refs,
        images_found=found.height,
        unlabeled_images=refs - labeled,
        splits=_splits(tables),
        use_cases=[_use_case(rows, use_case) for use_case, rows in by_use_case.items() if not rows.is_empty()],
        labels=sorted(of_label, key=lambda part: (-part.images, part.use_case, part.label)),
        boxes=_box_sizes(boxes),
        image_sizes=_image_sizes(images, attributes),
        duplicates=_duplicates(images, tables.get("duplicate_groups")),
        exposure=_exposure(images),
        jobs=_jobs(attributes),
        workers=_workers(attributes, labels, boxes),
        not_looked_at=_not_looked_at(manifests.unique("manifest"), lines, attributes, images, refs, skipped),
    )


def _images_of(rows: DataFrame) -> int:
    return rows["source_ref"].drop_nulls().n_unique()


def _named(rows: DataFrame) -> DataFrame:
    """Labels and boxes whose label and image are known."""
    return rows.filter(col("label").is_not_null(), col("source_ref").is_not_null())


def _splits(tables: Mapping[str, DataFrame]) -> list[SplitPart]:
    of_split = {
        split: {name: rows.filter(col("split") == split) for name, rows in tables.items() if "split" in rows.columns}
        for split in SPLITS
    }
    return [
        SplitPart(
            split=split,
            manifests=rows["manifests"].height,
            lines=int(rows["manifests"]["lines"].sum()),
            images=_images_of(rows["lines"]),
            labels=rows["labels"].height,
            boxes=rows["boxes"].height,
        )
        for split, rows in of_split.items()
        if rows["manifests"].height
    ]


def _use_case(rows: DataFrame, use_case: UseCase) -> UseCasePart:
    distinct = rows.group_by("source_ref").agg(labels=col("label").n_unique())
    return UseCasePart(
        use_case=use_case,
        images=distinct.height,
        images_with_several_labels=distinct.filter(col("labels") > 1).height,
        labels=rows["label"].n_unique(),
    )


def _labels(rows: DataFrame, every: DataFrame, use_case: UseCase) -> Iterator[LabelPart]:
    """The labels of a use case: how often each occurs in `rows`, and in each split of `every`."""
    images, has_boxes = rows["source_ref"].n_unique(), use_case == "detection"
    counts = rows.group_by("label").agg(images=col("source_ref").n_unique(), boxes=pl.len())
    of_split: dict[str, dict[str, int]] = {}
    by_split = _named(every).group_by("label", "split").agg(images=col("source_ref").n_unique()).sort("split")
    for label, split, count in by_split.iter_rows():
        of_split.setdefault(label, {})[split] = count
    for label, count, boxes in counts.iter_rows():
        yield LabelPart(
            label=label,
            use_case=use_case,
            images=count,
            image_share=_share(count, images),
            boxes=boxes if has_boxes else None,
            box_share=_share(boxes, rows.height) if has_boxes else None,
            images_by_split=of_split[label],
        )


def _share(count: int, of: int) -> float:
    return round(count / of, 6)


def _quantiles(rows: DataFrame, number: Expr) -> Quantiles | None:
    """The quantiles of a number; None where it is known of no row."""
    values = rows.select(number.cast(pl.Float64).alias("value"))["value"]
    values = values.filter(values.is_finite())
    if values.is_empty():
        return None
    parts = {"min": 0.0, "p5": 0.05, "median": 0.5, "p95": 0.95, "max": 1.0}
    return Quantiles(**{name: _rounded(values.quantile(at, "nearest")) for name, at in parts.items()})


def _rounded(value: float | None) -> float:
    assert value is not None
    return round(value, 6)


def _box_sizes(boxes: DataFrame) -> BoxSizes:
    sides = pl.min_horizontal("width", "height")
    image = col("image_width").cast(pl.Float64) * col("image_height")
    per_image = boxes.drop_nulls("source_ref").group_by("source_ref").len("boxes")
    return BoxSizes(
        short_side=_quantiles(boxes, sides),
        area_share=_quantiles(boxes, col("width") * col("height") / image),
        per_image=_quantiles(per_image, col("boxes")),
    )


def _image_sizes(images: DataFrame, attributes: DataFrame) -> ImageSizes | None:
    """The sizes of files, or where none was measured those that manifests declare."""
    measured = images.select("width", "height").drop_nulls()
    declared = attributes.select("source_ref", width="image_width", height="image_height").drop_nulls()
    source: Literal["files", "image_size"] = "image_size" if measured.is_empty() else "files"
    # Several attributes of an image declare its size each.
    rows = declared.unique().drop("source_ref") if measured.is_empty() else measured
    width, height = _quantiles(rows, col("width")), _quantiles(rows, col("height"))
    if width is None or height is None:
        return None
    common = rows.group_by("width", "height").len("images").sort("images", "width", "height", descending=True)
    most_width, most_height, count = common.row(0)
    return ImageSizes(
        source=source,
        images=rows.height,
        width=width,
        height=height,
        sizes=common.height,
        most_frequent=(most_width, most_height),
        most_frequent_images=count,
    )


def _duplicates(images: DataFrame, groups: DataFrame | None) -> Duplicates | None:
    measured = images.filter(col("width").is_not_null()).height
    if groups is None or not measured:
        return None
    return Duplicates(
        measured=measured,
        images=groups.height,
        share=_share(groups.height, measured),
        groups=groups["group"].n_unique(),
        redundant=groups.height - groups["group"].n_unique(),
    )


def _exposure(images: DataFrame) -> Exposure | None:
    known = [name for name in FEATURES if name in images.columns]
    measured = images.filter(pl.any_horizontal(col(known).is_not_null())) if known else images.clear()
    if measured.is_empty():
        return None
    of = {name: _quantiles(measured, col(name)) if name in known else None for name in FEATURES}
    return Exposure(images=measured.height, bright_level=of["bright_level"], clipped_share=of["clipped_share"])


def _jobs(attributes: DataFrame) -> list[Job]:
    dated = attributes.with_columns(date=col("created").str.extract(_DATE))
    counts = dated.group_by("job").agg(attributes=pl.len(), first_date=col("date").min(), last_date=col("date").max())
    rows = counts.sort("attributes", "job", descending=[True, False])
    return [Job(**row) for row in rows.iter_rows(named=True)]


def _workers(attributes: DataFrame, labels: DataFrame, boxes: DataFrame) -> Workers:
    human = attributes["human"]
    confidences = pl.concat([rows.select("attribute_id", "confidence") for rows in (labels, boxes)]).drop_nulls()
    by_people = attributes.filter(col("human")).select("attribute_id")
    single = confidences.filter(col("confidence") == 0).join(by_people, on="attribute_id", how="semi")
    people, unknown = int(human.sum()), human.null_count()
    return Workers(
        by_people=people,
        by_machine=len(human) - people - unknown,
        unknown=unknown,
        labels=confidences.height,
        single_worker=single.height,
    )


def _not_looked_at(
    manifests: DataFrame, lines: DataFrame, attributes: DataFrame, images: DataFrame, refs: int, skipped: Sequence[str]
) -> NotLookedAt:
    kinds = attributes.filter(~col("kind").is_in(["classification", "detection", "multilabel"]))
    return NotLookedAt(
        images_not_found=refs - images.filter("found").height,
        images_unreadable=images.filter("found", col("fault").is_not_null()).height,
        lines=int(manifests["lines"].sum()) - lines.height,
        other_attributes=dict(kinds.group_by("kind").len().sort("kind").iter_rows()),
        skipped_rules=list(skipped),
    )
