"""SPL: labels that the splits share, their shares of images, and images that leak into the test data."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Option, Rule, Severity, worded
from groundlint_rules.service import ServiceRule, warn_of_choice
from groundlint_rules.tables.split_shifts import MIN_AUROC, TRAITS, Trait

_LEAK = {
    "a_source_ref": "s3://bucket/1.jpg",
    "b_source_ref": "s3://bucket/2.jpg",
    "distance": 2,
    "relation": "near",
    "is_crop": False,
    "manifest": "train.manifest",
    "line": 1,
    "b_manifest": "test.manifest",
    "b_line": 1,
}

_PLACE = pl.struct("manifest", "line", "source_ref")

_TEST_SHARE = 0.2
"""Share of the images that the service's automatic split takes."""

_MIN_LABEL_IMAGES = 10
"""Images of a label below which label-few-images reports it."""

_ROUNDING = 1e-9

_CHANCE = 0.5
"""Area under the ROC curve of a classifier that knows nothing."""

_SHIFT = {
    "part": "test",
    "auroc": 0.97,
    "p_value": 0.001,
    "trait": "brightness",
    "trait_auroc": 0.04,
    "difference": "darker",
    "average": "median",
    "value": 61.2,
    "trained": 117.9,
    "related": ["s3://bucket/1.jpg"],
}


def _on_trait(trait: Trait) -> str:
    """The message on a part that differs in a trait."""
    value, trained = (trait.number.replace("{", f"{{{name}") for name in ("value", "trained"))
    return (
        f"{{part}} images are {{difference}}: {{average}} {trait.words} {value} against {trained} in the training "
        "images{others} (told apart with AUROC {score:.2f}); add training images like them{remedy}"
    )


_IN_TEST = {"manifest": "test.manifest", "split": "test"}


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
        Good(labels=[{"label": "cat"}, {"line": 2, "label": "dog"}, {"label": "cat", **_IN_TEST}]),
        Bad(
            labels=[{"label": "cat"}, {"line": 2, "label": "dog"}, {"label": "cow", **_IN_TEST}],
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
            labels=[{"label": "cat"}, {"label": "cow", **_IN_TEST}],
            boxes=[{"line": 2}, {"line": 2, **_IN_TEST}],
            says="image-level labels and boxes are mixed, and the test data has only 0% of the classification labels "
            "of the training data; keep one kind, and add test images of the missing labels",
        ),
    )

    def check(self, verdicts: LazyFrame) -> LazyFrame:
        """The rule's verdicts; one that depends on the service's choice is a warning."""
        return warn_of_choice(super().check(verdicts))


class TooFewImagesToSplit(ServiceRule):
    """A label has fewer than two usable images, and there is no test data.

    ## Why it matters
    Without test data the service moves a fifth of the images into a test set, both when it trains and for
    DistributeDatasetEntries. A label with one image cannot be in both sets.

    ## How to fix it
    Add images of the label, remove it, or supply test data.

    ## Undocumented service behavior
    The documentation does not say how many images the automatic split needs.
    """

    code = "SPL103"
    name = "too-few-images-to-split"
    severity = Severity.ERROR
    aws = "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT"
    message = (
        "{label!r} has {count:# usable image}, but the automatic split needs {limit}; "
        "add images of it or supply test data"
    )
    examples = (
        Good(labels=[{}, {"line": 2}]),
        Good(labels=[{}, {**_IN_TEST}]),
        Bad(
            labels=[{}],
            says="'cat' has 1 usable image, but the automatic split needs 2; add images of it or supply test data",
        ),
    )


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
        Good(labels=[{}, {**_IN_TEST}]),
        Good(labels=[{}, {"line": 2, "label": "dog"}]),
        # The service's own code covers splits that share less than half of the labels.
        Good(labels=[{}, {"line": 2, "label": "dog"}, {"label": "cow", **_IN_TEST}]),
        Bad(
            labels=[{}, {"line": 2, "label": "dog"}, {**_IN_TEST}],
            says="'dog' has 1 image in the training data but none in the test data; move or add some",
        ),
        Bad(
            labels=[{}, {**_IN_TEST}, {"line": 2, "label": "dog", **_IN_TEST}],
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
            + [{"line": n, "label": "cat" if n % 3 else "dog", **_IN_TEST} for n in range(200)]
        ),
        Bad(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(200)]
            + [{"line": n, "label": "cat" if n % 10 else "dog", **_IN_TEST} for n in range(200)],
            says="'dog' is on 50.0% of the training images but on 10.0% of the test images; "
            "draw the test images at random",
        ),
        Good(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(200)]
            + [{"line": n, "label": "cat" if n % 10 else "dog", **_IN_TEST} for n in range(200)],
            options={"ratio": 6.0},
        ),
        Bad(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(1000)]
            + [{"line": n, "label": "cat" if n % 3 else "dog", **_IN_TEST} for n in range(1000)],
            options={"ratio": 1.4},
        ),
        Good(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(200)]
            + [{"line": n, "label": "cat" if n % 10 else "dog", **_IN_TEST} for n in range(200)],
            options={"min_z": 10.0},
        ),
        Bad(
            labels=[{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(20)]
            + [{"line": n, "label": "cat" if n % 10 else "dog", **_IN_TEST} for n in range(20)],
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


class LeakedImage(Rule):
    """A test image is also a training image, or a duplicate or near-duplicate of one.

    The same source-ref in both splits is found from the manifests alone; duplicates are found only if the images are
    available.

    ## Why it matters
    The model is tested on an image that it was trained on. The score says nothing about new images.

    ## How to fix it
    Remove the image from one of the two splits.

    ## How reliable it is
    The same source-ref in both splits is a fact. Duplicates and near-duplicates are as reliable as those of
    exact-duplicate and near-duplicate.
    """

    code = "SPL204"
    name = "leaked-image"
    severity = Severity.WARNING
    images_are_optional = True
    messages = {
        "same": "this image is also in the training data (line {trained_line} of {trained_manifest}); "
        "remove it from one of the splits",
        "exact": "duplicate of the training image {trained}; remove one of the two",
        "near": "near-duplicate of the training image {trained}; remove one of the two",
    }
    examples = (
        Good(lines=[{}, {"line": 2, "source_ref": "s3://bucket/2.jpg", **_IN_TEST}]),
        Bad(
            lines=[{}, {"line": 2, "source_ref": "s3://bucket/1.jpg", **_IN_TEST}],
            says="this image is also in the training data (line 1 of train.manifest); remove it from one of the splits",
        ),
        Good(
            images=[{"source_ref": "s3://bucket/1.jpg"}, {"source_ref": "s3://bucket/2.jpg"}],
            hash_pairs=[_LEAK | {"b_manifest": "train.manifest", "b_line": 2}],
        ),
        Bad(
            lines=[{}, {"line": 1, "source_ref": "s3://bucket/2.jpg", **_IN_TEST}],
            images=[{"source_ref": "s3://bucket/1.jpg"}, {"source_ref": "s3://bucket/2.jpg"}],
            hash_pairs=[_LEAK],
            says="near-duplicate of the training image s3://bucket/1.jpg; remove one of the two",
        ),
        Bad(
            lines=[{}, {"line": 1, "source_ref": "s3://bucket/2.jpg", **_IN_TEST}],
            images=[{"source_ref": "s3://bucket/1.jpg"}, {"source_ref": "s3://bucket/2.jpg"}],
            hash_pairs=[_LEAK | {"distance": 0, "relation": "exact"}],
            says="duplicate of the training image s3://bucket/1.jpg; remove one of the two",
        ),
    )

    def check(self, lines: LazyFrame, split_duplicates: LazyFrame) -> LazyFrame:
        """Test lines whose image is in the training data, and test images that are duplicates of a training image."""
        same = _lines_in_both_splits(lines)
        duplicates = _duplicates_of_training_images(split_duplicates)
        others = duplicates.join(same, on=["data_set", "source_ref"], how="anti")
        leaks = pl.concat([same, others], how="diagonal")
        trained = {key: col("trained").struct.field(key) for key in ("manifest", "line", "source_ref")}
        return leaks.with_columns(
            trained_manifest=trained["manifest"],
            trained_line=trained["line"],
            trained=trained["source_ref"],
            related=pl.concat_list("trained"),
        )


class SequenceSplit(Rule):
    """Numbered files that may be frames of films are divided between training and test data image by image.

    This is found from the names of files alone. See similar-images for what the images show.

    ## Why it matters
    Neighboring frames show nearly the same. If one is in the training data and the next in the test data, the score
    says little about new images.

    ## How to fix it
    Put whole films into one split, or parts of at least some minutes. If the files are not frames, ignore the finding.

    ## How reliable it is
    It is a possibility, not a fact: nothing but names is known. Names count that say what they are (`frame_0012`,
    `clip3/0012`), and zero-padded consecutive numbers of at least three recordings with numbers of their own
    (`0419_000012`). Files that are only numbered, such as `raccoon-12` or `000000000061`, are not reported: of 13
    public sets without films it flags none when a fifth of the images becomes test data at random.
    """

    code = "SPL205"
    name = "sequence-split"
    severity = Severity.INFO
    message = (
        "{count:# test image} may be frames next to training images, such as {source} and {neighbor}; "
        "put whole sequences into one split"
    )
    examples = (
        Good(
            lines=[{"source_ref": f"s3://bucket/frame_{n:04}.jpg"} | (_IN_TEST if n % 5 == 0 else {}) for n in range(9)]
        ),
        Good(lines=[{"source_ref": f"s3://bucket/frame_{n:04}.jpg"} | (_IN_TEST if n > 39 else {}) for n in range(50)]),
        Good(lines=[{"source_ref": f"s3://bucket/{n}.jpg"} | (_IN_TEST if n % 5 == 0 else {}) for n in range(50)]),
        Bad(
            lines=[
                {"source_ref": f"s3://bucket/frame_{n:04}.jpg"} | (_IN_TEST if n % 5 == 0 else {}) for n in range(50)
            ],
            says="10 test images may be frames next to training images, such as s3://bucket/frame_0000.jpg and "
            "s3://bucket/frame_0001.jpg; put whole sequences into one split",
        ),
    )

    def check(self, frame_sequences: LazyFrame) -> LazyFrame:
        """Data sets with at least five test images next to training images, half of those of a sequence or more."""
        tested = frame_sequences.filter(col("split") == "test")
        is_next = col("neighbor").is_not_null()
        mixed = tested.filter(is_next.mean().over("data_set", "sequence") >= 0.5)
        image = pl.struct("source_ref", "neighbor").sort_by("source_ref")
        return (
            mixed.filter(is_next)
            .group_by("data_set")
            .agg(
                count=pl.len(),
                source=image.first().struct.field("source_ref"),
                neighbor=image.first().struct.field("neighbor"),
                related=col("source_ref").sort().head(20),
            )
            .filter(col("count") >= 5)
        )


class RiskyAutomaticSplit(Rule):
    """There is no test data, and a random fifth of the images would make poor test data.

    The service takes a fifth of the images as test data if it is given none, and so do most scripts. Two things can go
    wrong: a label is left with few test images, and duplicates, similar images or frames of a film are torn apart. The
    data set gets one finding. Labels with fewer than 10 images are reported by label-few-images and are not counted.

    ## Why it matters
    A label that is tested on one or two images has a score by luck. A test image whose duplicate is in the training
    data is recognized from memory, and makes the score too good.

    ## How to fix it
    Run `groundlint split MANIFEST --test 0.2 --to FOLDER`: each label keeps its share in both parts, and no group is
    torn. Then name both parts with `--train` and `--test`.

    ## How reliable it is
    How the service chooses the images is not documented. The numbers are expected values for a random choice of a
    fifth: of a label with n images, n / 5 are test images, and none with a chance of 0.8 to the power of n. The groups
    are those of exact-duplicate, near-duplicate, similar-images and sequence-split, as reliable as these rules.
    Without images, only sequences of file names are known.
    """

    code = "SPL208"
    name = "risky-automatic-split"
    severity = Severity.INFO
    images_are_optional = True
    messages = {
        "labels": "a random fifth as test data leaves {labels:# label} short: {rarest!r} gets {expected:.1f} of "
        "{images:# image}, none with a chance of {chance:.1%}; use `groundlint split`",
        "groups": "a random fifth as test data tears {torn:# group} of duplicates or frames: {leaked:.0%} of it has a "
        "counterpart in training; use `groundlint split`",
        "both": "a random fifth as test data leaves {labels:# label} short ({rarest!r}: {expected:.1f} of "
        "{images:# image}) and tears {torn:# group} of duplicates or frames ({leaked:.0%} of it); use "
        "`groundlint split`",
    }
    examples = (
        Good(labels=[{"line": n, "source_ref": f"s3://bucket/{n}.jpg"} for n in range(25)]),
        # label-few-images reports a label with fewer images.
        Good(labels=[{"line": n, "source_ref": f"s3://bucket/{n}.jpg"} for n in range(9)]),
        Bad(
            labels=[{"line": n, "source_ref": f"s3://bucket/{n}.jpg"} for n in range(12)],
            says="a random fifth as test data leaves 1 label short: 'cat' gets 2.4 of 12 images, none with a chance of "
            "6.9%; use `groundlint split`",
        ),
        Good(
            labels=[{"line": n, "source_ref": f"s3://bucket/{n}.jpg"} for n in range(12)]
            + [{"line": n, **_IN_TEST} for n in range(12)],
        ),
        Bad(
            lines=[{"line": n, "source_ref": f"s3://bucket/{n}.jpg"} for n in range(30)],
            split_groups=[
                {"source_ref": f"s3://bucket/{n}.jpg", "group": f"s3://bucket/{n // 3}.jpg"} for n in range(30)
            ],
            says="a random fifth as test data tears 5 groups of duplicates or frames: 96% of it has a counterpart in "
            "training; use `groundlint split`",
        ),
        Bad(
            labels=[{"line": n, "source_ref": f"s3://bucket/{n}.jpg"} for n in range(20)],
            lines=[{"line": n, "source_ref": f"s3://bucket/{n}.jpg"} for n in range(20)],
            split_groups=[{"source_ref": f"s3://bucket/{n}.jpg", "group": "s3://bucket/0.jpg"} for n in range(8)],
            says="a random fifth as test data leaves 1 label short ('cat': 4.0 of 20 images) and tears 1 group of "
            "duplicates or frames (40% of it); use `groundlint split`",
        ),
        Good(
            labels=[{"line": n, "source_ref": f"s3://bucket/{n}.jpg"} for n in range(20)],
            options={"min_test_images": 4},
        ),
        Bad(
            labels=[{"line": n, "source_ref": f"s3://bucket/{n}.jpg"} for n in range(25)],
            options={"min_test_images": 6},
        ),
        Good(
            lines=[{"line": n, "source_ref": f"s3://bucket/{n}.jpg"} for n in range(100)],
            split_groups=[{"source_ref": f"s3://bucket/{n}.jpg", "group": "s3://bucket/0.jpg"} for n in range(4)],
            options={"min_leaked": 0.05},
        ),
        Bad(
            lines=[{"line": n, "source_ref": f"s3://bucket/{n}.jpg"} for n in range(100)],
            split_groups=[{"source_ref": f"s3://bucket/{n}.jpg", "group": "s3://bucket/0.jpg"} for n in range(4)],
            options={"min_leaked": 0.03},
        ),
    )
    min_test_images: float = Option(5.0, gt=0, description="Number of test images that a label needs on average.")
    min_leaked: float = Option(
        0.02,
        gt=0,
        le=1,
        description="Share of the test images with a counterpart in training from which it is reported.",
    )

    def check(self, lines: LazyFrame, label_counts: LazyFrame, split_groups: LazyFrame) -> LazyFrame:
        """Data sets without test data of which a random fifth would lack labels or tear groups."""
        tested = lines.filter(col("split") == "test").select("data_set").unique()
        found = self._labels(label_counts).join(
            self._groups(lines, split_groups), on="data_set", how="full", coalesce=True
        )
        has_labels, has_groups = col("labels").is_not_null(), col("torn").is_not_null()
        kind = pl.when(has_labels & has_groups).then(lit("both")).when(has_labels).then(lit("labels"))
        return found.join(tested, on="data_set", how="anti").with_columns(kind=kind.otherwise(lit("groups")))

    def _labels(self, label_counts: LazyFrame) -> LazyFrame:
        """Data sets with labels of few expected test images: how many, and the rarest."""
        of_label = label_counts.filter(col("split") == "train").group_by("data_set", "label").agg(col("images").max())
        expected = _TEST_SHARE * col("images")
        few = of_label.filter(col("images") >= _MIN_LABEL_IMAGES, expected < self.min_test_images - _ROUNDING)
        return (
            few.sort("images", "label")
            .group_by("data_set", maintain_order=True)
            .agg(labels=pl.len(), rarest=col("label").first(), images=col("images").first())
            .with_columns(expected=expected, chance=(1 - _TEST_SHARE) ** col("images"))
        )

    def _groups(self, lines: LazyFrame, split_groups: LazyFrame) -> LazyFrame:
        """Data sets whose test images would too often have a counterpart in training: torn groups, and the share."""
        image = ("data_set", "source_ref")
        total = (
            lines.filter(col("split") == "train")
            .select(image)
            .drop_nulls()
            .unique()
            .group_by("data_set")
            .agg(total=pl.len())
        )
        size = pl.len().cast(pl.Float64)
        groups = split_groups.group_by("data_set", "group").agg(
            torn=1 - (1 - _TEST_SHARE) ** size - _TEST_SHARE**size, leaked=size * (1 - _TEST_SHARE ** (size - 1))
        )
        return (
            groups.group_by("data_set")
            .agg(col("torn", "leaked").sum())
            .join(total, on="data_set")
            .select(
                "data_set",
                torn=col("torn").round().cast(pl.Int64).clip(lower_bound=1),
                leaked=(col("leaked") / col("total")).round(9),
            )
            .filter(col("leaked") >= self.min_leaked)
        )


class SplitShift(Rule):
    """Test images, or reference images, look different from the training images as a whole.

    Reference images are those that the model will be used on: the images of a manifest or of a folder, given by
    `--reference` or by `reference` in the configuration. No other rule looks at them. Each comparison gets one finding.

    ## Why it matters
    A model is reliable on images like those it was trained on. If test images differ from them, the score is not what
    training could reach. If the images in use differ from both, the score is not what users will see.

    ## How to fix it
    Look at the related images, which are most unlike the training images. If they differ in the light, the camera or
    the size, add training images of the same kind, or split the data again with `groundlint split`. If the difference
    is intended, such as test images of another site, ignore the finding.

    ## How reliable it is
    A classifier two-sample test: a classifier that is trained on four fifths of the images tells the others apart, by
    size, aspect ratio, brightness, contrast, blur and colors, or by the embeddings of a small net. Both the effect (an
    area under the ROC curve of 0.65; 0.5 is chance) and its certainty (none of 999 random divisions reaches it) are
    required. The trait that is named is the one that differs most by itself; where none reaches 0.65, other content is
    reported. Each part needs 20 images. With `--fast`, embeddings are not compared.

    None of 200 random splits of 10 public sets (111 to 5,000 images, a fifth as test data) is reported, and one with
    `--fast`. Test images one stop darker, blurred, or at half the size are found and named in each of raccoon, trashnet
    and savoias (34 to 40 test images), and a label of trashnet as test data (glass, paper) is found as other content.
    """

    code = "SPL209"
    name = "split-shift"
    severity = Severity.INFO
    messages = {name: _on_trait(trait) for name, trait in TRAITS.items()} | {
        "content": "{part} images show other content than the training images (told apart with AUROC {score:.2f}, but "
        "by no single trait); add training images like them{remedy}",
    }
    examples = (
        Good(split_shifts=[_SHIFT | {"auroc": 0.64}]),
        Good(split_shifts=[_SHIFT | {"p_value": 0.002}]),
        Bad(
            lines=[{}],
            split_shifts=[_SHIFT, _SHIFT | {"trait": "blur", "trait_auroc": 0.9, "difference": "blurrier"}],
            says="test images are darker: median gray level (of 255) 61 against 118 in the training images; also "
            "blurrier (told apart with AUROC 0.97); add training images like them, or split the data again",
        ),
        Bad(
            lines=[{}],
            split_shifts=[_SHIFT | {"part": "reference", "trait_auroc": 0.4}],
            says="reference images show other content than the training images (told apart with AUROC 0.97, but "
            "by no single trait); add training images like them",
        ),
        Good(split_shifts=[_SHIFT | {"auroc": 0.7}], options={"min_auroc": 0.75}),
        Bad(lines=[{}], split_shifts=[_SHIFT | {"auroc": 0.62}], options={"min_auroc": 0.6}),
        Good(split_shifts=[_SHIFT], options={"max_p_value": 0.0005}),
        Bad(lines=[{}], split_shifts=[_SHIFT | {"p_value": 0.02}], options={"max_p_value": 0.05}),
    )
    min_auroc: float = Option(
        0.65, ge=MIN_AUROC, lt=1, description="Area under the ROC curve from which it is reported."
    )
    max_p_value: float = Option(0.001, gt=0, le=0.05, description="P-value up to which it is reported.")

    def check(self, split_shifts: LazyFrame) -> LazyFrame:
        """Parts that differ from the training images, with the trait that differs most."""
        effect = (col("trait_auroc") - _CHANCE).abs()
        differing = (
            split_shifts.filter(col("auroc") >= self.min_auroc, col("p_value") <= self.max_p_value)
            .with_columns(effect=effect, told=effect >= self.min_auroc - _CHANCE)
            .sort("data_set", "part", "effect", "trait", descending=[False, False, True, False])
        )
        others = worded("; also {}", col("difference").filter("told").slice(1, 2).str.join(" and "))
        return (
            differing.group_by("data_set", "part", maintain_order=True)
            .agg(
                pl.col("difference", "average", "value", "trained", "related").first(),
                score=col("auroc").first(),
                kind=pl.when(col("told").first()).then(col("trait").first()).otherwise(lit("content")),
                others=pl.when(col("told").sum() > 1).then(others).otherwise(lit("")),
            )
            .with_columns(
                remedy=pl.when(col("part") == "test").then(lit(", or split the data again")).otherwise(lit(""))
            )
        )


def _lines_in_both_splits(lines: LazyFrame) -> LazyFrame:
    """Test lines whose image the training data names too, each with the first training line that does."""
    image = ("data_set", "source_ref")
    named = lines.filter(col("source_ref").is_not_null()).select("data_set", "split", "manifest", "line", "source_ref")
    trained, tested = (named.filter(col("split") == split).drop("split") for split in ("train", "test"))
    # Few test lines, if any, are in the training data: only these are sorted and grouped.
    in_both = trained.join(tested, on=image, how="semi").sort("manifest", "line")
    first = in_both.group_by(image, maintain_order=True).agg(trained=_PLACE.first())
    return tested.join(first, on=image).with_columns(kind=lit("same"), score=1.0)


def _duplicates_of_training_images(split_duplicates: LazyFrame) -> LazyFrame:
    """Test images with the training image they duplicate: the first with equal pixels, else the first of the group."""
    trained, tested = (split_duplicates.filter(col("split") == split) for split in ("train", "test"))
    exact, near = (
        trained.sort("rank").group_by("data_set", kind, maintain_order=True).agg(_PLACE.first().alias(f"by_{kind}"))
        for kind in ("exact", "group")
    )
    is_exact = col("by_exact").is_not_null()
    duplicates = tested.join(exact, on=["data_set", "exact"], how="left").join(near, on=["data_set", "group"])
    return duplicates.select(
        "data_set",
        "manifest",
        "line",
        "source_ref",
        trained=pl.coalesce("by_exact", "by_group"),
        kind=pl.when(is_exact).then(lit("exact")).otherwise(lit("near")),
        # As near-duplicate scores them; the hash has 64 bits.
        score=pl.when(is_exact).then(1.0).otherwise(1 - col("distance") / 64),
    )
