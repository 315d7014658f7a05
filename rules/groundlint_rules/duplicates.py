"""DUP: images that occur more than once."""

from __future__ import annotations

from typing import Any

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import FACT, Bad, Cost, Good, Option, Rule, Safety, Severity, keep_line, remove_line
from groundlint_rules.tables.duplicate_groups import MAX_RELATED
from groundlint_rules.tables.duplicate_labels import MATCHED

_IMAGE = ("data_set", "split", "source_ref")

_LABELED_DIFFERENTLY = pl.when("agrees").then(lit("")).otherwise(lit(", labeled differently"))

_ONE: dict[str, Any] = {"source_ref": "s3://bucket/1.jpg", "path": "1.jpg", "digest": "1"}
_EQUAL: dict[str, Any] = {"source_ref": "s3://bucket/2.jpg", "path": "2.jpg", "digest": "1"}
_OTHER: dict[str, Any] = {"source_ref": "s3://bucket/2.jpg", "path": "2.jpg", "digest": "2"}
_NEAR: dict[str, Any] = {
    "a_source_ref": "s3://bucket/1.jpg",
    "b_source_ref": "s3://bucket/2.jpg",
    "distance": 2,
    "relation": "near",
    "is_crop": False,
    "manifest": "train.manifest",
    "line": 1,
    "b_manifest": "train.manifest",
    "b_line": 2,
}

_SIMILAR = _NEAR | {"distance": None, "relation": "similar", "similarity": 0.97}


class ExactDuplicate(Rule):
    """An image occurs twice: another image of the split has the same bytes or the same pixels.

    ## Why it matters
    The image counts twice in training. If an automatic split puts one of the two into the test set, the score is too
    high.

    ## How to fix it
    Remove the line if it has the labels and boxes of the image to keep. Otherwise the message says so: find out which
    are right. The finding is on all images of a group except the one to keep, the largest; `related` names the kept
    image first.

    ## Causes
    - Two files have the same bytes, or the same pixels in other bytes.
    - Two source-refs name the same local file. The message then says so: the names or the image folders are wrong, or
      one line is redundant.

    ## How reliable it is
    Equality is a fact. In raccoon it finds all 4 known pairs (recall 1.00), and in clothing, which has no duplicates,
    it flags nothing.
    """

    code = "DUP101"
    name = "exact-duplicate"
    severity = Severity.WARNING
    precision = FACT
    messages = {
        "same content": "exact duplicate of {original} (group of {size:# image}); remove this image",
        "same content, labeled differently": "exact duplicate of {original} (group of {size:# image}), but labeled "
        "differently; keep the one with the right labels",
        "same file": "the same file as {original}, under another name (group of {size:# image}); "
        "correct the name, or remove this image",
        "same file, labeled differently": "the same file as {original}, under another name (group of {size:# image}) "
        "and labeled differently; correct the name, or keep the one with the right labels",
    }
    fixes = {Safety.UNSAFE: "Removes an image with the same content and the same labels, and keeps the original."}
    examples = (
        Good(images=[_ONE, _OTHER]),
        Good(images=[_ONE, _OTHER], hash_pairs=[_NEAR]),
        Bad(
            images=[_ONE, _EQUAL],
            says="exact duplicate of s3://bucket/1.jpg (group of 2 images); remove this image",
        ),
        Bad(
            images=[_ONE, _EQUAL | {"path": "1.jpg"}],
            says="the same file as s3://bucket/1.jpg, under another name (group of 2 images); "
            "correct the name, or remove this image",
        ),
        Bad(
            images=[_ONE, _EQUAL],
            labels=[{}, {"line": 2, "label": "dog"}],
            says="exact duplicate of s3://bucket/1.jpg (group of 2 images), but labeled differently; "
            "keep the one with the right labels",
        ),
    )

    def check(self, duplicates: LazyFrame, images: LazyFrame, split_duplicates: LazyFrame) -> LazyFrame:
        """Images that are equal to another one, which is kept."""
        paths = images.select("data_set", "source_ref", "path")
        both = (
            duplicates.filter(col("relation") == "exact")
            .join(paths, on=["data_set", "source_ref"], how="left")
            .join(
                paths,
                left_on=["data_set", "original"],
                right_on=["data_set", "source_ref"],
                how="left",
                suffix="_original",
            )
        )
        is_one_file = (col("path") == col("path_original")).fill_null(False)
        kind = pl.when(is_one_file).then(lit("same file")).otherwise(lit("same content"))
        kept = split_duplicates.select(
            "data_set", "split", original="source_ref", original_manifest="manifest", original_line="line"
        )
        removed = pl.concat_list(remove_line(), keep_line(manifest=col("original_manifest"), line=col("original_line")))
        return (
            both.join(kept, on=["data_set", "split", "original"], how="left")
            .with_columns(kind=kind + _LABELED_DIFFERENTLY)
            .with_columns(edits=pl.when(col("kind") == "same content", "agrees").then(removed))
            .drop("original_manifest", "original_line")
        )


class NearDuplicate(Rule):
    """An image is a version of another image: re-encoded, resized, cropped, brightened, mirrored or rotated.

    ## Why it matters
    Like an exact duplicate, it counts twice, and it leaks into the test data when a random split separates the two.

    ## How to fix it
    Remove the line if it has the labels and boxes of the image to keep; of the frames of a burst, keep a few. Otherwise
    the message says so: find out which labels are right. Images of a fixed camera that show other objects are not
    reported: where their boxes or labels differ, their pixels do too.

    ## How reliable it is
    In clothing and raccoon it flags 8 of 1.5 million pairs of images, and all 8 were judged right by eye (precision
    1.00). Of 897 copies that were re-encoded, halved, brightened, cropped by up to 8% on each side, mirrored or rotated
    it finds 0.98 or more (recall; see below). It finds fewer copies that were cropped by different shares on each side,
    and few that were shifted: of the pairs in flowers12_aug, which are images shifted by a fifth, it finds 0.06.
    """

    code = "DUP102"
    name = "near-duplicate"
    severity = Severity.WARNING
    messages = {
        "version": "near-duplicate of {kept} (group of {size:# image}); remove this image",
        "version, labeled differently": "near-duplicate of {kept} (group of {size:# image}), but labeled differently; "
        "keep the one with the right labels",
    }
    examples = (
        Good(images=[_ONE, _OTHER]),
        Good(images=[_ONE, _EQUAL]),
        Bad(
            images=[_ONE, _OTHER],
            hash_pairs=[_NEAR],
            says="near-duplicate of s3://bucket/1.jpg (group of 2 images); remove this image",
        ),
        Bad(
            images=[_ONE, _OTHER],
            hash_pairs=[_NEAR],
            boxes=[{}, {"line": 2, "label": "dog"}],
            says="near-duplicate of s3://bucket/1.jpg (group of 2 images), but labeled differently; "
            "keep the one with the right labels",
        ),
    )

    def check(self, duplicates: LazyFrame) -> LazyFrame:
        """Images of a group, except the one to keep and exact duplicates, scored by the distance of their hashes."""
        near = duplicates.filter(col("relation") == "near")
        return near.with_columns(kind=lit("version") + _LABELED_DIFFERENTLY, score=1 - col("distance") / 64)


class DuplicateConflictingLabels(Rule):
    """Two duplicates of an image have different labels.

    ## Why it matters
    At least one of the labels is wrong or incomplete, and the model learns both.

    ## How to fix it
    Look at the image and keep the line with the right label.

    ## How reliable it is
    As reliable as the duplicates: see DUP101 and DUP102.
    """

    code = "DUP104"
    name = "duplicate-conflicting-labels"
    severity = Severity.WARNING
    message = "labeled {labels!r} but its duplicate {first} is labeled {labels_first!r}; keep the right label"
    examples = (
        Good(images=[_ONE, _EQUAL], labels=[{}, {"line": 2}]),
        Good(images=[_ONE, _OTHER], labels=[{}, {"line": 2, "label": "dog"}]),
        Bad(
            images=[_ONE, _EQUAL],
            labels=[{}, {"line": 2, "label": "dog"}],
            says="labeled 'dog' but its duplicate s3://bucket/1.jpg is labeled 'cat'; keep the right label",
        ),
    )

    def check(self, duplicates: LazyFrame, duplicate_labels: LazyFrame) -> LazyFrame:
        """Duplicates whose labels differ from those of the first labeled image of their group."""
        return duplicate_labels.filter(col("labels") != col("labels_first")).join(duplicates, on=_IMAGE)


class DuplicateConflictingBoxes(Rule):
    """Two duplicates of an image have different boxes.

    ## Why it matters
    At most one set of boxes is right. Usually two people drew them, and the model learns both.

    ## How to fix it
    Look at the image and keep the line with the better boxes.

    ## How reliable it is
    In raccoon all 4 known pairs of duplicates have different boxes, and it finds all 4 (recall 1.00). In one published
    set the boxes of copies are moved so little that they overlap by 0.947 or more; these are not flagged. Only
    duplicates of equal size and position are compared.
    """

    code = "DUP105"
    name = "duplicate-conflicting-boxes"
    severity = Severity.WARNING
    message = "{unmatched} of {count:# box} differ from those of its duplicate {first}"
    examples = (
        Good(images=[_ONE, _EQUAL], boxes=[{}, {"line": 2, "width": 98}]),
        Bad(images=[_ONE, _EQUAL], boxes=[{}, {"line": 2, "width": 98}], options={"iou": 0.99}),
        Good(images=[_ONE, _EQUAL], boxes=[{}, {"line": 2, "width": 80}], options={"iou": 0.8}),
        Bad(
            images=[_ONE, _EQUAL],
            boxes=[{}, {"line": 2, "width": 80}],
            says="2 of 2 boxes differ from those of its duplicate s3://bucket/1.jpg",
        ),
        Bad(images=[_ONE, _EQUAL], boxes=[{}, {"line": 2}, {"line": 2, "left": 300}]),
    )
    iou: float = Option(MATCHED, ge=0.5, le=1, description="Intersection over union from which two boxes match.")

    def check(self, duplicates: LazyFrame, duplicate_boxes: LazyFrame) -> LazyFrame:
        """Duplicates where a box of the image, or of the one it is compared with, has no match in the other image."""
        compared = duplicate_boxes.group_by(*_IMAGE, "first", "attribute").agg(
            count=pl.len(), unmatched=(col("overlap") < self.iou).sum()
        )
        return (
            compared.filter(col("unmatched") > 0)
            # The share of unmatched boxes, which more boxes make more certain.
            .with_columns(score=col("unmatched") / (col("count") + 1))
            .join(duplicates, on=_IMAGE)
        )


class SimilarImages(Rule):
    """Images show nearly the same: one is a part of the other, or they are neighboring frames of a film.

    ## Why it matters
    Images that are split at random leak in this way most often: the model is tested on what it has seen a moment
    before. Within a split they add little that is new.

    ## How to fix it
    Across splits, put the whole group into one. Within a split, keep some of the images, and do not divide them between
    splits.

    ## How reliable it is
    The ten nearest neighbors of each image by embedding are candidates, and the middle of one image must be found in
    the other. In clothing and imagenet_sample no pair of different images is flagged (of 1.2 million), and none at all
    in trashnet, wider_occ and animalpose. Of planted copies in the half that was not used for tuning it finds those
    cropped by 15% (recall 0.990 and 1.00), moved by 10% (0.995 and 1.00) and steps of 3% to 5% of a film (0.997 or
    more), but of those cropped by 30% only 0.709 and 0.907. The same object from another angle is not found.

    Images below 64 px need to correlate less. Of the 156 pairs of cifar10n (32 px) that look most alike, 35 were judged
    to show one view, 21 of them in half 1. This rule and those on duplicates find 13 of these and two other pairs, of
    ships on the sea (recall 0.62, precision 0.87). Of all 27 pairs that they find in cifar10n, 24 were judged right.

    Up to 100,000 images of a data set are compared with all others. Above that, an index finds the neighbors, of which
    those at a cosine of 0.65 or more are candidates. Among 250,000 made-up images it finds 0.986 of the candidates that
    exact search finds, and 0.998 of those at 0.80 or more, where crops by 15% and neighboring frames are.
    """

    code = "DUP107"
    name = "similar-images"
    cost = Cost.SLOW
    severity = Severity.INFO
    messages = {
        "within": "shows nearly the same as {kept} (group of {size:# image}), as a crop or neighboring frame does; "
        "keep some of them, and do not divide them between splits",
        "across": "shows nearly the same as the training image {kept}, as a crop or neighboring frame does; "
        "put both into one split",
    }
    examples = (
        Good(images=[_ONE, _OTHER]),
        Good(images=[_ONE, _OTHER], similar_pairs=[_SIMILAR], hash_pairs=[_NEAR]),
        Bad(
            images=[_ONE, _OTHER],
            similar_pairs=[_SIMILAR],
            says="shows nearly the same as s3://bucket/1.jpg (group of 2 images), as a crop or neighboring frame does; "
            "keep some of them, and do not divide them between splits",
        ),
        Bad(
            lines=[{}, {"line": 1, "source_ref": "s3://bucket/2.jpg", "manifest": "test.manifest", "split": "test"}],
            images=[_ONE, _OTHER],
            similar_pairs=[_SIMILAR | {"b_manifest": "test.manifest", "b_line": 1}],
            says="shows nearly the same as the training image s3://bucket/1.jpg, as a crop or neighboring frame does; "
            "put both into one split",
        ),
    )

    def check(self, similar_groups: LazyFrame) -> LazyFrame:
        """Images of a group except the one to keep in each split; test images of a group with training images."""
        group = ("data_set", "group")
        of_split = (*group, "split")
        members = similar_groups.sort("data_set", "split", "rank").with_columns(
            size=pl.len().over(of_split),
            position=pl.int_range(pl.len()).over(of_split),
            has_train=(col("split") == "train").any().over(group),
        )
        is_across = (col("split") == "test") & col("has_train")
        found = members.filter(~col("is_duplicate"), is_across | (col("position") > 0)).with_columns(
            shown_split=pl.when(is_across).then(lit("train", members.collect_schema()["split"])).otherwise("split")
        )
        return (
            found.drop("position")
            .join(_related(found, members), on=list(_IMAGE))
            .with_columns(
                kind=pl.when(is_across).then(lit("across")).otherwise(lit("within")),
                kept=col("related").list.first().struct.field("source_ref"),
                severity=pl.when(is_across).then(lit("warning")),
                score="similarity",
            )
        )


def _related(found: LazyFrame, members: LazyFrame) -> LazyFrame:
    """For each found image, the first images of its group in `shown_split`, without itself."""
    shown = members.filter(col("position") <= MAX_RELATED).select(
        "data_set", "group", "position", shown_split="split", place=pl.struct("manifest", "line", "source_ref")
    )
    return (
        found.select(*_IMAGE, "group", "shown_split")
        .join(shown, on=["data_set", "group", "shown_split"])
        .filter(col("place").struct.field("source_ref") != col("source_ref"))
        .sort("position")
        .group_by(_IMAGE, maintain_order=True)
        .agg(related=col("place").head(MAX_RELATED))
    )
