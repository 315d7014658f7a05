"""SPL: labels whose objects no test image shows with a box."""

from __future__ import annotations

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Option, Rule, Severity, counted, worded
from groundlint_rules.samples import IN_TEST

_MAX_RELATED = 20


class FewShotLabelWithoutTestBoxes(Rule):
    """A label has boxes on a few training images, but test images of it have none.

    ## Why it matters
    The guide asks for boxes on the test images of objects such as logos that have few training images. Without them the
    service cannot score where it finds the object.

    ## How to fix it
    Draw boxes around the object on its test images.

    ## How reliable it is
    The counts are exact. The guide says "a few" without a number, so the limit is ours. Test images of a label are
    those that have it as an image-level label or as that of a box.
    """

    code = "SPL206"
    name = "few-shot-label-without-test-boxes"
    severity = Severity.INFO
    precision = FACT
    targets = ("rekognition",)
    message = (
        "{label!r} has boxes on only {trained:# training image}, and none on {count} of its {tested:# test image}; "
        "draw boxes around it there"
    )
    examples = (
        Good(boxes=[{}, {**IN_TEST}]),
        Good(boxes=[{}], labels=[{"label": "dog", **IN_TEST}]),
        Good(labels=[{}, {**IN_TEST}]),
        Good(boxes=[{"line": n} for n in range(11)], labels=[{**IN_TEST}]),
        # A test image may have both.
        Good(boxes=[{}, {**IN_TEST}], labels=[{**IN_TEST}]),
        Bad(
            boxes=[{"line": n} for n in range(10)] + [IN_TEST],
            labels=[{"line": 2, **IN_TEST}, {"line": 3, **IN_TEST}],
            says="'cat' has boxes on only 10 training images, and none on 2 of its 3 test images; "
            "draw boxes around it there",
        ),
        Good(boxes=[{"line": n} for n in range(3)], labels=[{**IN_TEST}], options={"max_images": 2}),
        Bad(boxes=[{"line": n} for n in range(12)], labels=[{**IN_TEST}], options={"max_images": 12}),
    )
    max_images: int = Option(
        10, ge=1, description="Number of training images with boxes up to which a label is a few-shot label."
    )

    def check(self, image_labels: LazyFrame, lines: LazyFrame) -> LazyFrame:
        """Few-shot labels with test images that lack a box of the label."""
        key = ("data_set", "label")
        images = image_labels.group_by("data_set", "split", "line_id", "label").agg(
            has_box=(col("use_case") == "detection").any()
        )
        boxed = images.filter(col("split") == "train", col("has_box"))
        trained = boxed.group_by(key).agg(trained=pl.len()).filter(col("trained") <= self.max_images)
        tested = images.filter(col("split") == "test").join(lines.select("line_id", "source_ref"), on="line_id")
        lacking = ~col("has_box")
        counts = tested.group_by(key).agg(
            tested=pl.len(),
            count=lacking.sum(),
            related=col("source_ref").filter(lacking).sort().head(_MAX_RELATED),
        )
        return trained.join(counts.filter(col("count") > 0), on=key)


class LabelsWithoutTestBoxes(Rule):
    """Labels of a data set with boxes have no box, neither in the training nor in the test data.

    ## Why it matters
    The service can learn to locate objects such as logos from image-level labels, but the guide then asks for a
    separate test set with boxes. Nothing else shows where the objects are, and the automatic split needs boxes in
    the training data.

    ## How to fix it
    Supply test images with boxes of these labels. If they are not to be located, train them as a data set of their own.

    ## How reliable it is
    The counts are exact. A data set without any box is taken to be for classification, although it may be for logos.
    Test data without any box beside training data with boxes is reported by `too-few-usable-labels`.
    """

    code = "SPL207"
    name = "labels-without-test-boxes"
    severity = Severity.INFO
    precision = FACT
    targets = ("rekognition",)
    message = (
        "{label!r}{others} {has} image-level labels only, and no box in the test data; "
        "to have them located, add test images with boxes of them"
    )
    examples = (
        Good(labels=[{"label": "cat"}, {"line": 2, "label": "dog"}]),
        Good(labels=[{"label": "cat"}], boxes=[{"line": 2, "label": "cat"}]),
        Good(labels=[{"label": "cat"}], boxes=[{"label": "cat", **IN_TEST}]),
        # Test data without any box: the service's own code covers it.
        Good(labels=[{"label": "cat"}, {"label": "cat", **IN_TEST}], boxes=[{"line": 2, "label": "dog"}]),
        Bad(
            labels=[{"label": "cat"}],
            boxes=[{"line": 2, "label": "dog"}],
            says="'cat' has image-level labels only, and no box in the test data; to have them located, add test "
            "images with boxes of them",
        ),
        Bad(
            labels=[{"label": "cat"}, {"line": 2, "label": "cow"}],
            boxes=[{"label": "dog", **IN_TEST}],
            says="'cat' and 1 other label have image-level labels only, and no box in the test data; to have them "
            "located, add test images with boxes of them",
        ),
    )

    def check(self, image_labels: LazyFrame, manifests: LazyFrame) -> LazyFrame:
        """Data sets with boxes, in the test data if there are any, and training labels that have none."""
        tested = manifests.filter(col("split") == "test").select("data_set", has_test=lit(True)).unique()
        judged = image_labels.filter(col("split") != "reference")
        boxed = judged.filter(col("use_case") == "detection").join(tested, on="data_set", how="left")
        located = boxed.filter((col("split") == "test") | col("has_test").is_null()).select("data_set").unique()
        trained = judged.filter(col("split") == "train").join(located, on="data_set", how="semi")
        without = trained.join(boxed, on=["data_set", "label"], how="anti")
        labels = without.group_by("data_set").agg(label=col("label").min(), count=col("label").n_unique() - 1)
        return labels.with_columns(
            others=_and_others(), has=pl.when(col("count") > 0).then(lit("have")).otherwise(lit("has"))
        )


def _and_others() -> Expr:
    others = worded(" and {}", counted("count", "other label"))
    return pl.when(col("count") > 0).then(others).otherwise(lit(""))
