"""Groups among the images of an evaluated model, by their embeddings: mixed labels, and things without a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint_rules.features.embeddings import NUMBERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_IN_GROUP = 5
"""Images that a group needs: fewer may be alike by chance."""

_MOST = 2_000
"""Images of a label that are compared, evenly spread, to limit the time."""

_SHOWN_OF_GROUP = 3

_LABEL = ("data_set", "label")
_IMAGE = ("data_set", "source_ref")

_GROUPS = pl.Schema(
    {
        "data_set": pl.Int32(),
        "label": pl.String(),
        "first": pl.Int64(),
        "second": pl.Int64(),
        "silhouette": pl.Float64(),
        "shown": pl.List(pl.String()),
    }
)


@table(features=("image_embedding",))
def label_groups(
    label_metrics: LazyFrame, labels: LazyFrame, images: LazyFrame, embeddings: LazyFrame, duplicate_groups: LazyFrame
) -> DataFrame:
    """One image-level label of an evaluated model, and the two groups into which its images are divided best.

    `first` and `second` are their numbers of images, in all splits, without duplicates. `silhouette`, -1 to 1, is how
    much nearer images are to their own group, by the cosine of embeddings. `shown` are the three images nearest to the
    middle of each group, those of the first group first. The user's embeddings replace the built-in ones.
    """
    evaluated = label_metrics.filter(col("objects") > 0).select(_LABEL)
    copies = duplicate_groups.filter(col("group") != col("source_ref"))
    of_labels = labels.filter("usable").join(evaluated, on=_LABEL, how="semi").join(copies, on=_IMAGE, how="anti")
    rows = _with_vectors(of_labels.select(*_LABEL, "source_ref").unique(), images, embeddings)
    parts = rows.partition_by(_LABEL, maintain_order=True)
    return pl.concat([DataFrame(schema=_GROUPS), *(_divided(part) for part in parts)])


@table(features=("image_embedding",))
def unknown_groups(
    matched_predictions: LazyFrame,
    evaluated_objects: LazyFrame,
    confused_objects: LazyFrame,
    label_metrics: LazyFrame,
    images: LazyFrame,
    embeddings: LazyFrame,
) -> DataFrame:
    """One image-level label, and its false positives that are not one of the other labels.

    Images count as such where the model misses none of the image's own labels for it, or, in a data set whose images
    have one label at most, where the image has none. `second` is their number, `first` that of the true positives, and
    `silhouette`, -1 to 1, how much nearer the false positives are to each other than to the true ones. `shown` are the
    three true positives and the three false positives nearest to the middle of theirs.
    """
    positive = matched_predictions.join(label_metrics.select(*_LABEL, "threshold"), on=_LABEL).filter(
        col("confidence") >= col("threshold"), col("left").is_null()
    )
    taken = confused_objects.select("line_id", label="other_label").unique()
    counts = evaluated_objects.group_by("data_set", "line_id").agg(count=pl.len())
    # The only label of an image says what it shows, also where the model finds it besides the false positive.
    of_one_label = counts.filter(col("count").max().over("data_set") == 1)
    false = positive.filter(~col("is_true"))
    explained = [
        false.join(taken, on=["line_id", "label"], how="semi"),
        false.join(of_one_label, on="line_id", how="semi"),
    ]
    unexplained = positive.join(pl.concat(explained), on=["line_id", "label"], how="anti")
    rows = _with_vectors(unexplained.select(*_LABEL, "source_ref", is_second=~col("is_true")), images, embeddings)
    parts = rows.partition_by(_LABEL, maintain_order=True)
    return pl.concat([DataFrame(schema=_GROUPS), *(_compared(part) for part in parts)])


def _with_vectors(rows: LazyFrame, images: LazyFrame, embeddings: LazyFrame) -> DataFrame:
    """Images with the embedding that the user gave, or else with the built-in one, sorted by label and image."""
    wanted = rows.select(_IMAGE).unique()
    of_images = embeddings.filter(col("box").is_null()).sort("source_ref", "attribute")
    own = of_images.select("source_ref", "numbers").unique("source_ref", keep="first", maintain_order=True)
    given = wanted.join(own, on="source_ref").rename({"numbers": "vector"}).collect()
    if given.is_empty():
        measured = images.select(*_IMAGE, vector="image_embedding").drop_nulls()
        given = wanted.join(measured, on=_IMAGE).collect()
    return rows.collect().join(given, on=_IMAGE).sort(*_LABEL, "source_ref")


def _vectors(rows: DataFrame) -> NDArray[np.float64]:
    import numpy as np

    from groundlint_rules.algorithms.stacked import stacked
    from groundlint_rules.algorithms.two_groups import unit

    is_measured = rows.schema["vector"] == pl.Binary
    return unit(stacked(rows["vector"], NUMBERS, np.uint8) if is_measured else np.stack(rows["vector"].to_list()))


def _divided(rows: DataFrame) -> DataFrame:
    """The images of one label, divided into two groups."""
    from groundlint_rules.algorithms.two_groups import silhouettes, two_groups

    if rows.height < 2 * MIN_IN_GROUP:
        return DataFrame(schema=_GROUPS)
    rows = rows.gather_every(-(-rows.height // _MOST))
    vectors = _vectors(rows)
    is_second = two_groups(vectors)
    return _group(rows, vectors, is_second, silhouettes(vectors, is_second).mean())


def _compared(rows: DataFrame) -> DataFrame:
    """The false positives of one label beside its true positives."""
    from groundlint_rules.algorithms.two_groups import silhouettes

    is_second = rows["is_second"].to_numpy()
    if is_second.sum() < MIN_IN_GROUP or (~is_second).sum() < MIN_IN_GROUP:
        return DataFrame(schema=_GROUPS)
    vectors = _vectors(rows)
    return _group(rows, vectors, is_second, silhouettes(vectors, is_second)[is_second].mean())


def _group(rows: DataFrame, vectors: NDArray[np.float64], is_second: NDArray[np.bool_], silhouette: float) -> DataFrame:
    """The row of one label."""
    import numpy as np

    shown: list[str] = []
    for is_in in (~is_second, is_second):
        places = np.flatnonzero(is_in)
        if len(places):
            nearness = (vectors[places] @ vectors[places].sum(axis=0)).round(6)
            chosen = places[np.argsort(-nearness, kind="stable")[:_SHOWN_OF_GROUP]]
            shown += rows["source_ref"].gather(chosen).to_list()
    row = {
        **rows.select(_LABEL).row(0, named=True),
        "first": int((~is_second).sum()),
        "second": int(is_second.sum()),
        "silhouette": round(float(silhouette), 6),
        "shown": shown,
    }
    return DataFrame([row], schema=_GROUPS)
