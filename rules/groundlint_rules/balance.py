"""BAL: how many images each label has, and what labels keep company."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity, worded
from groundlint_rules.splits import ENOUGH_TO_SPLIT

_CASE = ("split", "use_case")


class LabelImbalance(Rule):
    """One label has many times the images, or the boxes, of another.

    ## Why is this bad?
    The model learns to guess the frequent label, and the score hides it. One finding stands for a split, on its rarest
    label.

    ## How to mend it
    Add images of the rare labels, or leave out some of the frequent one.

    ## How far it can be trusted
    A count cannot be wrong; what it means may be. Where images hold several labels, as cells under a microscope, their
    numbers are the scene's and not the collector's: then it is info, as it always is for boxes. The public sets bccd
    (11.5 to 1) and clothing (7.1 to 1) are known for it.
    """

    code = "BAL101"
    name = "label-imbalance"
    severity = Severity.WARNING
    message = "{label!r} has {few} {measure} and {frequent!r} {most}, {times:.1f} times as many{others}"
    examples = (
        Good(labels=[{"line": n, "label": "cat" if n < 4 else "dog"} for n in range(10)]),
        Bad(
            labels=[{"line": n, "label": "cat" if n < 1 else "dog"} for n in range(10)],
            says="'cat' has 1 images and 'dog' 9, 9.0 times as many",
        ),
        Bad(
            boxes=[{"line": n % 5, "label": "cat" if n < 5 else "dog"} for n in range(60)],
            says="'cat' has 5 boxes and 'dog' 55, 11.0 times as many",
        ),
    )
    ratio: float = Option(5.0, gt=1, description="Times that the most frequent label may have of the rarest.")

    def check(self, label_counts: LazyFrame, image_labels: LazyFrame) -> LazyFrame:
        """The rarest label of each split, where it is too rare."""
        counts = label_counts.unpivot(
            ["images", "boxes"], index=[*_CASE, "label"], variable_name="measure", value_name="few"
        )
        ranked = counts.drop_nulls("few").sort("few", "label", descending=[True, False])
        worst = ranked.group_by(*_CASE, "measure").agg(
            frequent=col("label").first(),
            most=col("few").first(),
            label=col("label").last(),
            few=col("few").last(),
            rare=(col("few") * self.ratio <= col("few").max()).sum(),
        )
        images = image_labels.group_by(*_CASE, "source_ref").agg(labels=pl.len())
        # Images with several labels show a scene, whose proportions are not the collector's.
        scenes = images.group_by(_CASE).agg(scenes=(col("labels") > 1).mean())
        is_scene = (col("measure") == "boxes") | (col("scenes") > 0.1)
        others = worded("; {} more are as rare", col("rare") - 1)
        return (
            worst.filter(col("rare") > 0)
            .join(scenes, on=_CASE)
            .with_columns(
                times=col("most") / col("few"),
                others=pl.when(col("rare") > 1).then(others).otherwise(lit("")),
                severity=pl.when(is_scene).then(lit(Severity.INFO)).otherwise(lit(Severity.WARNING)),
            )
        )


class LabelFewImages(Rule):
    """A label has few images to train on.

    ## Why is this bad?
    A model does not learn a label from a handful of images, and its score on them is luck.

    ## How to mend it
    Add images of the label.

    ## How far it can be trusted
    The guide asks for ten images of a data set and says nothing of a label: the number per label is ours. Wrong labels
    too are found only among labels of about a dozen images and more.
    """

    code = "BAL102"
    name = "label-few-images"
    severity = Severity.WARNING
    message = "{label!r} has {images} images to train on, fewer than {min_images}"
    examples = (
        Good(labels=[{"line": n} for n in range(10)]),
        Good(labels=[{"line": n} for n in range(4)]),
        Bad(labels=[{"line": n} for n in range(9)], says="'cat' has 9 images to train on, fewer than 10"),
        Bad(labels=[{"line": n, "manifest": f"{s}.manifest", "split": s} for s in ("train", "test") for n in range(3)]),
    )
    min_images: int = Option(10, ge=2, description="Images that a label needs.")

    def check(self, label_counts: LazyFrame, manifests: LazyFrame) -> LazyFrame:
        """Labels of the training split below the number; too few to split has rules of its own."""
        has_test = manifests.select((col("split") == "test").any()).collect().item()
        few = label_counts.filter(col("split") == "train").group_by("label").agg(col("images").max())
        return few.filter(col("images").is_between(1 if has_test else ENOUGH_TO_SPLIT, self.min_images - 1))


class FewImages(Rule):
    """The data set has fewer than ten images to train on.

    ## Why is this bad?
    The service's guide asks for ten at least.

    ## How to mend it
    Add images.
    """

    code = "BAL103"
    name = "few-images"
    severity = Severity.WARNING
    message = "there are {images} labelled images to train on, fewer than {min_images}"
    targets = ("rekognition",)
    examples = (
        Good(labels=[{"line": n} for n in range(10)]),
        Bad(labels=[{"line": n} for n in range(9)], says="there are 9 labelled images to train on, fewer than 10"),
    )
    min_images: int = Option(10, ge=1, description="Images that the guide asks for.")

    def check(self, labels: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """One row if the training split is small, but not where there is nothing to train on."""
        images = pl.concat([rows.select("split", "source_ref") for rows in (labels, boxes)])
        count = images.filter(col("split") == "train").select(images=col("source_ref").n_unique())
        return count.filter(col("images").is_between(1, self.min_images - 1))


class LabelsAlwaysTogether(Rule):
    """Two labels occur on the same images only.

    ## Why is this bad?
    The model cannot learn to tell them apart: whatever marks one marks the other.

    ## How to mend it
    Add images with one of them alone, or make them one label.

    ## How far it can be trusted
    Advice: the count is exact, whether the labels mean two things only the collector knows.
    """

    code = "BAL104"
    name = "labels-always-together"
    severity = Severity.INFO
    message = "{label!r} and {other!r} occur together on all of their {images} images"
    examples = (
        Good(labels=[{"line": n, "label": name} for n in range(30) for name in ("cat", "dog")][1:]),
        Good(labels=[{"line": n, "label": name} for n in range(19) for name in ("cat", "dog")]),
        Bad(
            labels=[{"line": n, "label": name} for n in range(20) for name in ("cat", "dog")],
            says="'cat' and 'dog' occur together on all of their 20 images",
        ),
    )
    min_images: int = Option(20, ge=2, description="Images that both labels need.")

    def check(self, image_labels: LazyFrame) -> LazyFrame:
        """Pairs of labels with the same set of images."""
        rows = image_labels.filter(col("split") == "train").select("source_ref", "label").unique()
        # Equal sums of the images' hashes are equal sets, but for a chance of one in 2^64.
        sets = rows.group_by("label").agg(images=pl.len(), images_hash=col("source_ref").hash().sum())
        same = sets.filter(col("images") >= self.min_images)
        pairs = same.join(same, on=["images", "images_hash"], suffix="_other").filter(col("label") < col("label_other"))
        return pairs.rename({"label_other": "other"})
