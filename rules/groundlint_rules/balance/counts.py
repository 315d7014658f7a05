"""BAL: how many images each label has, and which labels always occur together."""

from __future__ import annotations

from typing import Annotated

import polars as pl
from polars import LazyFrame, col, lit
from pydantic import Field

from groundlint import FACT, Bad, Good, Option, Rule, Severity, counted, worded
from groundlint_rules.scoring import score_above
from groundlint_rules.tables.data_set_verdicts import MIN_SPLIT_IMAGES

_SPLIT = ("data_set", "split", "use_case")

_UNEXPECTED = 2.0
"""Factor between the expected and the actual share of a label from which it is reported."""

_MAX_SCENES = 0.1
"""Share of images with several labels above which labels are the parts of a scene."""


class LabelImbalance(Rule):
    """One label has many times as many images, or boxes, as another, or its share is not the expected one.

    ## Why it matters
    The model learns to guess the frequent label, and the average score hides it. Each split gets one finding, on its
    rarest label.

    ## How to fix it
    Add images of the rare labels, or remove some of the frequent one. Where labels are not meant to be equally
    frequent, state the shares that you expect, such as those of the images that the model will see:

    ```toml
    [rules.label-imbalance]
    expected = { good = 0.9, scratched = 0.08, broken = 0.02 }
    ```

    Then labels of each split are reported whose share of the image-level labels, or of the boxes, is at least twice or
    at most half the expected one, and nothing else. Labels that are not listed are not judged, but they count.

    ## How reliable it is
    The counts are exact; whether the imbalance is a fault depends on the data. Where more than 10% of the images have
    several labels, such as blood cells under a microscope, the ratio follows from the scenes and not from the choice of
    images: the finding is then an info, as are all findings on boxes. The public sets bccd (ratio 11.5) and clothing
    (ratio 7.1) are known to be imbalanced.
    """

    code = "BAL101"
    name = "label-imbalance"
    severity = Severity.WARNING
    messages = {
        "ratio": "{frequent!r} has {times:.1f} times as many {measure} ({most:,}) as {label!r} ({few:,}){others}",
        "too-few": "{label!r} has {actual:.1%} of the {measure}, {stated:.1%} is expected; add {measure} of it",
        "too-many": "{label!r} has {actual:.1%} of the {measure}, {stated:.1%} is expected; "
        "add {measure} of other labels",
    }
    examples = (
        Good(labels=[{"line": n, "label": "cat" if n < 4 else "dog"} for n in range(10)]),
        Bad(
            labels=[{"line": n, "label": "cat" if n < 1 else "dog"} for n in range(10)],
            says="'dog' has 9.0 times as many images (9) as 'cat' (1)",
        ),
        Bad(
            labels=[{"line": n, "label": {0: "cat", 1: "cow"}.get(n, "dog")} for n in range(12)],
            says="'dog' has 10.0 times as many images (10) as 'cow' (1), and at least 5 times as many as 1 other label",
        ),
        Bad(
            boxes=[{"line": n % 5, "label": "cat" if n < 5 else "dog"} for n in range(60)],
            says="'dog' has 11.0 times as many boxes (55) as 'cat' (5)",
        ),
        Good(
            labels=[{"line": n, "label": "cat" if n < 4 else "dog"} for n in range(10)],
            options={"ratio": 2.0},
        ),
        Bad(
            labels=[{"line": n, "label": "cat" if n < 4 else "dog"} for n in range(10)],
            options={"ratio": 1.5},
            says="'dog' has 1.5 times as many images (6) as 'cat' (4)",
        ),
        Good(
            labels=[{"line": n, "label": "cat" if n < 1 else "dog"} for n in range(10)],
            options={"expected": {"cat": 0.1, "dog": 0.9}},
        ),
        Bad(
            labels=[{"line": n, "label": "cat" if n < 4 else "dog"} for n in range(10)],
            options={"expected": {"cat": 0.1, "dog": 0.9}},
            says="'cat' has 40.0% of the images, 10.0% is expected; add images of other labels",
        ),
        Bad(
            labels=[{"line": n, "label": "cat" if n < 4 else "dog"} for n in range(10)],
            options={"expected": {"cow": 0.3}},
            says="'cow' has 0.0% of the images, 30.0% is expected; add images of it",
        ),
        Bad(
            boxes=[{"line": n % 5, "label": "cat" if n < 5 else "dog"} for n in range(50)],
            options={"expected": {"cat": 0.25}},
            says="'cat' has 10.0% of the boxes, 25.0% is expected; add boxes of it",
        ),
    )
    ratio: float = Option(
        5.0, gt=1, description="Ratio of the most frequent label to the rarest from which it is reported."
    )
    expected: dict[str, Annotated[float, Field(gt=0, le=1)]] = Option(
        {}, description="Expected share of each label, from 0 to 1, in place of `ratio`."
    )

    def check(self, label_counts: LazyFrame, labeled_images: LazyFrame) -> LazyFrame:
        """The rarest label of each split, where it is too rare, or all labels whose share is not the expected one."""
        if self.expected:
            return self._unexpected(label_counts)
        worst = self._rarest(label_counts).join(labeled_images, on=_SPLIT)
        is_scene = (col("measure") == "boxes") | (col("scenes") > _MAX_SCENES * col("images"))
        other_labels = worded(
            f", and at least {self.ratio:g} times as many as {{}}", counted(col("rare") - 1, "other label")
        )
        times = col("most") / col("few")
        return worst.with_columns(
            kind=lit("ratio"),
            times=times,
            score=score_above(times, self.ratio),
            others=pl.when(col("rare") > 1).then(other_labels).otherwise(lit("")),
            severity=pl.when(is_scene).then(lit(Severity.INFO)).otherwise(lit(Severity.WARNING)),
        )

    def _unexpected(self, label_counts: LazyFrame) -> LazyFrame:
        """Labels of each split and use case whose share differs from the expected one by a factor of two and more."""
        stated = LazyFrame({"label": list(self.expected), "stated": list(self.expected.values())})
        count = pl.coalesce("boxes", "images")
        totals = label_counts.group_by(_SPLIT).agg(total=count.sum(), has_boxes=col("boxes").is_not_null().any())
        counts = label_counts.select(*_SPLIT, "label", count=count)
        shares = totals.join(stated, how="cross").join(counts, on=[*_SPLIT, "label"], how="left")
        actual = col("count").fill_null(0) / col("total")
        # The factor of an absent label is infinite: for the score, it counts as half an image.
        of_absent = pl.max_horizontal(lit(_UNEXPECTED), 2 * col("stated") * col("total"))
        return (
            shares.with_columns(actual=actual, factor=pl.max_horizontal(col("stated") / actual, actual / col("stated")))
            .filter(col("factor") >= _UNEXPECTED)
            .with_columns(
                kind=pl.when(col("actual") < col("stated")).then(lit("too-few")).otherwise(lit("too-many")),
                measure=pl.when("has_boxes").then(lit("boxes")).otherwise(lit("images")),
                score=score_above(pl.when(actual > 0).then("factor").otherwise(of_absent), _UNEXPECTED),
            )
        )

    def _rarest(self, label_counts: LazyFrame) -> LazyFrame:
        """The rarest and the most frequent label of each split and measure, where the ratio is reached."""
        counts = label_counts.unpivot(
            ["images", "boxes"], index=[*_SPLIT, "label"], variable_name="measure", value_name="few"
        )
        ranked = counts.drop_nulls("few").sort("few", "label", descending=[True, False])
        return (
            ranked.group_by(*_SPLIT, "measure")
            .agg(
                frequent=col("label").first(),
                most=col("few").first(),
                label=col("label").last(),
                few=col("few").last(),
                rare=(col("few") * self.ratio <= col("few").max()).sum(),
            )
            .filter(col("rare") > 0)
        )


class LabelFewImages(Rule):
    """A label has few images to train on.

    Only images that the service can use count. Without test data, a label with few images may also be left out of the
    test set.

    ## Why it matters
    A model does not learn a label from a handful of images, and its score on them is luck. Without test data the
    service moves a fifth of the images into a test set. A fifth of fewer than five images is less than one image, so
    the label may not be tested at all.

    ## How to fix it
    Add images of the label, or supply test data.

    ## How reliable it is
    The count is exact. The service's guide asks for ten images in a data set but gives no number per label, so the
    limit is ours. Rules that look for wrong labels need about as many images of a label.
    """

    code = "BAL102"
    name = "label-few-images"
    severity = Severity.WARNING
    precision = FACT
    messages = {
        "few": "{label!r} has {images:# image} to train on, fewer than {min_images}; add images of it",
        "too-few-to-split": "{label!r} has {images:# image}: the automatic split may leave none for the test set; "
        "add images of it or supply test data",
    }
    examples = (
        Good(labels=[{"line": n} for n in range(10)]),
        Bad(
            labels=[{"line": n} for n in range(9)],
            says="'cat' has 9 images to train on, fewer than 10; add images of it",
        ),
        Bad(
            labels=[{"line": n} for n in range(4)],
            says="'cat' has 4 images: the automatic split may leave none for the test set; "
            "add images of it or supply test data",
        ),
        Bad(
            labels=[{"line": n, "manifest": f"{s}.manifest", "split": s} for s in ("train", "test") for n in range(3)],
            says="'cat' has 3 images to train on, fewer than 10; add images of it",
        ),
        # The service's own code covers a label that cannot be split at all.
        Good(labels=[{}]),
        Good(labels=[{"line": n} for n in range(9)], options={"min_images": 9}),
        Bad(labels=[{"line": n} for n in range(9)], options={"min_images": 11}),
        Good(labels=[{"line": n} for n in range(3)], options={"min_images": 3, "min_images_to_split": 3}),
        Bad(
            labels=[{"line": n} for n in range(3)],
            options={"min_images": 3, "min_images_to_split": 4},
            says="'cat' has 3 images: the automatic split may leave none for the test set; "
            "add images of it or supply test data",
        ),
    )
    min_images: int = Option(10, ge=2, description="Number of images that a label needs.")
    min_images_to_split: int = Option(
        5, ge=2, description="Number of images that a label needs where there is no test data."
    )

    def check(self, usable_labels: LazyFrame, manifests: LazyFrame) -> LazyFrame:
        """Labels of the training split that have fewer images than either limit."""
        tested = manifests.filter(col("split") == "test").select("data_set", has_test=lit(True)).unique()
        trained = usable_labels.filter(col("split") == "train", col("label").is_not_null())
        images = trained.group_by("data_set", "label").agg(col("images").max())
        counts = images.join(tested, on="data_set", how="left").with_columns(col("has_test").fill_null(False))
        is_too_few_to_split = ~col("has_test") & (col("images") < self.min_images_to_split)
        is_covered = ~col("has_test") & (col("images") < MIN_SPLIT_IMAGES)
        kind = pl.when(is_too_few_to_split).then(lit("too-few-to-split")).otherwise(lit("few"))
        return counts.filter(is_too_few_to_split | (col("images") < self.min_images), ~is_covered).with_columns(
            kind=kind
        )


class FewImages(Rule):
    """The data set has fewer than ten images to train on.

    ## Why it matters
    The service's guide asks for at least ten.

    ## How to fix it
    Add images.
    """

    code = "BAL103"
    name = "few-images"
    severity = Severity.WARNING
    precision = FACT
    message = "{images:# labeled image} to train on, fewer than {min_images}; add images"
    targets = ("rekognition",)
    examples = (
        Good(labels=[{"line": n} for n in range(10)]),
        Bad(
            labels=[{"line": n} for n in range(9)],
            says="9 labeled images to train on, fewer than 10; add images",
        ),
        Good(labels=[{"line": n} for n in range(9)], options={"min_images": 9}),
        Bad(labels=[{"line": n} for n in range(10)], options={"min_images": 11}),
    )
    min_images: int = Option(10, ge=1, description="Number of images that a data set needs.")

    def check(self, image_labels: LazyFrame) -> LazyFrame:
        """Data sets with too few labeled training images, but at least one."""
        trained = image_labels.filter(col("split") == "train")
        return (
            trained.group_by("data_set").agg(images=col("line_id").n_unique()).filter(col("images") < self.min_images)
        )


class LabelsAlwaysTogether(Rule):
    """Two labels occur only on the same images.

    ## Why it matters
    The model cannot learn to tell them apart: whatever indicates one indicates the other.

    ## How to fix it
    Add images that have only one of them, or merge the two labels.

    ## How reliable it is
    The count is exact. Only the owner of the data knows whether the labels mean two different things.
    """

    code = "BAL104"
    name = "labels-always-together"
    severity = Severity.INFO
    message = (
        "{label!r} and {other!r} occur together on all of their {images:# image}; add images with only one of them"
    )
    examples = (
        Good(labels=[{"line": n, "label": name} for n in range(30) for name in ("cat", "dog")][1:]),
        Good(labels=[{"line": n, "label": name} for n in range(19) for name in ("cat", "dog")]),
        Bad(
            labels=[{"line": n, "label": name} for n in range(20) for name in ("cat", "dog")],
            says="'cat' and 'dog' occur together on all of their 20 images; add images with only one of them",
        ),
        Good(
            labels=[{"line": n, "label": name} for n in range(20) for name in ("cat", "dog")],
            options={"min_images": 21},
        ),
        Bad(
            labels=[{"line": n, "label": name} for n in range(19) for name in ("cat", "dog")],
            options={"min_images": 19},
        ),
    )
    min_images: int = Option(20, ge=2, description="Number of images that both labels need.")

    def check(self, image_labels: LazyFrame) -> LazyFrame:
        """Pairs of labels with the same set of images."""
        rows = image_labels.filter(col("split") == "train").select("data_set", "line_id", "label").unique()
        # Equal sums of the images' hashes mean equal sets, except with a chance of one in 2^64.
        sets = rows.group_by("data_set", "label").agg(images=pl.len(), images_hash=col("line_id").hash().sum())
        frequent = sets.filter(col("images") >= self.min_images)
        pairs = frequent.join(frequent, on=["data_set", "images", "images_hash"], suffix="_other")
        return pairs.filter(col("label") < col("label_other")).rename({"label_other": "other"})
