"""How probable each label of an image or a box is, by the images and labels of its data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from polars import DataFrame, LazyFrame, Series, col, lit

from groundlint import table
from groundlint_rules.features.embeddings import NUMBERS
from groundlint_rules.wide_columns import taken, wide_column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_SIGNAL = 0.8
"""AUROC of the self-check below which no label is flagged: that of `label_errors.Limits`, which loads numpy."""

_BLOCKS = ("embedding", "probability", "measured")
"""Columns of features. The first that is known defines the nearest images."""

_IMAGE = ("data_set", "source_ref")
_OBJECT = ("source_ref", "attribute", "box")
_PLACE = (
    *("data_set", "line_id", "attribute_id", "box_id"),
    *("manifest", "line", "source_ref", "attribute", "box", "label"),
)

_PLACE_STRUCT = pl.Struct(
    {
        "manifest": pl.String(),
        "line": pl.Int32(),
        "attribute": pl.String(),
        "box": pl.Int32(),
        "source_ref": pl.String(),
    }
)

SCHEMA = pl.Schema(
    {
        "data_set": pl.Int32(),
        "line_id": pl.Int32(),
        "attribute_id": pl.Int64(),
        "box_id": pl.Int32(),
        "manifest": pl.String(),
        "line": pl.Int32(),
        "source_ref": pl.String(),
        "attribute": pl.String(),
        "box": pl.Int32(),
        "label": pl.String(),
        "suspicion": pl.Float64(),
        "suggested_label": pl.String(),
        "p_given": pl.Float64(),
        "p_suggested": pl.Float64(),
        "flagged": pl.Boolean(),
        "signal": pl.Float64(),
        "nearest": pl.List(_PLACE_STRUCT),
    }
)


@table(objects=("labels", "boxes"))
def label_odds(image_label_odds: LazyFrame, box_label_odds: LazyFrame) -> LazyFrame:
    """One label of a box, or of an image with one label in its attribute, and how probable it is.

    `suspicion`, 0 to 1, rises with 1 - p(given) before calibration, and is 0.5 for even odds. `p_given` and
    `p_suggested` are calibrated.
    `flagged` where the model and the nearest images agree and the `signal` of the attribute, the AUROC for labels
    exchanged as a check, is high enough. For flagged labels, `nearest` holds the nearest images or boxes with the
    suggested label, at most one of an image. `box` is null for the label of an image. At most 20,000 boxes of a label
    and 200,000 boxes in all are judged.

    Embeddings of the user's own model are used with measured features; the user's own probabilities replace those
    of the model. Labels that they leave out are not judged.
    """
    return pl.concat([image_label_odds, box_label_odds])


@table(features=("image_embedding",))
def image_label_odds(
    labels: LazyFrame,
    images: LazyFrame,
    duplicate_groups: LazyFrame,
    embeddings: LazyFrame,
    pred_probs: LazyFrame,
    pred_prob_labels: LazyFrame,
) -> DataFrame:
    """The part of `label_odds` for labels of images."""
    judged = labels.filter(col("label").is_not_null()).filter(pl.len().over("attribute_id") == 1)
    seen = wide_column(images, "image_embedding", NUMBERS, among=judged)
    rows = (
        # In the order of the embeddings.
        judged.sort(*_IMAGE, "attribute_id")
        .with_columns(box=lit(None, pl.Int32), box_id=lit(None, pl.Int32))
        .join(seen.rows.lazy().rename({"place": "measured"}), on=_IMAGE, how="left", maintain_order="left")
    )
    return _judged(rows, seen.values, duplicate_groups, embeddings, pred_probs, pred_prob_labels)


@table(features=("crop_embedding",))
def box_label_odds(
    boxes: LazyFrame,
    crops: LazyFrame,
    duplicate_groups: LazyFrame,
    embeddings: LazyFrame,
    pred_probs: LazyFrame,
    pred_prob_labels: LazyFrame,
) -> DataFrame:
    """The part of `label_odds` for labels of boxes."""
    from groundlint_rules.algorithms.stacked import stacked

    crop = crops.select("box_id", "crop_embedding").drop_nulls().sort("box_id").collect().with_row_index("measured")
    rows = (
        boxes.filter(col("label").is_not_null())
        .sort("box_id")
        .join(crop.lazy().drop("crop_embedding"), on="box_id", how="left", maintain_order="left")
    )
    values = stacked(crop["crop_embedding"], NUMBERS, "u1")
    return _judged(rows, values, duplicate_groups, embeddings, pred_probs, pred_prob_labels)


def _judged(
    objects: LazyFrame,
    measured: NDArray[np.uint8],
    duplicate_groups: LazyFrame,
    embeddings: LazyFrame,
    pred_probs: LazyFrame,
    pred_prob_labels: LazyFrame,
) -> DataFrame:
    """The odds of the labels of objects by all features that are known, for each attribute of each data set.

    The column `measured` of the objects has the row of their measured embedding.
    """
    groups = duplicate_groups.select(*_IMAGE, "group")
    rows = objects.join(groups, on=_IMAGE, how="left", maintain_order="left")
    rows = rows.with_columns(group=pl.coalesce("group", "source_ref"))
    for name, numbers in (("embedding", embeddings), ("probability", pred_probs)):
        own = numbers.select(*_OBJECT, col("numbers").alias(name)).collect()
        # Joining many thousands of objects by name takes long, and most users bring nothing.
        if not own.is_empty():
            rows = rows.join(own.lazy(), on=_OBJECT, how="left", nulls_equal=True, maintain_order="left")
    columns = tuple(pred_prob_labels.sort("place").collect()["label"])
    features = [name for name in _BLOCKS if name in rows.collect_schema()]
    seen = rows.filter(pl.any_horizontal(col(name).is_not_null() for name in features))
    parts = seen.collect().group_by("data_set", "attribute", maintain_order=True)
    return pl.concat([DataFrame(schema=SCHEMA), *(_of_attribute(part, measured, columns) for _, part in parts)])


def _of_attribute(rows: DataFrame, measured: NDArray[np.uint8], columns: tuple[str, ...]) -> DataFrame:
    """The odds of the objects of one attribute that have all features; `columns` label the probabilities."""
    import numpy as np

    from groundlint_rules.algorithms import label_errors
    from groundlint_rules.algorithms.feature_blocks import block_of_roots, block_of_user, nearest

    known = [name for name in _BLOCKS if name in rows.columns and rows[name].is_not_null().any()]
    seen = rows.drop_nulls(known)
    if not known or seen.is_empty():
        return DataFrame(schema=SCHEMA)
    blocks = [
        block_of_roots(taken(measured, seen[name].to_numpy()))
        if name == "measured"
        else block_of_user(name, seen[name])
        for name in known
    ]
    given = seen["label"].to_list()
    probabilities, limits = None, None
    if "probability" in known:
        probabilities = label_errors.Probabilities(np.stack(seen["probability"].to_list()), columns)
        limits = label_errors.LIMITS_OF_USER_MODEL
    odds = label_errors.label_odds(blocks, given, seen["group"].to_list(), limits, probabilities)
    labels, places = np.array(given), seen.select(name for name, _ in _PLACE_STRUCT)
    near: list[list[dict[str, Any]]] = [[] for _ in given]
    members = {name: np.flatnonzero(labels == name) for name in {odds.names[n] for n in odds.suggested[odds.flagged]}}
    for n in np.flatnonzero(odds.flagged).tolist():
        chosen = nearest(blocks[0], n, members[odds.names[odds.suggested[n]]])
        near[n] = places[chosen].unique("source_ref", keep="first", maintain_order=True).to_dicts()
    judged = seen.select(
        *_PLACE,
        Series("suspicion", odds.suspicion),
        Series("suggested_label", [odds.names[n] if n >= 0 else None for n in odds.suggested], dtype=pl.String),
        # Rounded, because the last digits depend on how a machine adds up; tiny probabilities keep theirs.
        Series("p_given", odds.p_given).round_sig_figs(9),
        Series("p_suggested", odds.p_suggested).round_sig_figs(9),
        Series("flagged", odds.flagged),
        lit(min(odds.signal_uniform, odds.signal_similar)).alias("signal"),
        Series("nearest", near, dtype=SCHEMA["nearest"]),
    )
    return judged.filter(col("suggested_label").is_not_null()).match_to_schema(SCHEMA)
