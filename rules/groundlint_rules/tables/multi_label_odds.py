"""How probable each label of images with several labels is, by the images and labels of their data set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint import table
from groundlint_rules.features.embeddings import NUMBERS
from groundlint_rules.wide_columns import taken, wide_column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_JUDGED_LABELS = 100
"""Labels that are judged, the most frequent ones: each takes about a second for some thousand images."""

_BLOCKS = ("embedding", "probability", "measured")
"""Columns of features. The first that is known defines the nearest images."""

_IMAGE = ("data_set", "source_ref")
_SCOPE = ("data_set", "scope")

_SCHEMA = pl.Schema(
    {
        "data_set": pl.Int32(),
        "scope": pl.String(),
        "source_ref": pl.String(),
        "label": pl.String(),
        "suspicion": pl.Float64(),
        "p_given": pl.Float64(),
        "flagged": pl.Boolean(),
        "signal": pl.Float64(),
        "nearest": pl.List(pl.String()),
    }
)


@table(features=("image_embedding",))
def multi_label_odds(
    labels: LazyFrame,
    images: LazyFrame,
    duplicate_groups: LazyFrame,
    embeddings: LazyFrame,
    pred_probs: LazyFrame,
    pred_prob_labels: LazyFrame,
) -> LazyFrame:
    """One label of an image that may have several, and how probable it is.

    These are the labels of an attribute with several labels on a line, and those of attributes with only one label,
    which are judged together. `suspicion`, 0 to 1, rises with 1 - p(the image has the label) before calibration;
    `p_given` is calibrated. `flagged` where the model and the nearest images agree and the `signal` of the label, the
    AUROC for images that were given it as a check, is high enough. For flagged labels, `nearest` holds the nearest
    images without the label.

    Embeddings of the user's own model are used with measured features; the user's own probabilities replace those
    of the model. Labels that they leave out are not judged. Of attributes that are judged together, the first with
    embeddings or probabilities of an image counts.
    """
    attribute = ("data_set", "attribute")
    has_several = (pl.len().over("attribute_id") > 1).any().over(attribute)
    is_alone = col("label").n_unique().over(attribute) == 1
    rows = (
        labels.filter(col("label").is_not_null())
        .with_columns(scope=pl.when(has_several).then("attribute").when(is_alone).then(lit("")))
        .filter(col("scope").is_not_null())
        .sort("attribute_id", "label")
        .select(*_SCOPE, "line_id", "attribute_id", "source_ref", "attribute", "label")
        .collect()
    )
    measured = wide_column(images, "image_embedding", NUMBERS, among=rows.lazy())
    places = measured.rows.rename({"place": "measured"})
    seen = _with_features(rows, places, duplicate_groups, {"embedding": embeddings, "probability": pred_probs})
    columns = tuple(pred_prob_labels.sort("place").collect()["label"])
    made = [
        {"data_set": data_set, "scope": scope, **odds}
        for (data_set, scope), part in rows.group_by(_SCOPE, maintain_order=True)
        for odds in _of_scope(part, seen[data_set, scope], measured.values, columns)
    ]
    keys = [*_SCOPE, "source_ref", "label"]
    return rows.lazy().join(DataFrame(made, schema=_SCHEMA).lazy(), on=keys).drop("scope", "source_ref", "attribute")


def _with_features(
    rows: DataFrame, measured: DataFrame, duplicate_groups: LazyFrame, own: dict[str, LazyFrame]
) -> dict[tuple[object, ...], DataFrame]:
    """The images of each scope, with their features and the group of their duplicates.

    `measured` has the row of the measured embedding of each image.
    """
    seen = rows.lazy().select(*_SCOPE, "source_ref").unique()
    for known in (measured.lazy(), duplicate_groups.select(*_IMAGE, "group")):
        seen = seen.join(known, on=_IMAGE, how="left")
    attributes = rows.lazy().select(*_SCOPE, "source_ref", "attribute").unique()
    keys = [*_SCOPE, "source_ref"]
    for name, numbers in own.items():
        of_images = numbers.filter(col("box").is_null()).select("source_ref", "attribute", col("numbers").alias(name))
        given = attributes.join(of_images, on=["source_ref", "attribute"]).sort("attribute").drop("attribute")
        seen = seen.join(given.unique(keys, keep="first"), on=keys, how="left")
    return seen.sort("source_ref").collect().partition_by(_SCOPE, as_dict=True)


def _of_scope(
    rows: DataFrame, images: DataFrame, measured: NDArray[np.uint8], columns: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """The odds of labels that are judged together, as rows of `_SCHEMA`; `columns` label the probabilities."""
    known = [name for name in _BLOCKS if images[name].is_not_null().any()]
    images = images.drop_nulls(known)
    if not known or rows["label"].n_unique() < 2 or images.is_empty():
        return
    import numpy as np

    from groundlint_rules.algorithms.feature_blocks import block_of_roots, block_of_user, nearest
    from groundlint_rules.algorithms.label_errors import Probabilities
    from groundlint_rules.algorithms.multi_label_errors import one_vs_rest_odds

    blocks = [
        block_of_roots(taken(measured, images[name].to_numpy()))
        if name == "measured"
        else block_of_user(name, images[name])
        for name in known
    ]
    refs = images["source_ref"]
    numbers = images.select("source_ref").with_row_index("row")
    labeled = rows.select("source_ref", "label").unique().join(numbers, on="source_ref")
    frequent = (
        labeled.group_by("label").len().sort("len", "label", descending=[True, False]).head(MAX_JUDGED_LABELS)["label"]
    )
    having = {label: labeled.filter(col("label") == label)["row"].to_list() for label in frequent}
    groups = images.select(pl.coalesce("group", "source_ref")).to_series().to_list()
    probabilities = None
    if "probability" in known:
        probabilities = Probabilities(np.stack(images["probability"].to_list()), columns)
    for label, odds in one_vs_rest_odds(blocks, having, groups, probabilities=probabilities):
        lacking = numbers.filter(~col("row").is_in(odds.rows.tolist()))["row"].to_numpy()
        for n, row in enumerate(odds.rows.tolist()):
            flagged = bool(odds.flagged[n])
            yield {
                "source_ref": refs[row],
                "label": label,
                "suspicion": float(odds.suspicion[n]),
                # Rounded, because the last digits depend on how a machine adds up; tiny probabilities keep theirs.
                "p_given": float(f"{odds.p_given[n]:.9g}"),
                "flagged": flagged,
                "signal": odds.signal,
                "nearest": refs.gather(nearest(blocks[0], row, lacking)).to_list() if flagged else [],
            }
