"""SUS: labels that are confused with each other."""

from __future__ import annotations

from typing import Any

import polars as pl
from polars import LazyFrame, col

from groundlint import Bad, Cost, Good, Option, Rule, Severity
from groundlint_rules.samples import LABEL_ODDS
from groundlint_rules.tables.label_odds import MIN_SIGNAL


def _odds_of(labels: dict[str, int], suggested: dict[str, int]) -> list[dict[str, Any]]:
    """Rows of labels: how many of each, and for how many of 'cat' another label is suggested."""
    names = [name for name, count in labels.items() for _ in range(count)]
    others = [name for name, count in suggested.items() for _ in range(count)]
    looks = others + names[len(others) :]
    pairs = enumerate(zip(names, looks, strict=True), 1)
    return [LABEL_ODDS | {"line": n, "label": name, "suggested_label": other} for n, (name, other) in pairs]


_ANIMALS = {"cat": 30, "cow": 30, "dog": 30, "fox": 30, "hen": 30, "pig": 30}


_CONFUSED = _odds_of(_ANIMALS, {"dog": 8})


_TIMES_EXPECTED = 2
"""How many times the share of the suggestions that is expected of any label a confused one must have."""


class ConfusedLabels(Rule):
    """Two labels look alike: many of their images could have either.

    ## Why it matters
    If a model confuses two labels, the service's guide advises to look for wrong labels first, and then to add images
    that show the difference.

    ## How to fix it
    Look at the labels that `label_odds` suspects among the two. Define the labels more precisely, or merge them.

    ## How reliable it is
    Advice; precision and recall have not been measured.

    The most frequent label is suggested most often, whatever an image shows: in street scenes, most small objects look
    like 'person'. A pair is reported only if the other label has at least twice the share of the suggestions that is
    expected: its frequency among all labels but the given one. Of a label that is more frequent than the given one, no
    less is expected than it has of the suggestions for the remaining labels. If one half or more is expected, as with
    two labels, no share is twice as high. Then the pair is reported if the suggested label is not the more frequent one
    of the two, because frequency alone draws no label to a rarer one.

    It reports nothing in coco128, animalpose, trashnet, clothing, bccd, flowers12_aug and cifar10n (all images).
    """

    code = "SUS104"
    name = "confused-labels"
    severity = Severity.INFO
    cost = Cost.SLOW
    message = "{confused} of {count:# label} {label!r} look more like {suggested_label!r}; define both more precisely"
    examples = (
        Good(labels=[{}], label_odds=_odds_of(_ANIMALS, {})),
        Good(labels=[{}], label_odds=[row | {"signal": 0.6} for row in _CONFUSED]),
        Bad(
            labels=[{}],
            label_odds=_CONFUSED,
            says="8 of 30 labels 'cat' look more like 'dog'; define both more precisely",
        ),
        # A third of the labels that are not 'cat' are 'dog', and half of the suggestions.
        Good(labels=[{}], label_odds=_odds_of(_ANIMALS | {"dog": 60}, {"dog": 8, "cow": 4, "pig": 4})),
        # Two labels: the other one is the only one that can be suggested.
        Good(labels=[{}], label_odds=_odds_of({"cat": 30, "dog": 31}, {"dog": 8})),
        Bad(labels=[{}], label_odds=_odds_of({"cat": 30, "dog": 30}, {"dog": 8})),
        Good(labels=[{}], label_odds=_CONFUSED, options={"share": 0.3}),
        Bad(labels=[{}], label_odds=_CONFUSED, options={"share": 0.25}),
        Good(labels=[{}], label_odds=_CONFUSED, options={"min_labels": 31}),
        Bad(labels=[{}], label_odds=_CONFUSED, options={"min_labels": 30}),
    )
    share: float = Option(
        0.2, gt=0, lt=1, description="Share of a label's images or boxes that must look like another label."
    )
    min_labels: int = Option(20, ge=5, description="Number of images or boxes that a label needs.")

    def check(self, label_odds: LazyFrame) -> LazyFrame:
        """Labels many of whose images or boxes have one and the same other label as the most probable."""
        attribute = ["data_set", "attribute"]
        label = [*attribute, "label"]
        is_other = col("suggested_label") != col("label")
        counts = label_odds.group_by(label).agg(count=pl.len(), others=is_other.sum(), signal=col("signal").first())
        totals = [col(name).sum().over(attribute).alias(f"{name}_in_all") for name in ("count", "others")]
        suggested = counts.select(*attribute, pl.exclude(*attribute, "signal").name.prefix("suggested_"))
        pairs = (
            label_odds.filter(is_other)
            .group_by(*label, "suggested_label")
            .agg(confused=pl.len())
            .with_columns(to_suggested=col("confused").sum().over(*attribute, "suggested_label"))
            .join(counts.with_columns(totals), on=label)
            .join(suggested, on=[*attribute, "suggested_label"])
        )
        is_rarer = col("suggested_count") <= col("count")
        by_frequency = col("suggested_count") / (col("count_in_all") - col("count"))
        of_rest = (col("to_suggested") - col("confused")) / (
            col("others_in_all") - col("others") - col("suggested_others")
        )
        expected = pl.when(is_rarer).then(by_frequency).otherwise(pl.max_horizontal(by_frequency, of_rest.fill_nan(0)))
        enough = col("confused") / col("others") >= _TIMES_EXPECTED * expected
        is_specific = pl.when(expected < 1 / _TIMES_EXPECTED).then(enough).otherwise(is_rarer)
        share = col("confused") / col("count")
        return pairs.with_columns(score=share).filter(
            is_specific, col("count") >= self.min_labels, share >= self.share, col("signal") >= MIN_SIGNAL
        )
