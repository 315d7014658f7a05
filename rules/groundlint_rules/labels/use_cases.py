"""LBL: data sets that are neither for classification nor for detection, or neither for one label nor for several."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Option, Rule, Severity, worded
from groundlint_rules.labels.counts import TooFewUsableLabels
from groundlint_rules.splits.labels import InsufficientUsableLabelOverlap

_HAS_LABELS, _HAS_BOXES = (
    (col("use_case") == use_case).any().alias(name)
    for use_case, name in (("classification", "has_labels"), ("detection", "has_boxes"))
)


class MixedLabelsAndBoxes(Rule):
    """Image-level labels and boxes are mixed in a data set.

    ## Why it matters
    The service trains on one of the two kinds, without saying which, and discards the other: all lines that have only
    the other kind, and all labels that only these have.

    ## How to fix it
    Keep one kind of label, or make two data sets. For objects to be located, such as logos, draw boxes on the images
    that have only an image-level label.

    ## How reliable it is
    The counts are exact, of what the service can use. Where one of the two choices leaves too few labels to train,
    `too-few-usable-labels` or `insufficient-usable-label-overlap` reports it instead.

    ## Undocumented service behavior
    The documents do not say how the service chooses. A label that images and boxes share is documented as no error.
    """

    code = "LBL308"
    name = "mixed-labels-and-boxes"
    severity = Severity.WARNING
    precision = FACT
    targets = ("rekognition",)
    message = (
        "mixed labels and boxes: training on image-level labels discards {box_lines:# line} and {box_names:# label}, "
        "on boxes {label_lines:# line} and {label_names:# label}, of {lines:# line} and {names:# label}; keep one kind"
    )
    examples = (
        Good(labels=[{"label": "cat"}, {"line": 2, "label": "dog"}]),
        Good(boxes=[{}, {"line": 2}]),
        # One of the choices fails: the service's own code covers it.
        Good(labels=[{"label": "cat"}], boxes=[{"line": 2}]),
        Bad(
            labels=[{"label": "cat"}, {"line": 2, "label": "dog"}],
            boxes=[{"line": 2, "label": "dog"}, {"line": 3, "label": "dog"}, {"line": 4, "label": "cow"}],
            says="mixed labels and boxes: training on image-level labels discards 2 lines and 1 label, "
            "on boxes 1 line and 1 label, of 4 lines and 3 labels; keep one kind",
        ),
    )

    def check(self, labels: LazyFrame, boxes: LazyFrame, lost_lines: LazyFrame, verdicts: LazyFrame) -> LazyFrame:
        """Data sets with usable labels of both kinds, and what they would lose with either."""
        key = ("data_set", "manifest", "line", "label")
        rows = pl.concat(
            kind.filter(col("usable"), col("label").is_not_null(), col("split") != "reference")
            .join(lost_lines, on="line_id", how="anti")
            .select(*key, use_case=lit(use_case))
            for use_case, kind in (("classification", labels), ("detection", boxes))
        )
        by_line = rows.group_by("data_set", "manifest", "line").agg(_HAS_LABELS, _HAS_BOXES)
        by_label = rows.group_by("data_set", "label").agg(_HAS_LABELS, _HAS_BOXES)
        mixed = _discarded(by_line, "lines", "label_lines", "box_lines").join(
            _discarded(by_label, "names", "label_names", "box_names"), on="data_set"
        )
        codes = [TooFewUsableLabels.code, InsufficientUsableLabelOverlap.code]
        covered = verdicts.filter(col("cause").is_in(codes)).select("data_set")
        both = rows.group_by("data_set").agg(_HAS_LABELS, _HAS_BOXES).filter("has_labels", "has_boxes")
        return mixed.join(both, on="data_set", how="semi").join(covered, on="data_set", how="anti")


def _discarded(rows: LazyFrame, total: str, without_boxes: str, without_labels: str) -> LazyFrame:
    """The number of rows of each data set, and of those that have one of the two kinds only."""
    return rows.group_by("data_set").agg(
        pl.len().alias(total),
        (~col("has_boxes")).sum().alias(without_boxes),
        (~col("has_labels")).sum().alias(without_labels),
    )


class FewImagesWithSeveralLabels(Rule):
    """A few images have several image-level labels, and all others one.

    ## Why it matters
    If each image shows one thing, the second label is a mistake, and the service trains for images with several labels
    instead of one. If images may have several labels, most of the others lack some.

    ## How to fix it
    Keep one label, or give every image all labels that apply.

    ## How reliable it is
    The counts are exact. Only the owner of the data knows which of the labels is right. Labels of one attribute whose
    type allows several are not reported.
    """

    code = "LBL309"
    name = "few-images-with-several-labels"
    severity = Severity.INFO
    precision = FACT
    message = (
        "{count} image-level labels ({found}) where {single:.1%} of the images have one; keep one, or label all images "
        "with all that applies"
    )
    examples = (
        Good(labels=[{"line": n} for n in range(40)]),
        Good(labels=[{"line": n, "label": label} for n in range(40) for label in ("cat", "dog")]),
        Good(labels=[{"line": n} for n in range(19)] + [{"label": "dog"}]),
        Good(labels=[{"line": n} for n in range(40)] + [{"label": "cat", "attribute": "checked"}]),
        Bad(
            labels=[{"line": n, "label": "cat"} for n in range(40)] + [{"label": "dog"}],
            says="2 image-level labels ('cat', 'dog') where 97.5% of the images have one; keep one, or label all "
            "images with all that applies",
        ),
        Good(
            labels=[{"line": n, "label": "cat"} for n in range(40)] + [{"label": "dog"}],
            options={"max_share": 0.02},
        ),
        Bad(
            labels=[{"line": n, "label": "cat"} for n in range(10)] + [{"label": "dog"}],
            options={"max_share": 0.1},
        ),
    )
    max_share: float = Option(
        0.05, gt=0, lt=0.5, description="Share of images with several labels up to which they are reported."
    )

    def check(self, labels: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """Lines with several labels, where few have them and no attribute is made for several."""
        several = attributes.filter(col("kind") == "multilabel").select("data_set").unique()
        named = labels.filter(col("usable"), col("label").is_not_null()).join(several, on="data_set", how="anti")
        names = col("label").unique().sort()
        quoted = worded("'{}'", names.head(3)).str.join(", ")
        lines = named.group_by("data_set", "line_id").agg(
            count=col("label").n_unique(),
            found=pl.when(col("label").n_unique() > 3).then(worded("{}, …", quoted)).otherwise(quoted),
        )
        has_several = col("count") > 1
        share = has_several.mean().over("data_set")
        return lines.with_columns(single=1 - share).filter(has_several, share <= self.max_share)
