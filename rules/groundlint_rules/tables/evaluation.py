"""What the evaluation of a trained model says: matched predictions, metrics of labels, and what thresholds give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint import table
from groundlint_rules.algorithms.greedy_matching import greedy_matches
from groundlint_rules.geometry import EDGES, iou, overlapping, with_edges

MIN_IOU = 0.5
"""Intersection over union from which a prediction may match a box."""

_PAIRS_AT_ONCE = 2_000_000
"""Pairs of a prediction and a box of one image that are compared together, to limit memory."""

_MOST_SHOWN = 12
"""Images that are shown of a pair of labels."""

_EVEN_ODDS = 0.5
"""Suspicion above which another label is more probable than the given one."""

_LABEL = ("data_set", "label")
_LINE = ("data_set", "line_id", "manifest", "line", "source_ref")
_SIDES = ("left", "top", "width", "height")

_OVERLAPS = pl.Schema(
    {
        "prediction": pl.UInt32(),
        "box_id": pl.Int32(),
        "label": pl.String(),
        "label_other": pl.String(),
        "iou": pl.Float64(),
    }
)

_FIGURES = ("precision", "recall", "precision_gain", "recall_gain")

_TRADE_OFFS = pl.Schema(
    {
        "data_set": pl.Int32(),
        "label": pl.String(),
        "images": pl.Int64(),
        "point": pl.String(),
        "threshold": pl.Float64(),
        "true_positives": pl.Int64(),
        "false_positives": pl.Int64(),
        "false_negatives": pl.Int64(),
        **{f"{name}{suffix}": pl.Float64() for name in _FIGURES for suffix in ("", "_low", "_high")},
        "f1": pl.Float64(),
    }
)


@table()
def matched_predictions(
    predictions: LazyFrame, evaluated_images: LazyFrame, labels: LazyFrame, boxes: LazyFrame
) -> LazyFrame:
    """One prediction on an evaluated image, and what it matches in the manifest.

    `is_true` where the image has the predicted label or, of predictions with a box, where `box_id` is the matched box:
    in the order of their confidence, predictions take the free box of their label with the highest IoU of 0.5 or more.
    `best_iou` is the IoU with the nearest box of any label, null for an image-level prediction. Where an unmatched
    prediction lies on a box of another label, with an IoU of 0.5 or more, that is `other_box_id` with `other_label`.
    """
    rows = (
        predictions.join(evaluated_images.select("line_id"), on="line_id", how="semi")
        .filter(col("label").is_not_null(), col("confidence").is_not_null(), col("source_ref").is_not_null())
        .filter(pl.all_horizontal(col(side).is_null() == col("left").is_null() for side in _SIDES))
        .select(*_LINE, "label", "confidence", *_SIDES)
        # Sorted by content, so that the order of lines and of predictions does not matter.
        .sort("data_set", "source_ref", -col("confidence"), "label", *_SIDES)
        .filter(col("left").is_not_null() | pl.struct("line_id", "label").is_first_distinct())
        .collect()
        .with_row_index("prediction")
    )
    of_image = labels.filter("usable", col("label").is_not_null()).select("line_id", "label").unique()
    of_images = rows.lazy().join(of_image.with_columns(is_true=lit(True)), on=["line_id", "label"], how="left")
    overlaps = pl.concat([DataFrame(schema=_OVERLAPS), *_overlaps(rows, boxes)])
    likely = overlaps.filter(col("iou") >= MIN_IOU).sort("prediction", -col("iou"), "box_id")
    # The predictions of an image are numbered in the order of their confidence.
    own = likely.filter(col("label") == col("label_other")).select("prediction", "box_id")
    matches = greedy_matches(own.iter_rows())
    match = DataFrame(
        {"prediction": matches.keys(), "box_id": matches.values()}, schema={"prediction": pl.UInt32, "box_id": pl.Int32}
    )
    other = likely.filter(col("label") != col("label_other")).unique("prediction", keep="first", maintain_order=True)
    other = other.select("prediction", other_box_id="box_id", other_label="label_other")
    best = overlaps.group_by("prediction").agg(best_iou=col("iou").max())
    is_box = col("left").is_not_null()
    is_unmatched = is_box & col("box_id").is_null()
    return (
        of_images.join(match.lazy(), on="prediction", how="left")
        .join(other.lazy(), on="prediction", how="left")
        .join(best.lazy(), on="prediction", how="left")
        .with_columns(
            is_true=pl.when(is_box).then(col("box_id").is_not_null()).otherwise(col("is_true").fill_null(False)),
            best_iou=pl.when(is_box).then(col("best_iou").fill_null(0.0)),
            other_box_id=pl.when(is_unmatched).then("other_box_id"),
            other_label=pl.when(is_unmatched).then("other_label"),
        )
        .sort("prediction")
        .drop("prediction")
    )


def _overlaps(predictions: DataFrame, boxes: LazyFrame) -> Iterator[DataFrame]:
    """Predictions and boxes of an image that share area, with their IoU."""
    columns = ("line_id", "label", *EDGES)
    predicted = with_edges(predictions.lazy().drop_nulls(_SIDES)).select("prediction", *columns).collect()
    if predicted.is_empty():
        return
    real = boxes.filter("usable", col("label").is_not_null()).drop_nulls(_SIDES)
    real = real.join(predicted.lazy().select("line_id").unique(), on="line_id", how="semi")
    others = with_edges(real).select("box_id", *columns).collect()
    sizes = predicted.group_by("line_id").len().join(others.group_by("line_id").len(), on="line_id").sort("line_id")
    pairs = (col("len").cast(pl.Int64) * col("len_right")).cum_sum() // _PAIRS_AT_ONCE
    for part in sizes.with_columns(part=pairs).partition_by("part", maintain_order=True):
        ids = part["line_id"].implode()
        joined = predicted.lazy().filter(col("line_id").is_in(ids)).join(others.lazy(), on="line_id", suffix="_other")
        yield joined.filter(overlapping()).with_columns(iou=iou()).select(_OVERLAPS.names()).collect()


@table()
def evaluated_objects(
    matched_predictions: LazyFrame, evaluated_images: LazyFrame, labels: LazyFrame, boxes: LazyFrame
) -> LazyFrame:
    """One label or box of the manifest that the model should find in an evaluated image.

    They are boxes where the model predicts boxes, else labels of images. `confidence` is that of the prediction that
    matches, null where there is none. `box_id` is null for the label of an image.
    """
    has_boxes = matched_predictions.filter(col("left").is_not_null()).select("data_set").unique()
    lines = evaluated_images.select("line_id")
    real = boxes.filter("usable", col("label").is_not_null()).join(lines, on="line_id", how="semi")
    place = (*_LINE, "attribute_id", "label")
    found = matched_predictions.filter("is_true").select("confidence", "box_id", "line_id", "label")
    of_boxes = real.join(has_boxes, on="data_set", how="semi").select(*place, "box_id")
    of_boxes = of_boxes.join(found.drop_nulls("box_id").select("box_id", "confidence"), on="box_id", how="left")
    named = labels.filter("usable", col("label").is_not_null()).join(lines, on="line_id", how="semi")
    named = (
        named.join(has_boxes, on="data_set", how="anti").sort("attribute_id").unique(["line_id", "label"], keep="first")
    )
    best = found.filter(col("box_id").is_null()).group_by("line_id", "label").agg(col("confidence").max())
    of_images = named.select(place).join(best, on=["line_id", "label"], how="left")
    of_images = of_images.with_columns(box_id=lit(None, pl.Int32)).select(*place, "box_id", "confidence")
    return pl.concat([of_boxes, of_images])


@table()
def label_metrics(
    matched_predictions: LazyFrame,
    evaluated_objects: LazyFrame,
    evaluated_images: LazyFrame,
    evaluated_labels: LazyFrame,
) -> LazyFrame:
    """One label of an evaluated model, with its metrics at the assumed threshold.

    `threshold` is that of the service, else the confidence with the highest F1; predictions of at least this confidence
    count. `objects` are the labels or boxes that should be found, `images` the images with one.
    """
    counts = evaluated_objects.group_by(_LABEL).agg(
        objects=pl.len().cast(pl.Int64), images=col("line_id").n_unique().cast(pl.Int64)
    )
    names = pl.concat([matched_predictions.select(_LABEL), evaluated_objects.select(_LABEL)]).unique()
    curve = (
        matched_predictions.group_by(*_LABEL, "confidence")
        .agg(true=col("is_true").sum(), predicted=pl.len())
        .sort(*_LABEL, -col("confidence"))
        .with_columns(col("true", "predicted").cum_sum().over(_LABEL))
        .join(counts, on=_LABEL, how="left")
        .with_columns(f1=2 * col("true") / (col("predicted") + col("objects").fill_null(0)))
    )
    best = curve.sort(*_LABEL, -col("f1"), -col("confidence")).unique(_LABEL, keep="first", maintain_order=True)
    given = evaluated_labels.select("label", given="threshold").unique("label")
    known = (
        names.join(counts, on=_LABEL, how="left")
        .join(best.select(*_LABEL, best="confidence"), on=_LABEL, how="left")
        .join(given, on="label", how="left")
        .with_columns(
            threshold=pl.coalesce("given", "best"),
            objects=col("objects").fill_null(0),
            images=col("images").fill_null(0),
        )
    )
    positive = matched_predictions.join(known.select(*_LABEL, "threshold"), on=_LABEL).filter(
        col("confidence") >= col("threshold")
    )
    outcomes = positive.group_by(_LABEL).agg(
        true_positives=col("is_true").sum().cast(pl.Int64), false_positives=(~col("is_true")).sum().cast(pl.Int64)
    )
    evaluated = evaluated_images.group_by("data_set").agg(evaluated=pl.len().cast(pl.Int64))
    return (
        known.drop("given", "best")
        .join(outcomes, on=_LABEL, how="left")
        .join(evaluated, on="data_set", how="left")
        .with_columns(col("true_positives", "false_positives").fill_null(0))
        .with_columns(false_negatives=col("objects") - col("true_positives"))
        .with_columns(
            precision=_ratio(col("true_positives"), col("true_positives") + col("false_positives")),
            recall=_ratio(col("true_positives"), col("objects")),
            f1=_ratio(2 * col("true_positives"), col("true_positives") + col("false_positives") + col("objects")),
        )
        .sort(_LABEL)
    )


def _ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """A share; null where it is not defined."""
    return pl.when(whole > 0).then(part / whole)


@table()
def threshold_trade_offs(
    label_metrics: LazyFrame, matched_predictions: LazyFrame, evaluated_objects: LazyFrame
) -> DataFrame:
    """One threshold for the confidence of a label, and what the model would give with it.

    `point` is "assumed" for the threshold in force, "precision" for the one above it where F0.5 is highest, "recall"
    for the one below it where F2 is highest, and "step" for 0.1, 0.2, …, 0.9. F0.5 counts precision twice as much as
    recall, F2 recall twice as much as precision (van Rijsbergen, "Information retrieval", 1979): beyond these points a
    further step costs more than it is worth. There is no such point where the assumed threshold is better.
    `precision_gain` and `recall_gain` are differences from the assumed threshold. `_low` and `_high` are 95% bootstrap
    intervals over 1,000 draws of the evaluated images; the thresholds were chosen on the same images.
    """
    order = ("source_ref", "line_id")
    predicted = matched_predictions.select(*_LABEL, *order, "confidence", "is_true").sort(*_LABEL, *order).collect()
    objects = evaluated_objects.select(*_LABEL, *order).sort(*_LABEL, *order).collect()
    of_predictions = predicted.partition_by(_LABEL, as_dict=True)
    of_objects = objects.partition_by(_LABEL, as_dict=True)
    rows: list[dict[str, Any]] = []
    for row in label_metrics.sort(_LABEL).collect().iter_rows(named=True):
        key = (row["data_set"], row["label"])
        rows += _of_label(row, of_predictions.get(key, predicted.clear()), of_objects.get(key, objects.clear()))
    return DataFrame(rows, schema=_TRADE_OFFS, orient="row").fill_nan(None)


def _of_label(metrics: Mapping[str, Any], predicted: DataFrame, objects: DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of one label; a single one, without threshold, if the model never predicts it."""
    own = {name: metrics[name] for name in (*_LABEL, "images")}
    if metrics["threshold"] is None or predicted.is_empty():
        counted = ("threshold", "true_positives", "false_positives", "false_negatives", "precision", "recall", "f1")
        yield own | {"point": "assumed"} | {name: metrics[name] for name in counted}
        return
    import numpy as np

    from groundlint_rules.algorithms.threshold_choice import Predictions, trade_offs

    refs = pl.concat([predicted["line_id"], objects["line_id"]]).unique(maintain_order=True)
    number = {line_id: n for n, line_id in enumerate(refs)}
    images = np.array([number[line_id] for line_id in predicted["line_id"]])
    of_objects = np.array([number[line_id] for line_id in objects["line_id"]], dtype=np.intp)
    predictions = Predictions(predicted["confidence"].to_numpy(), predicted["is_true"].to_numpy(), images)
    real = np.bincount(of_objects, minlength=len(number))
    for each in trade_offs(predictions, real, metrics["evaluated"], metrics["threshold"]):
        missed = objects.height - each.true_positives
        row = own | {"point": each.point, "threshold": each.threshold, "false_negatives": missed}
        row |= {name: getattr(each, name) for name in ("true_positives", "false_positives")}
        row |= {name: round(getattr(each, name), 6) for name in _FIGURES}
        for name, (low, high) in each.intervals.items():
            row |= {f"{name}_low": round(low, 6), f"{name}_high": round(high, 6)}
        whole = 2 * each.true_positives + each.false_positives + missed
        row["f1"] = round(2 * each.true_positives / whole, 6) if whole else None
        yield row


@table()
def confused_objects(
    matched_predictions: LazyFrame, evaluated_objects: LazyFrame, label_metrics: LazyFrame
) -> LazyFrame:
    """One label or box of an evaluated image that the model missed and took for `other_label`.

    An image-level label is missed and another label of the image is a false positive; a box is missed and a prediction
    of another label lies on it, with an IoU of 0.5 or more. All at the assumed thresholds.
    """
    thresholds = label_metrics.select(*_LABEL, "threshold")
    is_found = (col("confidence") >= col("threshold")).fill_null(False)
    missed = evaluated_objects.join(thresholds, on=_LABEL, how="left").filter(~is_found).drop("confidence", "threshold")
    false = matched_predictions.join(thresholds, on=_LABEL).filter(is_found, ~col("is_true"))
    of_boxes = missed.join(
        false.drop_nulls("other_box_id").select("other_box_id", other_label="label"),
        left_on="box_id",
        right_on="other_box_id",
    )
    of_images = missed.filter(col("box_id").is_null()).join(
        false.filter(col("left").is_null()).select("line_id", other_label="label"), on="line_id"
    )
    return pl.concat([of_boxes, of_images.select(of_boxes.collect_schema().names())]).unique()


@table()
def confused_pairs(confused_objects: LazyFrame, label_metrics: LazyFrame, label_odds: LazyFrame) -> LazyFrame:
    """Two labels that the evaluated model confuses: `label` and, after it in the alphabet, `other_label`.

    `there` counts labels or boxes of the first that are taken for the second, out of `objects`, and `back` the other
    way round, out of `other_objects`. `shown` are images to look at: first up to 6 whose label `label_odds` suspects
    and for which it suggests the other one, in training data too, then those that the model confused; 12 at most.
    """
    pair = ["data_set", "a", "b"]
    seen = _paired(confused_objects, "other_label")
    counts = seen.group_by(pair).agg(
        there=(col("label") == col("a")).sum(),
        back=(col("label") == col("b")).sum(),
        confused=col("source_ref").unique().sort(),
    )
    is_suspect = (col("suggested_label") != col("label")) & (col("suspicion") > _EVEN_ODDS)
    suspects = _paired(label_odds.filter(is_suspect), "suggested_label").join(seen.select(pair), on=pair, how="semi")
    worst = suspects.sort(-col("suspicion"), "source_ref").group_by(pair, maintain_order=True)
    suspected = worst.agg(suspected=col("source_ref").unique(maintain_order=True).head(_MOST_SHOWN // 2))
    objects = label_metrics.select("data_set", "label", "objects")
    nothing = pl.lit([], pl.List(pl.String))
    shown = pl.concat_list(col("suspected").fill_null(nothing), "confused").list.unique(maintain_order=True)
    return (
        counts.join(objects.rename({"label": "a"}), on=["data_set", "a"])
        .join(objects.rename({"label": "b", "objects": "other_objects"}), on=["data_set", "b"])
        .join(suspected, on=pair, how="left")
        .with_columns(shown=shown.list.head(_MOST_SHOWN))
        .rename({"a": "label", "b": "other_label"})
        .drop("confused", "suspected")
        .sort("data_set", "label", "other_label")
    )


def _paired(rows: LazyFrame, other: str) -> LazyFrame:
    """Rows with their label and another one as `a` and `b`, in alphabetical order."""
    return rows.with_columns(a=pl.min_horizontal("label", other), b=pl.max_horizontal("label", other))
