"""How well each label fits its picture, by the pictures and labels of the whole set."""

from __future__ import annotations

import polars as pl
from polars import DataFrame, LazyFrame, Series, col, lit

from groundlint import table

_BLOCKS = ("embedding", "probability", "efficientnet", "net", "layout", "figure")
"""Columns that tell what is to be seen; the first of them tells what is near."""

_BOX = ("manifest", "line", "attribute", "box")
_PLACE = ("manifest", "line", "source_ref", "attribute", "box", "label")

SCHEMA = pl.Schema(
    {
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
        "nearest": pl.List(pl.String()),
    }
)


@table(objects=("labels", "boxes"))
def label_odds(image_label_odds: LazyFrame, box_label_odds: LazyFrame) -> LazyFrame:
    """One label of an image, of an attribute with one label a line, or of a box, and how well it fits.

    `suspicion` is 1 - p(given) before calibration, `p_given` and `p_suggested` are calibrated; `flagged` where model
    and neighbours agree and the attribute's `signal`, the area under the curve for labels exchanged as a trial, is
    enough. `nearest` are for flagged ones the images of the nearest that bear the suggested label. `box` is null for
    the label of an image. Of a label's boxes 20,000 at most are looked at, of all 200,000.

    Embeddings of the user's own model stand beside what is measured here; its probabilities take the place of what is
    made of that. What they leave out is not judged. With the extra `embed` a larger net looks at the pictures too.
    """
    return pl.concat([image_label_odds, box_label_odds])


@table(features=("net", "layout", "efficientnet"))
def image_label_odds(
    labels: LazyFrame,
    images: LazyFrame,
    copies: LazyFrame,
    embeddings: LazyFrame,
    pred_probs: LazyFrame,
    pred_prob_labels: LazyFrame,
) -> DataFrame:
    """The part of `label_odds` for labels of images."""
    is_single = pl.len().over("manifest", "line", "attribute") == 1
    rows = (
        labels.filter(col("label").is_not_null())
        .filter(is_single)
        .with_columns(box=lit(None, pl.Int32))
        .join(images.select("source_ref", "net", "layout", "efficientnet"), on="source_ref", how="left")
    )
    return _judged(rows, copies, embeddings, pred_probs, pred_prob_labels)


@table(features=("figure",))
def box_label_odds(
    boxes: LazyFrame,
    crops: LazyFrame,
    copies: LazyFrame,
    embeddings: LazyFrame,
    pred_probs: LazyFrame,
    pred_prob_labels: LazyFrame,
) -> DataFrame:
    """The part of `label_odds` for labels of boxes."""
    rows = boxes.filter(col("label").is_not_null()).join(crops.select(*_BOX, "figure"), on=_BOX, how="left")
    return _judged(rows, copies, embeddings, pred_probs, pred_prob_labels)


def _judged(
    objects: LazyFrame, copies: LazyFrame, embeddings: LazyFrame, pred_probs: LazyFrame, pred_prob_labels: LazyFrame
) -> DataFrame:
    """The odds of objects by all that is known of them, attribute by attribute."""
    kept = copies.select("source_ref", "group")
    rows = objects.join(kept, on="source_ref", how="left").with_columns(group=pl.coalesce("group", "source_ref"))
    for name, numbers in (("embedding", embeddings), ("probability", pred_probs)):
        own = numbers.select("source_ref", "attribute", "box", col("numbers").alias(name))
        rows = rows.join(own, on=["source_ref", "attribute", "box"], how="left", nulls_equal=True)
    columns = pred_prob_labels.sort("place").collect()["label"].to_list()
    made = [
        _of_attribute(part, tuple(columns)) for _, part in rows.collect().group_by("attribute", maintain_order=True)
    ]
    return pl.concat([DataFrame(schema=SCHEMA), *made])


def _of_attribute(rows: DataFrame, columns: tuple[str, ...]) -> DataFrame:
    import numpy as np

    from groundlint_rules.algorithms import label_errors as _odds
    from groundlint_rules.algorithms.feature_blocks import block_of, nearest

    measured = [name for name in _BLOCKS if name in rows.columns and rows[name].is_not_null().any()]
    seen = rows.drop_nulls(measured)
    if not measured or seen.is_empty():
        return DataFrame(schema=SCHEMA)
    blocks = [block_of(name, seen[name]) for name in measured]
    names = seen["label"].to_list()
    probabilities = None
    if "probability" in measured:
        probabilities = _odds.Probabilities(np.stack(seen["probability"].to_list()), columns)
    odds = _odds.label_odds(blocks, names, seen["group"].to_list(), probabilities=probabilities)
    given, refs = np.array(names), seen["source_ref"]
    near: list[list[str]] = [[] for _ in names]
    for n in np.flatnonzero(odds.flagged).tolist():
        chosen = nearest(blocks[0], n, np.flatnonzero(given == odds.names[odds.suggested[n]]))
        near[n] = refs.gather(chosen).unique(maintain_order=True).to_list()
    judged = seen.select(
        *_PLACE,
        # Rounded, since the last digits depend on how a machine adds up.
        Series("suspicion", odds.suspicion).round(9),
        Series("suggested_label", [odds.names[n] if n >= 0 else None for n in odds.suggested], dtype=pl.String),
        Series("p_given", odds.p_given).round(9),
        Series("p_suggested", odds.p_suggested).round(9),
        Series("flagged", odds.flagged),
        lit(min(odds.signal_even, odds.signal_like)).alias("signal"),
        Series("nearest", near, dtype=SCHEMA["nearest"]),
    )
    return judged.filter(col("suggested_label").is_not_null()).match_to_schema(SCHEMA)
