"""How far each image is from all other images of its data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars import DataFrame, LazyFrame, Series, col

from groundlint import table
from groundlint_rules.algorithms.robust import robust_z
from groundlint_rules.features.embeddings import NUMBERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEIGHBORS = 30
"""Nearest images that count: so many that a few outliers that are alike do not hide each other."""

MIN_IMAGES = 40
"""Images that a data set needs to have outliers."""

MIN_OF_LABEL = 12
"""Images that a label needs, so that its usual distance is known."""

_MAX_COMPARED = 10_000
"""Images with which all are compared, evenly spread, to limit the time."""

_BLOCK_NUMBERS = 4_000_000

_IMAGE = ("data_set", "source_ref")


@table(features=("image_embedding",))
def outliers(labels: LazyFrame, images: LazyFrame, duplicate_groups: LazyFrame) -> LazyFrame:
    """One label of an image, and how far the image is from the others of its data set.

    `distance` is 1 minus the mean cosine to its 30 nearest neighbors that are not its duplicates, of the square roots
    of a small net's activations. `deviations` is how far it exceeds the median of the label, in robust standard
    deviations; null for a label with fewer than 12 images or without any spread. (Distance to the nearest neighbors as
    outlier score: Ramaswamy et al., "Efficient algorithms for mining outliers from large data sets", SIGMOD 2000.)
    """
    seen = (
        images.filter(col("image_embedding").is_not_null())
        .select(*_IMAGE, "image_embedding")
        .join(labels.filter(col("label").is_not_null()), on=_IMAGE, how="semi")
        .join(duplicate_groups.select(*_IMAGE, "group"), on=_IMAGE, how="left")
        # Sorted, so that the choice of compared images does not depend on the order of lines.
        .sort(_IMAGE)
        .collect()
    )
    is_known = pl.len() >= MIN_OF_LABEL
    deviations = pl.when(is_known).then(robust_z(col("distance"))).over("data_set", "attribute", "label")
    return (
        labels.filter(col("label").is_not_null())
        .select(*_IMAGE, "line_id", "attribute_id", "attribute", "label")
        .join(_far(seen).lazy(), on=_IMAGE)
        .with_columns(deviations=deviations)
        .drop("source_ref", "attribute")
    )


def _far(seen: DataFrame) -> DataFrame:
    """The distance of each image of a data set with enough images; the images are sorted by data set."""
    parts = [DataFrame(schema={"data_set": pl.Int32, "source_ref": pl.String, "distance": pl.Float64})]
    start = 0
    for length in seen["data_set"].rle().struct.field("len"):
        of_data_set = seen.slice(start, length)
        start += length
        if length >= MIN_IMAGES:
            parts.append(of_data_set.select(*_IMAGE, distance=Series(_distances(of_data_set))))
    return pl.concat(parts)


def _distances(seen: DataFrame) -> NDArray[np.float64]:
    """1 minus the mean cosine to the nearest neighbors, (images,); rounded, because last digits differ by machine."""
    import numpy as np

    from groundlint_rules.algorithms.stacked import stacked

    roots = stacked(seen["image_embedding"], NUMBERS, np.uint8).astype(np.float32)
    roots /= np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    groups = seen.select(pl.coalesce("group", "source_ref").rank("dense")).to_series().to_numpy()
    count = len(roots)
    compared = np.unique(np.linspace(0, count - 1, min(count, _MAX_COMPARED)).astype(np.intp))
    compared_roots, compared_groups = roots[compared].T, groups[compared]
    distances = np.empty(count)
    step = max(1, _BLOCK_NUMBERS // len(compared))
    first = max(len(compared) - NEIGHBORS, 0)
    for start in range(0, count, step):
        run = slice(start, start + step)
        cosines = roots[run] @ compared_roots
        cosines[groups[run][:, None] == compared_groups] = -np.inf
        nearest = np.partition(cosines, first, axis=1)[:, first:]
        is_other = np.isfinite(nearest)
        # A data set of nothing but duplicates has no other images at all.
        counts = np.maximum(is_other.sum(1), 1)
        distances[run] = 1 - np.where(is_other, nearest, 0).sum(1, dtype=np.float64) / counts
    return distances.round(6)
