"""SPL: training data against test data."""

from __future__ import annotations

from polars import DataFrame, LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.service import ServiceRule, warn_of_choice


class LabelOverlap(ServiceRule):
    """Fewer than half of the training labels are in the test data.

    ## Why is this bad?
    The training fails.

    ## How to mend it
    Add test images of the missing labels.
    """

    code = "SPL101"
    name = "label-overlap"
    severity = Severity.ERROR
    aws = "ERROR_INSUFFICIENT_LABEL_OVERLAP"
    examples = (
        Good(
            labels=[
                {"label": "cat"},
                {"line": 2, "label": "dog"},
                {"manifest": "test.manifest", "split": "test", "label": "cat"},
            ]
        ),
        Bad(
            labels=[
                {"label": "cat"},
                {"line": 2, "label": "dog"},
                {"manifest": "test.manifest", "split": "test", "label": "cow"},
            ],
            says="only 0% of the classification labels of training are in the test split, less than 50%; "
            "add test images of the others",
        ),
    )


class UsableLabelOverlap(ServiceRule):
    """Image labels and boxes are mixed, and with one kind alone the splits share too few labels.

    ## Why is this bad?
    The service trains on one kind and drops the lines of the other. If fewer than half of the training labels of that
    kind are in the test data, the training fails.

    ## How to mend it
    Keep one kind of label, and add test images of the missing labels.

    ## What the documents leave open
    How the service chooses: if either choice would fail this is a warning, if both would, an error.
    """

    code = "SPL102"
    name = "usable-label-overlap"
    severity = Severity.ERROR
    aws = "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP"
    examples = (
        Good(labels=[{"label": "cat"}], boxes=[{"line": 2}]),
        Bad(
            labels=[{"label": "cat"}, {"manifest": "test.manifest", "split": "test", "label": "cow"}],
            boxes=[{"line": 2}, {"line": 2, "manifest": "test.manifest", "split": "test"}],
            says="only 0% of the classification labels of training are in the test split, less than 50%; "
            "add test images of the others",
        ),
    )

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """A verdict that depends on the service's choice is a warning."""
        return warn_of_choice(super().check(verdicts))


class TooFewImagesToSplit(ServiceRule):
    """A label has fewer than two usable images, and there is no test data.

    ## Why is this bad?
    Without test data the service moves a fifth of the images into a test set, at training as well as by
    DistributeDatasetEntries. A label with one image cannot be in both.

    ## How to mend it
    Add images of the label, remove it, or bring test data of your own.

    ## What the documents leave open
    The number: the service names none.
    """

    code = "SPL103"
    name = "too-few-images-to-split"
    severity = Severity.ERROR
    aws = "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT"
    examples = (
        Good(labels=[{}, {"line": 2}]),
        Good(labels=[{}, {"manifest": "test.manifest", "split": "test"}]),
        Bad(labels=[{}], says="the label cat has 1 usable image; the automatic split needs 2 of each"),
    )


class FewImagesToSplit(Rule):
    """A label has few usable images, and there is no test data.

    ## Why is this bad?
    The service moves a fifth of the images into a test set. Of fewer than five images of a label that is less than one:
    the label may not be tested at all.

    ## How to mend it
    Add images of the label, or bring test data of your own.
    """

    code = "SPL104"
    name = "few-images-to-split"
    severity = Severity.WARNING
    message = "the label {label} has {images} usable images; a fifth of them, for the test set, is less than one"
    targets = ("rekognition",)
    examples = (
        Good(labels=[{"line": n} for n in range(5)]),
        Bad(
            labels=[{"line": n} for n in range(4)],
            says="the label cat has 4 usable images; a fifth of them, for the test set, is less than one",
        ),
    )
    min_images: int = Option(5, ge=2, description="Usable images that a label needs.")

    def check(self, usable_labels: LazyFrame, manifests: LazyFrame) -> DataFrame | LazyFrame:
        """Labels above the service's own limit and below ours, where there is no test manifest."""
        has_test = manifests.select((col("split") == "test").any()).collect().item()
        counts = usable_labels.group_by("label").agg(col("images").max())
        return counts.filter(col("images").is_between(2, self.min_images - 1), not has_test)
