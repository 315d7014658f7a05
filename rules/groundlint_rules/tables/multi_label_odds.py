"""How well labels fit their picture where one may bear several, by the pictures and labels of the whole set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint import table

MAX_LABELS = 100
"""Labels that are judged, the most frequent: each takes about a second for some thousand pictures."""

_OWN = ("embedding", "probability")
_MEASURED = ("efficientnet", "net", "layout")
_BLOCKS = (*_OWN, *_MEASURED)
"""Columns that tell what is to be seen; the first of them tells what is near."""

_SCHEMA = pl.Schema(
    {
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


@table(features=("net", "layout", "efficientnet"))
def multi_label_odds(
    labels: LazyFrame,
    images: LazyFrame,
    copies: LazyFrame,
    embeddings: LazyFrame,
    pred_probs: LazyFrame,
    pred_prob_labels: LazyFrame,
) -> LazyFrame:
    """One label of an image that may bear several, and how well it fits.

    Such are the labels of an attribute with several a line, and those of attributes that know one label only, which
    are taken together. `suspicion` is 1 - p(borne rightly) before calibration, `p_given` is calibrated; `flagged` where
    model and neighbours agree and the label's `signal`, the area under the curve for pictures that were given it as a
    trial, is enough. `nearest` are for flagged ones the nearest pictures without the label.

    Embeddings of the user's own model stand beside what is measured here; its probabilities take the place of what is
    made of that. What they leave out is not judged. Of attributes that are taken together the first that has some
    counts.
    """
    has_several = (pl.len().over("manifest", "line", "attribute") > 1).any().over("attribute")
    is_alone = col("label").n_unique().over("attribute") == 1
    rows = (
        labels.filter(col("label").is_not_null())
        .with_columns(scope=pl.when(has_several).then("attribute").when(is_alone).then(lit("")))
        .filter(col("scope").is_not_null())
        .select("manifest", "line", "source_ref", "attribute", "label", "scope")
        .collect()
    )
    seen = rows.lazy().select("scope", "source_ref").unique()
    for numbers in (images.select("source_ref", *_MEASURED), copies.select("source_ref", "group")):
        seen = seen.join(numbers, on="source_ref", how="left")
    attributes = rows.lazy().select("scope", "source_ref", "attribute").unique()
    for name, numbers in zip(_OWN, (embeddings, pred_probs), strict=True):
        of_images = numbers.filter(col("box").is_null()).select("source_ref", "attribute", col("numbers").alias(name))
        own = attributes.join(of_images, on=["source_ref", "attribute"]).sort("attribute").drop("attribute")
        seen = seen.join(own.unique(["scope", "source_ref"], keep="first"), on=["scope", "source_ref"], how="left")
    pictures = seen.sort("source_ref").collect().partition_by("scope", as_dict=True)
    columns = tuple(pred_prob_labels.sort("place").collect()["label"].to_list())
    made = [
        odds
        for scope, part in rows.group_by("scope", maintain_order=True)
        for odds in _of_scope(str(scope[0]), part, pictures[scope], columns)
    ]
    return rows.lazy().join(DataFrame(made, schema=_SCHEMA).lazy(), on=["scope", "source_ref", "label"]).drop("scope")


def _of_scope(scope: str, rows: DataFrame, pictures: DataFrame, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    measured = [name for name in _BLOCKS if pictures[name].is_not_null().any()]
    pictures = pictures.drop_nulls(measured)
    if not measured or rows["label"].n_unique() < 2 or pictures.is_empty():
        return
    import numpy as np

    from groundlint_rules.algorithms.feature_blocks import block_of, nearest
    from groundlint_rules.algorithms.label_errors import Probabilities
    from groundlint_rules.algorithms.multi_label_errors import tag_odds

    blocks = [block_of(name, pictures[name]) for name in measured]
    refs = pictures["source_ref"]
    place = pictures.select("source_ref").with_row_index("row")
    borne = rows.select("source_ref", "label").unique().join(place, on="source_ref")
    frequent = borne.group_by("label").len().sort("len", "label", descending=[True, False]).head(MAX_LABELS)["label"]
    bearers = {label: borne.filter(col("label") == label)["row"].to_list() for label in frequent}
    groups = pictures.select(pl.coalesce("group", "source_ref")).to_series().to_list()
    probabilities = None
    if "probability" in measured:
        probabilities = Probabilities(np.stack(pictures["probability"].to_list()), columns)
    for label, odds in tag_odds(blocks, bearers, groups, probabilities=probabilities):
        lacking = place.filter(~col("row").is_in(odds.rows.tolist()))["row"].to_numpy()
        for n, row in enumerate(odds.rows.tolist()):
            flagged = bool(odds.flagged[n])
            yield {
                "scope": scope,
                "source_ref": refs[row],
                "label": label,
                # Rounded, since the last digits depend on how a machine adds up.
                "suspicion": round(float(odds.suspicion[n]), 9),
                "p_given": round(float(odds.p_given[n]), 9),
                "flagged": flagged,
                "signal": odds.signal,
                "nearest": refs.gather(nearest(blocks[0], row, lacking)).to_list() if flagged else [],
            }
