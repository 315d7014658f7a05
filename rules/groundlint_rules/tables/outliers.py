"""How far each image is from those of its own label, and from those of all others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
from polars import DataFrame, LazyFrame, Series, col

from groundlint import table
from groundlint_rules.algorithms.robust import robust_z
from groundlint_rules.features.embeddings import NUMBERS
from groundlint_rules.wide_columns import taken, wide_column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEIGHBORS = 10
"""Nearest images of a label that count: so many that a few outliers that are alike do not hide each other."""

MIN_IMAGES = 40
"""Images that an attribute needs to have outliers."""

MIN_OF_LABEL = 12
"""Images that a label needs, so that its usual distance is known."""

_MAX_COMPARED = 10_000
"""Images with which all are compared, evenly spread, to limit the time."""

_BLOCK_NUMBERS = 4_000_000

_IMAGE = ("data_set", "source_ref")
_ATTRIBUTE = ("data_set", "attribute")

_SCHEMA = pl.Schema(
    {
        "data_set": pl.Int32(),
        "line_id": pl.Int32(),
        "attribute_id": pl.Int64(),
        "label": pl.String(),
        "distance": pl.Float64(),
        "other_label": pl.String(),
        "other_distance": pl.Float64(),
        "deviations": pl.Float64(),
        "nearest_deviations": pl.Float64(),
        "nearer_deviations": pl.Float64(),
    }
)


@table(features=("image_embedding",))
def outliers(labels: LazyFrame, images: LazyFrame, duplicate_groups: LazyFrame) -> DataFrame:
    """One label of an image, and how far the image is from the others with this label and with other labels.

    The distance from a label is 1 minus the mean cosine to its 10 nearest images that are not duplicates, of the square
    roots of a small net's activations. `distance` is that from the own label, `other_distance` that from the nearest
    label that the image does not have. Three robust z-scores say how unusual they are: `deviations` that of `distance`
    among the images of the label, `nearest_deviations` that of the distance from the nearest label, own or other, among
    all images, and `nearer_deviations` that of `distance` - `other_distance` among the images of the label. Labels with
    fewer than 12 images and attributes with fewer than 40 are left out. (Distance to the nearest neighbors as outlier
    score: Ramaswamy et al., "Efficient algorithms for mining outliers from large data sets", SIGMOD 2000.)
    """
    named = labels.filter(col("label").is_not_null())
    embeddings = wide_column(images, "image_embedding", NUMBERS, among=named)
    seen = (
        named.select(*_ATTRIBUTE, "source_ref", "line_id", "attribute_id", "label")
        .join(embeddings.rows.lazy(), on=_IMAGE)
        .join(duplicate_groups.select(*_IMAGE, "group"), on=_IMAGE, how="left")
        # Sorted, so that the choice of compared images does not depend on the order of lines.
        .sort(*_ATTRIBUTE, "source_ref", "label", "attribute_id")
        .collect()
    )
    parts = seen.group_by(_ATTRIBUTE, maintain_order=True)
    return pl.concat([DataFrame(schema=_SCHEMA), *(_of_attribute(part, embeddings.values) for _, part in parts)])


def _of_attribute(seen: DataFrame, embeddings: NDArray[np.uint8]) -> DataFrame:
    """The rows of one attribute of a data set, whose labels are sorted by image; `place` is that in the embeddings."""
    known = seen.filter(col("source_ref").n_unique().over("label") >= MIN_OF_LABEL)
    if known["source_ref"].n_unique() < MIN_IMAGES:
        return DataFrame(schema=_SCHEMA)
    names = known["label"].unique().sort()
    images = known.unique("source_ref", keep="first", maintain_order=True)
    row = images.select("source_ref").with_row_index("row")
    places = known.select("source_ref", "label").join(row, on="source_ref", maintain_order="left")
    codes = places["label"].replace_strict(names, Series(range(len(names))), return_dtype=pl.Int64)
    roots = taken(embeddings, images["place"].to_numpy())
    found = _distances(images, roots, places["row"].to_numpy(), codes.to_numpy(), len(names))
    nearest = pl.min_horizontal("distance", "other_distance")
    other_label = names.gather(Series(found.other))
    return (
        known.with_columns(distance=found.own, other_distance=found.to_other, other_label=other_label)
        .with_columns(other_distance=pl.when(col("other_distance").is_finite()).then("other_distance"))
        .with_columns(other_label=pl.when(col("other_distance").is_not_null()).then("other_label"))
        .with_columns(
            nearer_deviations=robust_z(col("distance") - col("other_distance")).over("label"),
            deviations=robust_z(col("distance")).over("label"),
            nearest_deviations=robust_z(nearest),
        )
        .match_to_schema(_SCHEMA, extra_columns="ignore")
    )


class _Distances(NamedTuple):
    """Distances of labeled images, one element per label: from the own label, and from the nearest other one."""

    own: NDArray[np.float64]
    other: NDArray[np.intp]
    to_other: NDArray[np.float64]


def _distances(
    images: DataFrame, roots: NDArray[np.uint8], rows: NDArray[np.integer], codes: NDArray[np.integer], names: int
) -> _Distances:
    """Distances of images with labels `codes`, each of the image in `rows`; rounded, as last digits differ by machine.

    The rows ascend. `to_other` is infinite where the image has all labels.
    """
    import numpy as np

    count = len(images)
    has = np.zeros((count, names), np.bool_)
    has[rows, codes] = True
    own, to_other = np.empty(len(rows)), np.empty(len(rows))
    other = np.empty(len(rows), np.intp)
    for run, distances in _blocks(images, roots, has):
        here = slice(*np.searchsorted(rows, (run.start, run.stop)))
        places = rows[here] - run.start
        own[here] = distances[places, codes[here]]
        distances[has[run]] = np.inf
        other[here] = distances[places].argmin(1)
        to_other[here] = distances[places, other[here]]
    return _Distances(own.round(6), other, to_other.round(6))


def _blocks(
    images: DataFrame, roots: NDArray[np.uint8], has: NDArray[np.bool_]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield runs of images and their distances from all labels, (run, labels)."""
    import numpy as np

    def unit(rows: NDArray[np.intp] | slice) -> NDArray[np.float32]:
        points = roots[rows].astype(np.float32)
        points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return points

    groups = images.select(pl.coalesce("group", "source_ref").rank("dense")).to_series().to_numpy()
    count = len(roots)
    compared = np.unique(np.linspace(0, count - 1, min(count, _MAX_COMPARED)).astype(np.intp))
    compared_roots, compared_groups = unit(compared).T, groups[compared]
    members = [np.flatnonzero(column) for column in has[compared].T]
    step = max(1, _BLOCK_NUMBERS // len(compared))
    for start in range(0, count, step):
        run = slice(start, min(start + step, count))
        cosines = unit(run) @ compared_roots
        cosines[groups[run][:, None] == compared_groups] = -np.inf
        distances = np.empty((run.stop - run.start, has.shape[1]))
        for code, those in enumerate(members):
            first = max(len(those) - NEIGHBORS, 0)
            nearest = np.partition(cosines[:, those], first, axis=1)[:, first:] if len(those) else cosines[:, :0]
            is_other = np.isfinite(nearest)
            # A label of nothing but duplicates has no other images at all.
            counts = np.maximum(is_other.sum(1), 1)
            distances[:, code] = 1 - np.where(is_other, nearest, 0).sum(1, dtype=np.float64) / counts
        yield run, distances
