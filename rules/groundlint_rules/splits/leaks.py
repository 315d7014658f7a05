"""SPL: test images that are training images, their duplicates or the next frames of a film."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Rule, Safety, Severity, keep_line, remove_line
from groundlint_rules.samples import IN_TEST

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

_TESTED = ["data_set", "manifest", "line"]

_PLACE = pl.struct("manifest", "line", "source_ref")


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
    exact-duplicate and near-duplicate: of 2,638 copies of training images that were planted in the test data of random
    splits of seven sets, 2,632 are reported, and all other test images reported show the same as a training image
    (benchmarks/copied_images.py). In images of 32 px, most copies at half the size or of JPEG quality 30 are missed.
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
    fixes = {Safety.UNSAFE: "Removes the training image, and keeps the test image."}
    examples = (
        Good(lines=[{}, {"line": 2, "source_ref": "s3://bucket/2.jpg", **IN_TEST}]),
        Bad(
            lines=[{}, {"line": 2, "source_ref": "s3://bucket/1.jpg", **IN_TEST}],
            says="this image is also in the training data (line 1 of train.manifest); remove it from one of the splits",
        ),
        Good(
            images=[{"source_ref": "s3://bucket/1.jpg"}, {"source_ref": "s3://bucket/2.jpg"}],
            hash_pairs=[_LEAK | {"b_manifest": "train.manifest", "b_line": 2}],
        ),
        Bad(
            lines=[{}, {"line": 1, "source_ref": "s3://bucket/2.jpg", **IN_TEST}],
            images=[{"source_ref": "s3://bucket/1.jpg"}, {"source_ref": "s3://bucket/2.jpg"}],
            hash_pairs=[_LEAK],
            says="near-duplicate of the training image s3://bucket/1.jpg; remove one of the two",
        ),
        Bad(
            lines=[{}, {"line": 1, "source_ref": "s3://bucket/2.jpg", **IN_TEST}],
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
        of_train = lines.filter(col("split") == "train", col("source_ref").is_not_null())
        copies = leaks.select(*_TESTED, original=col("trained").struct.field("source_ref"))
        removed = (
            of_train.select("data_set", original="source_ref", trained_manifest="manifest", trained_line="line")
            .join(copies, on=["data_set", "original"])
            .unique()
            .sort("trained_manifest", "trained_line")
            .with_columns(edit=remove_line(manifest=col("trained_manifest"), line=col("trained_line")))
            .group_by(_TESTED, maintain_order=True)
            .agg("edit", kept=keep_line(manifest=col("manifest").first(), line=col("line").first()))
            .select(*_TESTED, edits=pl.concat_list("edit", pl.concat_list("kept")))
        )
        leaks = leaks.join(removed, on=_TESTED, how="left")
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
            lines=[{"source_ref": f"s3://bucket/frame_{n:04}.jpg"} | (IN_TEST if n % 5 == 0 else {}) for n in range(9)]
        ),
        Good(lines=[{"source_ref": f"s3://bucket/frame_{n:04}.jpg"} | (IN_TEST if n > 39 else {}) for n in range(50)]),
        Good(lines=[{"source_ref": f"s3://bucket/{n}.jpg"} | (IN_TEST if n % 5 == 0 else {}) for n in range(50)]),
        Bad(
            lines=[
                {"source_ref": f"s3://bucket/frame_{n:04}.jpg"} | (IN_TEST if n % 5 == 0 else {}) for n in range(50)
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
