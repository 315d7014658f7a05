"""SPL: data sets without test data, which the service splits by itself."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.samples import IN_TEST
from groundlint_rules.service import ServiceRule

_TEST_SHARE = 0.2
"""Share of the images that the service's automatic split takes."""

_MIN_LABEL_IMAGES = 10
"""Images of a label below which label-few-images reports it."""

_ROUNDING = 1e-9


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
        Good(labels=[{}, {**IN_TEST}]),
        Bad(
            labels=[{}],
            says="'cat' has 1 usable image, but the automatic split needs 2; add images of it or supply test data",
        ),
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
            + [{"line": n, **IN_TEST} for n in range(12)],
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
