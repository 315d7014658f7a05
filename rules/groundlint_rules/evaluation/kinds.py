"""EVA: labels of two kinds, and labels that the data does not have."""

from __future__ import annotations

from typing import Any

from polars import LazyFrame, col

from groundlint import Bad, Cost, Good, Option, Rule, Severity, Status
from groundlint_rules.samples import METRICS
from groundlint_rules.scoring import score_above
from groundlint_rules.tables.evaluation_groups import MIN_IN_GROUP

_LABEL = ("data_set", "label")

MIN_SHARE = 0.2
"""Share of the images that the smaller of two groups needs: a few odd images do not make a label."""

_GROUPS: dict[str, Any] = {
    "label": "cat",
    "first": 30,
    "second": 12,
    "silhouette": 0.25,
    "shown": ["s3://bucket/1.jpg", "s3://bucket/2.jpg"],
}
_RARELY_FOUND = METRICS | {"recall": 0.5}


class UnknownLabel(Rule):
    """False positives of a label look alike, and are none of the other labels.

    ## Why it matters
    They show something that has no label yet and that the model takes for this one. The service's guide advises to add
    a label for it, with these images.

    ## How to fix it
    Look at the related images: three that the model finds rightly, then three of the false positives. If these show one
    kind of thing, add a label for it, with more images of it.

    ## How reliable it is
    Only image-level labels are judged, with at least 5 false and 5 true positives; their embeddings are compared (mean
    silhouette of the false positives). Where images have one label at most, only false positives without a label count.
    10 random images of one label were compared with all images of another one: in clothing (half 1), 66 of 90 such
    groups reach the limit, and 2 of 50 groups of 10 images of the same label; in trashnet (all images), 19 of 30 and 0
    of 25 (benchmarks/label_groups.py). The limit was chosen on half 0 of clothing. End to end, one label after the
    other was removed, and a classifier of the embeddings was trained on the others (benchmarks/planted_evaluations.py):
    7 of the 10 labels of clothing and 2 of the 6 of trashnet are reported, and nothing else. With all labels, nothing
    is reported. No finding in other data was judged, so the rule is in preview.
    """

    code = "EVA303"
    name = "unknown-label"
    status = Status.PREVIEW
    severity = Severity.INFO
    cost = Cost.SLOW
    message = (
        "{second:# false positive} of {label!r} look alike, and unlike its images (silhouette {silhouette:.2f}); add a "
        "label for what the related images show"
    )
    examples = (
        Good(labels=[{}], unknown_groups=[_GROUPS | {"silhouette": 0.09}]),
        Bad(
            labels=[{}],
            unknown_groups=[_GROUPS],
            says="12 false positives of 'cat' look alike, and unlike its images (silhouette 0.25); add a label for "
            "what the related images show",
        ),
        Good(labels=[{}], unknown_groups=[_GROUPS], options={"min_silhouette": 0.26}),
        Bad(labels=[{}], unknown_groups=[_GROUPS], options={"min_silhouette": 0.24}),
    )
    min_silhouette: float = Option(0.1, gt=0, lt=1, description="Mean silhouette from which a group is reported.")

    def check(self, unknown_groups: LazyFrame) -> LazyFrame:
        """Labels whose false positives are a group of their own."""
        return _distinct(unknown_groups, self.min_silhouette)


class MixedLabel(Rule):
    """The model often misses a label, and the images of the label fall into two groups.

    ## Why it matters
    A label that mixes things that look different is hard to learn. The service's guide advises to split it, such as
    "bad" into "burnt" and "broken".

    ## How to fix it
    Look at the related images: three of the larger group, then three of the other one. If they show two kinds of
    things, make two labels of them. If they differ in their surroundings only, add images that vary these.

    ## How reliable it is
    Only image-level labels with at least 10 images are judged, by 2-means over their embeddings. The limits were chosen
    on half 0 of clothing. In half 1, none of 10 labels has two groups; after two labels were merged, 16 of 45 have, and
    the groups are the two labels with an accuracy of 0.98. In trashnet (all images) it is none of 6 labels, and 4 of 15
    after merging, with 0.90 (benchmarks/label_groups.py). End to end, a classifier of the embeddings was trained after
    two labels were merged (benchmarks/planted_evaluations.py). It learns both kinds: of 60 merged labels of clothing
    and trashnet, one has a recall of 0.7 or less, which is not reported. With 12 images of the rarer label to train on,
    9 have, of which 3 are reported. Of labels that were not merged, 6 have such a recall, with all images or 12 to
    train on, and none is reported. So few labels are found that the rule is in preview.
    """

    code = "EVA304"
    name = "label-of-two-kinds"
    status = Status.PREVIEW
    severity = Severity.INFO
    cost = Cost.SLOW
    message = (
        "recall {recall:.2f} of {label!r}, whose images fall into two groups ({first:,} and {second:,}, silhouette "
        "{silhouette:.2f}); consider two labels"
    )
    examples = (
        Good(label_metrics=[METRICS | {"recall": 0.8}], labels=[{}], label_groups=[_GROUPS]),
        Good(label_metrics=[_RARELY_FOUND], labels=[{}], label_groups=[_GROUPS | {"silhouette": 0.19}]),
        Good(label_metrics=[_RARELY_FOUND], labels=[{}], label_groups=[_GROUPS | {"second": 7}]),
        Bad(
            label_metrics=[_RARELY_FOUND],
            labels=[{}],
            label_groups=[_GROUPS],
            says="recall 0.50 of 'cat', whose images fall into two groups (30 and 12, silhouette 0.25); consider two "
            "labels",
        ),
        Good(label_metrics=[_RARELY_FOUND], labels=[{}], label_groups=[_GROUPS], options={"max_recall": 0.49}),
        Bad(
            label_metrics=[METRICS | {"recall": 0.8}],
            labels=[{}],
            label_groups=[_GROUPS],
            options={"max_recall": 0.8},
        ),
        Good(label_metrics=[_RARELY_FOUND], labels=[{}], label_groups=[_GROUPS], options={"min_silhouette": 0.26}),
        Bad(
            label_metrics=[_RARELY_FOUND],
            labels=[{}],
            label_groups=[_GROUPS | {"silhouette": 0.19}],
            options={"min_silhouette": 0.18},
        ),
    )
    max_recall: float = Option(0.7, gt=0, le=1, description="Recall up to which a label is reported.")
    min_silhouette: float = Option(0.2, gt=0, lt=1, description="Mean silhouette from which a label is reported.")

    def check(self, label_groups: LazyFrame, label_metrics: LazyFrame) -> LazyFrame:
        """Labels of low recall whose images are two groups."""
        missed = label_metrics.filter(col("recall") <= self.max_recall).select(*_LABEL, "recall")
        is_balanced = col("second") >= MIN_SHARE * (col("first") + col("second"))
        return _distinct(label_groups.filter(is_balanced), self.min_silhouette).join(missed, on=_LABEL)


def _distinct(groups: LazyFrame, min_silhouette: float) -> LazyFrame:
    """Groups that are far enough apart, of enough images, with the images to show."""
    apart = groups.filter(col("silhouette") >= min_silhouette, col("second") >= MIN_IN_GROUP)
    return apart.with_columns(related="shown", score=score_above("silhouette", min_silhouette))
