"""How well each image label fits its picture, by the pictures and labels of the whole set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint_rules.features.appearance import LAYOUT, NET

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NEAREST = 3

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


@table(features=("net", "layout"))
def label_odds(labels: LazyFrame, images: LazyFrame, duplicates: LazyFrame) -> DataFrame:
    """One image label of an attribute with one label a line, and how well it fits.

    `suspicion` is 1 - p(given) before calibration, `p_given` and `p_suggested` are calibrated; `flagged` where model
    and neighbours agree and the set's `signal`, the area under the curve for labels exchanged as a trial, is enough.
    `nearest` are for flagged ones the nearest pictures that bear the suggested label. `box` is null: it is there for
    the labels of boxes, which are not judged yet.
    """
    kept = duplicates.select("source_ref", group="kept")
    seen = images.filter(col("net").is_not_null(), col("layout").is_not_null()).select("source_ref", "net", "layout")
    is_single = pl.len().over("manifest", "line", "attribute") == 1
    rows = (
        labels.filter(col("label").is_not_null())
        .filter(is_single)
        .join(seen, on="source_ref")
        .join(kept, on="source_ref", how="left")
        .with_columns(group=pl.coalesce("group", "source_ref"))
        .collect()
    )
    made = [odds for (attribute,), part in rows.group_by("attribute") for odds in _of_attribute(part)]
    return DataFrame(made, schema=SCHEMA)


def _of_attribute(rows: DataFrame) -> Iterator[dict[str, Any]]:
    import numpy as np

    from groundlint_rules.tables import _odds

    net, layout = _numbers(rows["net"], NET), _numbers(rows["layout"], LAYOUT)
    names = rows["label"].to_list()
    odds = _odds.label_odds([_odds.net_block(net), _odds.layout_block(layout)], names, rows["group"].to_list())
    given = np.array(names)
    for n, row in enumerate(rows.select("manifest", "line", "source_ref", "attribute", "label").iter_rows(named=True)):
        if odds.suggested[n] >= 0:
            suggested = odds.names[odds.suggested[n]]
            flagged = bool(odds.flagged[n])
            chosen = _nearest(net, n, np.flatnonzero(given == suggested)) if flagged else []
            yield row | {
                "box": None,
                # Rounded, since the last digits depend on how a machine adds up.
                "suspicion": round(float(odds.suspicion[n]), 9),
                "suggested_label": suggested,
                "p_given": round(float(odds.p_given[n]), 9),
                "p_suggested": round(float(odds.p_suggested[n]), 9),
                "flagged": flagged,
                "signal": min(odds.signal_even, odds.signal_like),
                "nearest": rows["source_ref"].gather(chosen).to_list(),
            }


def _numbers(values: pl.Series, width: int) -> NDArray[np.float16]:
    import numpy as np

    return np.frombuffer(b"".join(values), np.float16).reshape(-1, width)


def _nearest(net: NDArray[np.float16], n: int, among: NDArray[np.intp]) -> list[int]:
    """The nearest of some pictures to one, by the angle between the roots of their activations."""
    import numpy as np

    others = among[among != n]
    roots = np.sqrt(net[others].astype(np.float32))
    own = np.sqrt(net[n].astype(np.float32))
    cosine = roots @ own / np.maximum(np.linalg.norm(roots, axis=1), 1e-6)
    return [int(others[i]) for i in np.argsort(-cosine, kind="stable")[:_NEAREST]]
