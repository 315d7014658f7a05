"""SPL: labels that the splits share, and their shares of images."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col

from groundlint import FACT, Bad, Good, Option, Rule, Severity
from groundlint_rules.samples import IN_TEST
from groundlint_rules.service import ServiceRule, warn_of_choice


class InsufficientLabelOverlap(ServiceRule):
    """Fewer than half of the training labels are in the test data.

    ## Why it matters
    The training fails.

    ## How to fix it
    Add test images of the missing labels.
    """

    code = "SPL101"
    name = "insufficient-label-overlap"
    severity = Severity.ERROR
    aws = "ERROR_INSUFFICIENT_LABEL_OVERLAP"
    message = (
        "the test data has only {count}% of the {found} labels of the training data, less than {limit}%; "
        "add test images of the missing labels"
    )
    examples = (
        Good(labels=[{"label": "cat"}, {"line": 2, "label": "dog"}, {"label": "cat", **IN_TEST}]),
        Bad(
            labels=[{"label": "cat"}, {"line": 2, "label": "dog"}, {"label": "cow", **IN_TEST}],
            says="the test data has only 0% of the classification labels of the training data, less than 50%; "
            "add test images of the missing labels",
        ),
    )


class InsufficientUsableLabelOverlap(ServiceRule):
    """Image-level labels and boxes are mixed, and for one of the two kinds the splits share too few labels.

    ## Why it matters
    The service trains on one kind and drops the lines of the other. If fewer than half of the training labels of the
    kind it keeps are in the test data, the training fails.

    ## How to fix it
    Keep one kind of label, and add test images of the missing labels.

    ## Undocumented service behavior
    How the service chooses the kind is not documented. The finding is an error if either choice would fail, and a
    warning if only one would.
    """

    code = "SPL102"
    name = "insufficient-usable-label-overlap"
    severity = Severity.ERROR
    aws = "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP"
    message = (
        "image-level labels and boxes are mixed, and the test data has only {found} of the training data; "
        "keep one kind, and add test images of the missing labels"
    )
    examples = (
        Good(labels=[{"label": "cat"}], boxes=[{"line": 2}]),
        Bad(
            labels=[{"label": "cat"}, {"label": "cow", **IN_TEST}],
            boxes=[{"line": 2}, {"line": 2, **IN_TEST}],
            says="image-level labels and boxes are mixed, and the test data has only 0% of the classification labels "
            "of the training data; keep one kind, and add test images of the missing labels",
        ),
    )

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """The rule's verdicts; one that depends on the service's choice is a warning."""
        return warn_of_choice(super().check(verdicts))


class LabelMissingFromSplit(Rule):
    """A label is only in the training data or only in the test data.

    ## Why it matters
    A label without test images gets no score, and a label without training images cannot be recognized.

    ## How to fix it
    Move images of the label to the other split, or add some.
    """

    code = "SPL202"
    name = "label-missing-from-split"
    severity = Severity.WARNING
    precision = FACT
    messages = {
        "train": "{label!r} has {images:# image} in the training data but none in the test data; move or add some",
        "test": "{label!r} has {images:# image} in the test data but none in the training data; move or add some",
    }
    examples = (
        Good(labels=[{}, {**IN_TEST}]),
        Good(labels=[{}, {"line": 2, "label": "dog"}]),
        # The service's own code covers splits that share less than half of the labels.
        Good(labels=[{}, {"line": 2, "label": "dog"}, {"label": "cow", **IN_TEST}]),
        Bad(
            labels=[{}, {"line": 2, "label": "dog"}, {**IN_TEST}],
            says="'dog' has 1 image in the training data but none in the test data; move or add some",
        ),
        Bad(
            labels=[{}, {**IN_TEST}, {"line": 2, "label": "dog", **IN_TEST}],
            says="'dog' has 1 image in the test data but none in the training data; move or add some",
        ),
    )

    def check(self, label_counts: LazyFrame, verdicts: LazyFrame) -> LazyFrame:
        """Labels of one split, in data sets whose splits have enough labels in common for the service."""
        use_case = ("data_set", "use_case")
        counts = label_counts.filter(col("split").is_in(["train", "test"])).with_columns(kind=col("split"))
        both = counts.filter(col("split").n_unique().over(use_case) > 1)
        alone = both.filter(pl.len().over(*use_case, "label") == 1).drop("split")
        covered = verdicts.filter(col("aws") == InsufficientLabelOverlap.aws).select("data_set")
        return alone.join(covered, on="data_set", how="anti").with_columns(col("kind").cast(pl.String))


class SplitShareDiffers(Rule):
    """A label's share of the test images is far from its share of the training images.

    ## Why it matters
    The score is an average over labels in proportions that differ from those the model was trained on.

    ## How to fix it
    Draw the test images at random, label by label.

    ## How reliable it is
    Precision has not been measured. Both the size of the difference (a ratio of 2) and its certainty (4 standard
    errors) are required.
    """

    code = "SPL203"
    name = "split-share-differs"
    severity = Severity.INFO
    message = (
        "{label!r} is on {share_train:.1%} of the training images but on {share_test:.1%} of the test images; "
        "draw the test images at random"
    )
    examples = (
        Good(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(200)]
            + [{"line": n, "label": "cat" if n % 3 else "dog", **IN_TEST} for n in range(200)]
        ),
        Bad(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(200)]
            + [{"line": n, "label": "cat" if n % 10 else "dog", **IN_TEST} for n in range(200)],
            says="'dog' is on 50.0% of the training images but on 10.0% of the test images; "
            "draw the test images at random",
        ),
        Good(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(200)]
            + [{"line": n, "label": "cat" if n % 10 else "dog", **IN_TEST} for n in range(200)],
            options={"ratio": 6.0},
        ),
        Bad(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(1000)]
            + [{"line": n, "label": "cat" if n % 3 else "dog", **IN_TEST} for n in range(1000)],
            options={"ratio": 1.4},
        ),
        Good(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(200)]
            + [{"line": n, "label": "cat" if n % 10 else "dog", **IN_TEST} for n in range(200)],
            options={"min_z": 10.0},
        ),
        Bad(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(20)]
            + [{"line": n, "label": "cat" if n % 10 else "dog", **IN_TEST} for n in range(20)],
            options={"min_z": 2.0},
        ),
    )
    ratio: float = Option(2.0, gt=1, description="Ratio by which the shares must differ.")
    min_z: float = Option(4.0, ge=0, description="Number of standard errors by which the shares must differ.")

    def check(self, label_counts: LazyFrame, labeled_images: LazyFrame) -> LazyFrame:
        """Labels of both splits whose shares differ by the ratio and not merely by chance."""
        totals = labeled_images.select("data_set", "split", "use_case", total="images")
        shares = label_counts.join(totals, on=["data_set", "split", "use_case"])
        train, test = (shares.filter(col("split") == split) for split in ("train", "test"))
        both = train.join(test, on=["data_set", "use_case", "label"], suffix="_test")
        pooled = (col("images") + col("images_test")) / (col("total") + col("total_test"))
        error = (pooled * (1 - pooled) * (1 / col("total") + 1 / col("total_test"))).sqrt()
        share, share_test = col("images") / col("total"), col("images_test") / col("total_test")
        z = (share - share_test).abs() / error
        larger, smaller = (of("share_train", "share_test") for of in (pl.max_horizontal, pl.min_horizontal))
        return both.select("data_set", "label", share_train=share, share_test=share_test, z=z).filter(
            col("z") >= self.min_z, larger >= self.ratio * smaller
        )
