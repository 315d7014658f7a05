"""SPL: training data against test data."""

from __future__ import annotations

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.service import ServiceRule, warn_of_choice

_LEAK = {
    "a_source_ref": "s3://bucket/1.jpg",
    "b_source_ref": "s3://bucket/2.jpg",
    "distance": 2,
    "relation": "near",
    "manifest": "train.manifest",
    "line": 1,
    "b_manifest": "test.manifest",
    "b_line": 1,
}

ENOUGH_TO_SPLIT = 5
"""Images of a label of which a fifth, the service's test set, is one."""


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
    min_images: int = Option(ENOUGH_TO_SPLIT, ge=2, description="Usable images that a label needs.")

    def check(self, usable_labels: LazyFrame, manifests: LazyFrame) -> DataFrame | LazyFrame:
        """Labels above the service's own limit and below ours, where there is no test manifest."""
        has_test = manifests.select((col("split") == "test").any()).collect().item()
        counts = usable_labels.group_by("label").agg(col("images").max())
        return counts.filter(col("images").is_between(2, self.min_images - 1), not has_test)


class ImageInBothSplits(Rule):
    """A test image is a training image too.

    ## Why is this bad?
    The model is tested on what it has seen: the score says nothing about new images.

    ## How to mend it
    Remove the line from one of the manifests.
    """

    code = "SPL201"
    name = "image-in-both-splits"
    severity = Severity.WARNING
    message = "the image is in the training data too: {trained_in}, line {trained_on}"
    examples = (
        Good(lines=[{}, {"line": 2, "source_ref": "s3://bucket/2.jpg", "manifest": "test.manifest", "split": "test"}]),
        Bad(
            lines=[{}, {"line": 2, "source_ref": "s3://bucket/1.jpg", "manifest": "test.manifest", "split": "test"}],
            says="the image is in the training data too: train.manifest, line 1",
        ),
    )

    def check(self, lines: LazyFrame) -> LazyFrame:
        """Test lines, each with the first training line that names its image."""
        named = lines.filter(col("source_ref").is_not_null())
        trained = named.filter(col("split") == "train").sort("manifest", "line")
        first = trained.group_by("source_ref", maintain_order=True).agg(
            trained_in=col("manifest").first(), trained_on=col("line").first()
        )
        place = pl.struct(manifest="trained_in", line="trained_on", source_ref="source_ref")
        leaked = named.filter(col("split") == "test").join(first, on="source_ref")
        return leaked.with_columns(related=pl.concat_list(place))


class LabelMissingFromSplit(Rule):
    """A label is in the training data or in the test data only.

    ## Why is this bad?
    A label that is not tested has no score; one that is not trained can only fail.

    ## How to mend it
    Move images of the label, or add some.
    """

    code = "SPL202"
    name = "label-missing-from-split"
    severity = Severity.WARNING
    message = "{label!r} has {images} images in the {split} split and none in the {missing} split"
    examples = (
        Good(labels=[{}, {"manifest": "test.manifest", "split": "test"}]),
        Good(labels=[{}, {"line": 2, "label": "dog"}]),
        Good(labels=[{}, {"line": 2, "label": "dog"}, {"manifest": "test.manifest", "split": "test", "label": "cow"}]),
        Bad(
            labels=[{}, {"line": 2, "label": "dog"}, {"manifest": "test.manifest", "split": "test"}],
            says="'dog' has 1 images in the train split and none in the test split",
        ),
    )

    def check(self, label_counts: LazyFrame, verdicts: LazyFrame) -> LazyFrame:
        """Labels of one of two splits that have some in common; the service's own code covers the worse."""
        counts = label_counts.filter(col("split") != "reference").with_columns(col("split").cast(pl.String))
        missing = pl.when(col("split") == "train").then(lit("test")).otherwise(lit("train"))
        overlaps_too_little = verdicts.filter(col("aws") == "ERROR_INSUFFICIENT_LABEL_OVERLAP").select(covered=pl.len())
        both = counts.filter(col("split").n_unique().over("use_case") > 1)
        alone = both.filter(pl.len().over("use_case", "label") == 1).with_columns(missing=missing)
        return alone.join(overlaps_too_little, how="cross").filter(col("covered") == 0)


class SplitShareDiffers(Rule):
    """A label's share of the test data is far from its share of the training data.

    ## Why is this bad?
    The score is an average over labels that will not come in these shares.

    ## How to mend it
    Draw the test images at random, label by label.

    ## How far it can be trusted
    Advice. Both the size of the difference (twice) and its certainty (4 standard errors) are asked for.
    """

    code = "SPL203"
    name = "split-share-differs"
    severity = Severity.INFO
    message = "{label!r} is on {share_train:.1%} of the training images and on {share_test:.1%} of the test images"
    examples = (
        Good(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(200)]
            + [{"line": n, "label": "cat" if n % 3 else "dog", "manifest": "t", "split": "test"} for n in range(200)]
        ),
        Bad(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(200)]
            + [{"line": n, "label": "cat" if n % 10 else "dog", "manifest": "t", "split": "test"} for n in range(200)],
            says="'dog' is on 50.0% of the training images and on 10.0% of the test images",
        ),
    )
    ratio: float = Option(2.0, gt=1, description="Times by which the shares must differ.")
    min_z: float = Option(4.0, ge=0, description="Standard errors by which the shares must differ.")

    def check(self, label_counts: LazyFrame, image_labels: LazyFrame) -> LazyFrame:
        """Labels of both splits whose shares differ in size and not by chance."""
        totals = image_labels.group_by("split", "use_case").agg(total=col("source_ref").n_unique())
        shares = label_counts.join(totals, on=["split", "use_case"])
        train, test = (shares.filter(col("split") == split) for split in ("train", "test"))
        both = train.join(test, on=["use_case", "label"], suffix="_test")
        pooled = (col("images") + col("images_test")) / (col("total") + col("total_test"))
        error = (pooled * (1 - pooled) * (1 / col("total") + 1 / col("total_test"))).sqrt()
        share, share_test = col("images") / col("total"), col("images_test") / col("total_test")
        return both.select(
            "label", share_train=share, share_test=share_test, z=(share - share_test).abs() / error
        ).filter(
            col("z") >= self.min_z,
            pl.max_horizontal("share_train", "share_test")
            >= self.ratio * pl.min_horizontal("share_train", "share_test"),
        )


class LeakedImage(Rule):
    """A test image is a copy, exact or near, of a training image.

    ## Why is this bad?
    The model is tested on what it has seen: the score says nothing about new images.

    ## How to mend it
    Remove one of the two.

    ## How far it can be trusted
    As far as DUP101 and DUP102.
    """

    code = "SPL204"
    name = "leaked-image"
    severity = Severity.WARNING
    message = "the test image is {how} as the training image {trained}"
    examples = (
        Good(
            images=[{"source_ref": "s3://bucket/1.jpg"}, {"source_ref": "s3://bucket/2.jpg"}],
            near_pairs=[_LEAK | {"b_manifest": "train.manifest", "b_line": 2}],
        ),
        Bad(
            lines=[{}, {"line": 1, "source_ref": "s3://bucket/2.jpg", "manifest": "test.manifest", "split": "test"}],
            images=[{"source_ref": "s3://bucket/1.jpg"}, {"source_ref": "s3://bucket/2.jpg"}],
            near_pairs=[_LEAK],
            says="the test image is nearly the same as the training image s3://bucket/1.jpg",
        ),
    )

    def check(self, split_duplicates: LazyFrame) -> LazyFrame:
        """Test images, each with the training image it shows: the first of equal pixels, else of its group."""
        trained, tested = (split_duplicates.filter(col("split") == split) for split in ("train", "test"))
        place = pl.struct("manifest", "line", "source_ref").first()
        equal, alike = (
            trained.sort("rank").group_by(kind).agg(place.alias(f"by_{kind}")) for kind in ("exact", "group")
        )
        # An image that is itself in both splits is another rule's.
        leaks = (
            tested.join(trained, on="source_ref", how="anti")
            .join(equal, on="exact", how="left")
            .join(alike, on="group")
            .with_columns(train=pl.coalesce("by_exact", "by_group"), is_equal=col("by_exact").is_not_null())
        )
        return leaks.with_columns(
            how=pl.when("is_equal").then(lit("the same")).otherwise(lit("nearly the same")),
            trained=col("train").struct.field("source_ref"),
            related=pl.concat_list("train"),
        )
