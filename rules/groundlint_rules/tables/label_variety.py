"""How many of the images of a label are duplicates, and how many differ clearly from each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint_rules.features.embeddings import NUMBERS
from groundlint_rules.tables.duplicate_groups import first_rows
from groundlint_rules.wide_columns import values_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_COMPARED = 100
"""Images of a label that are compared with each other. Of more images even varied ones would form chains."""

_MAX_MEAN = 2000
"""Images of a data set of which the mean is taken."""

_ALIKE = 0.7
"""Cosine of embeddings, less the mean of the data set, from which two images show the same.

Of ten crops of a photograph, of 60% to 90% of its sides and 0.7 to 1.4 times as bright, each has 0.86 or more with the
nearest (median). In clothing, trashnet and cifar10n, 100 images of a label form 88 groups or more."""

_IMAGE = ("data_set", "source_ref")
_LABEL = ("data_set", "label")

_DIFFERENT = pl.Schema({"data_set": pl.Int32(), "label": pl.String(), "compared": pl.Int64(), "different": pl.Int64()})


@table(features=("image_embedding",))
def label_variety(image_labels: LazyFrame, lines: LazyFrame, images: LazyFrame, duplicates: LazyFrame) -> LazyFrame:
    """One label of the training data: its `images`, and how many of them are `duplicated`.

    Up to 100 of its images are `compared` with each other by their embeddings, and form groups of images that are
    connected by pairs that look alike. `different` is the number of groups; null where embeddings are not measured.
    """
    labels = (
        image_labels.filter(col("split") == "train")
        .select("data_set", "line_id", "label")
        .unique()
        .join(lines.select("line_id", "source_ref"), on="line_id")
        .select(*_IMAGE, "label")
    )
    copies = duplicates.filter(col("split") == "train").select(*_IMAGE, is_copy=pl.lit(value=True))
    counts = (
        labels.join(copies, on=list(_IMAGE), how="left")
        .group_by(_LABEL)
        .agg(images=pl.len().cast(pl.Int64), duplicated=col("is_copy").sum().cast(pl.Int64))
    )
    embedded = images.filter(col("image_embedding").is_not_null()).select(_IMAGE)
    # In the order of a hash, which is as good as random but does not depend on the order of lines.
    order = (col("source_ref").hash(), "source_ref")
    sample = embedded.sort("data_set", *order).filter(pl.int_range(pl.len()).over("data_set") < _MAX_MEAN)
    compared = (
        labels.join(embedded, on=list(_IMAGE))
        .sort(*_LABEL, *order)
        .filter(pl.int_range(pl.len()).over(_LABEL) < MAX_COMPARED)
    )
    chosen = pl.concat([sample.select(_IMAGE), compared.select(_IMAGE)])
    # Of the chosen images only, because embeddings are wide.
    embeddings = values_of(chosen, images, "image_embedding").lazy()
    sample, compared = (rows.join(embeddings, on=_IMAGE, maintain_order="left") for rows in (sample, compared))
    different = DataFrame(_different(compared.collect(), sample.collect()), schema=_DIFFERENT, orient="row")
    return counts.join(different.lazy(), on=list(_LABEL), how="left")


def _different(compared: DataFrame, sample: DataFrame) -> Iterator[tuple[int, str, int, int]]:
    """The rows of `_DIFFERENT`: for each label the number of its images, and that of the groups that they form."""
    import numpy as np

    from groundlint_rules.algorithms.stacked import stacked

    def unit(numbers: pl.Series) -> NDArray[np.float32]:
        points: NDArray[np.float32] = stacked(numbers, NUMBERS, np.uint8).astype(np.float32)
        points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1)
        return points

    means = {data_set: unit(part["image_embedding"]).mean(0) for (data_set,), part in sample.group_by("data_set")}
    for part in compared.partition_by(_LABEL, maintain_order=True):
        data_set, label = part.row(0)[0], part["label"][0]
        points = unit(part["image_embedding"]) - means[data_set]
        points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-6)
        ones, others = np.nonzero(np.triu(points @ points.T >= _ALIKE, 1))
        groups = first_rows(len(part), zip(ones.tolist(), others.tolist(), strict=True))
        yield data_set, label, len(part), groups.n_unique()
