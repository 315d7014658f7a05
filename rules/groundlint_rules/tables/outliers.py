"""How far each picture lies from all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint_rules.features.embeddings import NET

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEIGHBOURS = 30
"""Pictures that count as near: a handful of strange ones that are alike must not hide each other."""

MIN_IMAGES = 40
"""Pictures below which there are not enough to be unlike."""

MIN_OF_LABEL = 12
"""Pictures of a label below which what is usual for it is not known."""

_MOST = 10_000
"""Pictures that the others are compared with, evenly spread: it bounds time."""

_NUMBERS = 4_000_000


@table(features=("net",))
def outliers(labels: LazyFrame, images: LazyFrame, copies: LazyFrame) -> LazyFrame:
    """One label of an image, and how far the image lies from the others of the data set.

    `distance` is one less the mean cosine to its 30 nearest that are no copies of it, of the roots of a small net's
    activations; `deviations`, how far that is above the label's median in robust deviations, null for a label of less
    than a dozen images. (Distance to the nearest neighbours as an outlier's score: Ramaswamy et al., SIGMOD 2000.)
    """
    kept = copies.select("source_ref", "group")
    seen = (
        images.filter(col("net").is_not_null())
        .select("source_ref", "net")
        .join(kept, on="source_ref", how="left")
        # In an order of its own, so that which are compared does not depend on that of the lines.
        .sort("source_ref")
        .collect()
    )
    far = DataFrame(schema={"source_ref": pl.String, "distance": pl.Float64})
    if len(seen) >= MIN_IMAGES:
        far = seen.select("source_ref", distance=pl.Series(_distances(seen)))
    above = col("distance") - col("distance").median()
    scale = 1.4826 * above.abs().median()
    enough = (pl.len() >= MIN_OF_LABEL) & (scale > 0)
    deviations = pl.when(enough).then(above / scale).over("attribute", "label")
    keys = ("manifest", "line", "source_ref", "attribute", "label")
    return (
        labels.filter(col("label").is_not_null())
        .select(keys)
        .join(far.lazy(), on="source_ref")
        .with_columns(deviations=deviations)
    )


def _distances(seen: DataFrame) -> NDArray[np.float64]:
    """One less the mean cosine to the nearest: (pictures,), rounded since the last digits depend on the machine."""
    import numpy as np

    from groundlint_rules.algorithms.stacked import stacked

    roots = np.sqrt(stacked(seen["net"], NET, np.float16).astype(np.float32))
    roots /= np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    groups = seen.select(pl.coalesce("group", "source_ref").rank("dense")).to_series().to_numpy()
    count = len(roots)
    others = np.unique(np.linspace(0, count - 1, min(count, _MOST)).astype(np.intp))
    compared, of_groups = roots[others].T, groups[others]
    found = np.empty(count)
    step = max(1, _NUMBERS // len(others))
    least = max(len(others) - NEIGHBOURS, 0)
    for start in range(0, count, step):
        run = slice(start, start + step)
        cosines = roots[run] @ compared
        cosines[groups[run][:, None] == of_groups] = -np.inf
        nearest = np.partition(cosines, least, axis=1)[:, least:]
        valid = np.isfinite(nearest)
        # A set of nothing but copies has no others at all.
        counts = np.maximum(valid.sum(1), 1)
        found[run] = 1 - np.where(valid, nearest, 0).sum(1, dtype=np.float64) / counts
    return found.round(6)
