"""Which labels can be predicted without looking at the objects: by the size, source or exposure of their images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
from polars import DataFrame, LazyFrame, Series, col

from groundlint import table, worded
from groundlint.phrases import number_of
from groundlint_rules.features.small_image import SIDE
from groundlint_rules.wide_columns import in_parts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Shares = NDArray[np.float64]

MIN_IMAGES = 10
"""Images that a label needs, and images without it."""

MIN_AUROC = 0.65
"""AUROC below which nothing is a shortcut."""

FOLDS = 5
"""Parts of a data set, each judged by the others."""

_BINS = 10
"""Bins, each with as many images as the others, into which numbers are divided."""

_OWN_FOLDER = 0.8
"""Share of the images of a label that are in a folder of its own."""

_MAX_DEPTH = 5
"""Levels of folders, the bucket among them, that are looked at."""

_CLEAR = 0.7
"""Difference of shares from which one value alone explains a shortcut."""

_MEGA = 1_000_000

_IMAGE = ("data_set", "source_ref")

_CATEGORIES = {
    "camera": ("were taken with {!r}", "other camera"),
    "file format": ("are {} files", "other format"),
    "folder": ("are in the folder {!r}", "other folder"),
    "image size": ("are {} px", "other size"),
}
"""Nuisances that are compared by value: what an image with a value does, and a noun for other values."""

_NUMBERS = {
    "number of pixels": ("have at most {:.2f} megapixels", "have more than {:.2f} megapixels"),
    "aspect ratio": ("have an aspect ratio of at most {:.2f}", "have an aspect ratio above {:.2f}"),
    "exposure": ("have a mean gray level of at most {:.0f}", "have a mean gray level above {:.0f}"),
}
"""Nuisances that are compared by size: what an image up to a limit does, and one above it."""

_ORDER = [*_CATEGORIES, *_NUMBERS]
"""Of nuisances that predict about as well, the first is named: a size says more than a number of pixels."""

_AS_WELL = 0.02
"""Difference of AUROC up to which nuisances predict about as well."""

_EXPOSURE = pl.Schema({"data_set": pl.Int32(), "source_ref": pl.String(), "exposure": pl.Float64()})

SCHEMA = pl.Schema(
    {
        "data_set": pl.Int32(),
        "label": pl.String(),
        "nuisance": pl.String(),
        "fact": pl.String(),
        "with_label": pl.Float64(),
        "without_label": pl.Float64(),
        "auroc": pl.Float64(),
    }
)


@table(features=("camera", "small_image"))
def label_shortcuts(
    image_labels: LazyFrame, lines: LazyFrame, attributes: LazyFrame, images: LazyFrame, duplicate_groups: LazyFrame
) -> DataFrame:
    """One label of the training data, and the nuisance that predicts best which images have it.

    A nuisance is a property of images that has nothing to do with the objects: camera, file format, folder, image size,
    number of pixels, aspect ratio or exposure. `auroc` is the probability that it ranks an image with the label above
    one without it, on images that the prediction has not seen. In words, `with_label` is the share of the images with
    the label of which `fact` is true, `without_label` that of the other images. Labels are left out for which no
    nuisance reaches 0.65 or for which a random label reaches as much, and data sets without two labels of 10 different
    images. Of duplicates, one counts.
    """
    labels = image_labels.filter(col("split") == "train").select("data_set", "line_id", "label").unique()
    frequent = labels.group_by("data_set", "label").len().filter(col("len") >= MIN_IMAGES)
    several = frequent.filter(pl.len().over("data_set") > 1).select("data_set").unique()
    judged = labels.join(several, on="data_set", how="semi").collect()
    rows = _nuisances(judged.lazy(), lines, attributes, _measured(images), duplicate_groups).collect()
    of_sets = rows.partition_by("data_set", maintain_order=True)
    found = [row for part in of_sets for row in _of_data_set(part, judged)]
    return DataFrame(found, schema=SCHEMA, orient="row")


def _measured(images: LazyFrame) -> LazyFrame:
    """What was measured of each image that may be a nuisance."""
    # That an image names no camera may be a shortcut too.
    camera = pl.when(col("format").is_not_null()).then(col("camera").fill_null(""))
    exposures = [
        keys.with_columns(exposure=Series(values.mean(axis=1)))
        for keys, values in in_parts(images, "small_image", SIDE * SIDE)
    ]
    exposure = pl.concat([DataFrame(schema=_EXPOSURE), *exposures]).lazy()
    return images.select(*_IMAGE, "width", "height", "format", camera=camera).join(exposure, on=_IMAGE, how="left")


def _nuisances(
    labels: LazyFrame, lines: LazyFrame, attributes: LazyFrame, measured: LazyFrame, duplicate_groups: LazyFrame
) -> LazyFrame:
    """One labeled image, of duplicates the first, with what may be a nuisance; sorted by source-ref."""
    declared = attributes.group_by("line_id").agg(col("image_width", "image_height").max())
    groups = duplicate_groups.select(*_IMAGE, "group")
    width, height = (pl.coalesce(side, f"image_{side}").cast(pl.Float64) for side in ("width", "height"))
    path = pl.concat_str("bucket", "key", separator="/").str.split("/")
    return (
        lines.join(labels.select("line_id").unique(), on="line_id", how="semi")
        .join(declared, on="line_id", how="left")
        .join(measured, on=_IMAGE, how="left")
        .join(groups, on=_IMAGE, how="left")
        .sort("data_set", "source_ref", "line_id")
        .with_columns(group=pl.coalesce("group", "source_ref"))
        .unique(["data_set", "group"], keep="first", maintain_order=True)
        .select(
            *("data_set", "line_id", "group", "camera", "exposure"),
            col("format").alias("file format"),
            path.list.head(path.list.len() - 1).alias("folders"),
            worded("{} x {}", width.cast(pl.Int64), height.cast(pl.Int64)).alias("image size"),
            (width * height / _MEGA).alias("number of pixels"),
            (width / height).alias("aspect ratio"),
        )
    )


class _Nuisance(NamedTuple):
    """One nuisance: the values that it has, and for each image the number of its value, -1 where it is unknown."""

    name: str
    values: Series
    numbers: Numbers


class _Shortcut(NamedTuple):
    """A nuisance that predicts a label, with the images of each value, and those of them with the label."""

    auroc: float
    nuisance: _Nuisance
    images: Numbers
    labeled: Numbers


def _of_data_set(images: DataFrame, labels: DataFrame) -> Iterator[tuple[object, ...]]:
    """The shortcuts of one data set, as rows; `images` are those of the data set."""
    import numpy as np

    places = images.with_row_index("row").select("line_id", "row")
    rows = labels.join(places, on="line_id").group_by("label").agg(col("row").sort())
    rows = rows.filter(col("row").list.len() >= MIN_IMAGES).sort("label")
    labeled = {label: np.array(numbers) for label, numbers in rows.iter_rows()}
    if len(labeled) < 2:
        return
    folds = (images["group"].hash() % FOLDS).cast(pl.Int64).to_numpy()
    nuisances = [*_categories(images), *_folders(images["folders"], list(labeled.values())), *_numbers(images)]
    for label, members in labeled.items():
        found = (shortcut for each in nuisances if (shortcut := _shortcut(each, members, folds)))
        shortcuts = [each for each in found if not _is_named_after(label, each.nuisance, members)]
        if shortcuts:
            chosen = _named(shortcuts)
            fact, *shares = _explained(chosen)
            yield images["data_set"][0], label, chosen.nuisance.name, fact, *shares, chosen.auroc


def _categories(images: DataFrame) -> Iterator[_Nuisance]:
    for name in ("camera", "file format", "image size"):
        yield _nuisance(name, images[name])


def _nuisance(name: str, values: Series) -> _Nuisance:
    """A nuisance by the value of each image, null where it is unknown."""
    distinct = values.drop_nulls().unique().sort()
    numbers = values.rank("dense").cast(pl.Int64) - 1
    return _Nuisance(name, distinct, numbers.fill_null(-1).to_numpy())


def _folders(folders: Series, labeled: list[Numbers]) -> Iterator[_Nuisance]:
    """The folder of each image, at each level; nothing where each label has its own folder."""
    lengths = folders.list.len().to_frame("length")
    levels = range(min(_MAX_DEPTH, lengths.select(col("length").max().fill_null(0)).item()))
    for level in levels:
        names = folders.list.get(level, null_on_oob=True)
        own = [names.gather(members).value_counts(sort=True, name="n").row(0) for members in labeled]
        shares = [count / len(members) for (_, count), members in zip(own, labeled, strict=True)]
        if len({name for name, _ in own}) == len(own) and min(shares) >= _OWN_FOLDER:
            return
    for level in levels:
        yield _nuisance("folder", folders.list.head(level + 1).list.join("/"))


def _is_named_after(label: str, nuisance: _Nuisance, members: Numbers) -> bool:
    """Whether the nuisance is a folder, and that of most images of the label has its name."""
    if nuisance.name != "folder":
        return False
    names = nuisance.values.gather(nuisance.numbers[members][nuisance.numbers[members] >= 0])
    same = names.str.to_lowercase().str.split("/").list.contains(label.lower())
    return bool((same.mean() or 0) >= _OWN_FOLDER)  # type: ignore[operator]


def _numbers(images: DataFrame) -> Iterator[_Nuisance]:
    """Numbers divided into bins; the value of a bin is the largest number in it."""
    import numpy as np

    for name in _NUMBERS:
        numbers = images[name].fill_null(np.nan).to_numpy()
        known = ~np.isnan(numbers)
        if known.any():
            limits = np.unique(np.quantile(numbers[known], np.arange(1, _BINS + 1) / _BINS, method="higher"))
            yield _Nuisance(name, Series(limits), np.where(known, np.searchsorted(limits, numbers), -1))


def _shortcut(nuisance: _Nuisance, members: Numbers, folds: Numbers) -> _Shortcut | None:
    """How a nuisance predicts which images are members; None if it does so no better than chance."""
    import numpy as np

    from groundlint_rules.algorithms.held_out import held_out_auroc, is_above_chance

    def counted(rows: Numbers) -> Numbers:
        rows = rows[nuisance.numbers[rows] >= 0]
        cells = np.bincount(nuisance.numbers[rows] * FOLDS + folds[rows], minlength=len(nuisance.values) * FOLDS)
        return cells.reshape(-1, FOLDS)

    images, labeled = counted(np.arange(len(folds))), counted(members)
    if len(nuisance.values) < 2 or min(labeled.sum(), (images - labeled).sum()) < MIN_IMAGES:
        return None
    auroc = held_out_auroc(images, labeled)
    if auroc < MIN_AUROC or not is_above_chance(images, labeled):
        return None
    return _Shortcut(auroc, nuisance, images.sum(1), labeled.sum(1))


def _named(shortcuts: list[_Shortcut]) -> _Shortcut:
    """Of the nuisances that predict a label about as well as the best, the one that is easiest to understand."""
    reached = max(each.auroc for each in shortcuts) - _AS_WELL
    as_good = [each for each in shortcuts if each.auroc >= reached]
    return min(as_good, key=lambda each: (_ORDER.index(each.nuisance.name), -each.auroc))


def _explained(shortcut: _Shortcut) -> tuple[str, float, float]:
    """A fact in words, the share of the images with the label of which it is true, and that of the others."""
    with_label, without_label = (
        counts / counts.sum() for counts in (shortcut.labeled, shortcut.images - shortcut.labeled)
    )
    explain = _side if shortcut.nuisance.name in _NUMBERS else _chosen
    return explain(shortcut.nuisance, with_label, without_label)


def _side(nuisance: _Nuisance, with_label: Shares, without_label: Shares) -> tuple[str, float, float]:
    """The limit, and the side of it, that divides the two kinds of images best."""
    ours, theirs = with_label.cumsum(), without_label.cumsum()
    place = int(abs(ours - theirs).argmax())
    below, above = (phrase.format(nuisance.values[place]) for phrase in _NUMBERS[nuisance.name])
    if ours[place] > theirs[place]:
        return below, float(ours[place]), float(theirs[place])
    return above, float(1 - ours[place]), float(1 - theirs[place])


def _chosen(nuisance: _Nuisance, with_label: Shares, without_label: Shares) -> tuple[str, float, float]:
    """The value that divides the two kinds of images best, or all values that are more frequent with the label."""
    more = with_label - without_label
    # Of two values that divide as well, the one that images with the label have.
    place = int(more.argmax() if more.max() >= -more.min() else more.argmin())
    chosen = [place]
    if abs(more[place]) < _CLEAR:
        chosen = (more > 0).nonzero()[0].tolist()
        place = max(chosen, key=with_label.__getitem__)
    phrase, noun = _CATEGORIES[nuisance.name]
    value = nuisance.values[place]
    if nuisance.name == "folder":
        bucket, _, folder = value.partition("/")
        value = folder or bucket
    fact = phrase.format(value) if value else "name no camera in their EXIF data"
    if len(chosen) > 1:
        fact += f" or {number_of(len(chosen) - 1, noun)}"
    return fact, float(with_label[chosen].sum()), float(without_label[chosen].sum())
