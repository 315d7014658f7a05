"""DUP: images that are there more than once."""

from __future__ import annotations

from typing import Any

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.geometry import EDGES, iou, with_edges

_IMAGE = ("split", "source_ref")

_ONE: dict[str, Any] = {"source_ref": "s3://bucket/1.jpg", "digest": "1"}
_TWO: dict[str, Any] = {"source_ref": "s3://bucket/2.jpg", "digest": "2"}
_PAIR: dict[str, Any] = {
    "a_source_ref": "s3://bucket/1.jpg",
    "b_source_ref": "s3://bucket/2.jpg",
    "distance": 0,
    "manifest": "train.manifest",
    "line": 1,
    "b_manifest": "train.manifest",
    "b_line": 2,
}
_EXACT = _PAIR | {"relation": "exact"}
_NEAR = _PAIR | {"relation": "near"}


class ExactDuplicate(Rule):
    """The image is there twice: another file has the same bytes or the same pixels.

    ## Why is this bad?
    It counts twice in training. Where the automatic split puts one copy into the test set, the score is too good. The
    finding stands on all copies but the biggest, and names the whole group.

    ## How to mend it
    Remove the line.

    ## How far it can be trusted
    Equal is equal. In raccoon it finds the four pairs that are known, and none in clothing, which has none.
    """

    code = "DUP101"
    name = "exact-duplicate"
    severity = Severity.WARNING
    message = "the image is the same as {like}"
    examples = (
        Good(images=[_ONE, _TWO], near_pairs=[_NEAR]),
        Bad(images=[_ONE, _TWO], near_pairs=[_EXACT], says="the image is the same as s3://bucket/1.jpg"),
    )

    def check(self, duplicates: LazyFrame, images: LazyFrame) -> LazyFrame:
        """All copies but the one to keep; one file under two names is a fault of its own."""
        paths = images.select("source_ref", "path")
        both = (
            duplicates.filter(col("relation") == "exact")
            .join(paths, on="source_ref")
            .join(paths, left_on="like", right_on="source_ref", suffix="_like")
        )
        return both.filter(col("path") != col("path_like")).with_columns(related="others", score=lit(1.0))


class NearDuplicate(Rule):
    """The image is another one's photograph: re-encoded, resized, cut a little, brightened, mirrored or turned.

    ## Why is this bad?
    As an exact copy it counts twice, and it leaks where a random split parts the two.

    ## How to mend it
    Remove the line; frames of a burst are best thinned out.

    ## How far it can be trusted
    Of the 1.5 million pairs of photographs in clothing and raccoon it calls eight the same, and each is, by eye. Copies
    that were re-encoded, halved, brightened, cut by 2 % on each side, mirrored or turned it finds as measured below.
    What it cannot see: a cut of 4 % and more on a side, a shift. Of flowers12_aug, photographs shifted by a fifth, it
    finds .04 of the pairs.
    """

    code = "DUP102"
    name = "near-duplicate"
    severity = Severity.WARNING
    message = "the image is nearly the same as {kept}"
    examples = (
        Good(images=[_ONE, _TWO], near_pairs=[_EXACT]),
        Bad(images=[_ONE, _TWO], near_pairs=[_NEAR], says="the image is nearly the same as s3://bucket/1.jpg"),
    )

    def check(self, duplicates: LazyFrame) -> LazyFrame:
        """All of a group but the one to keep and exact copies."""
        return duplicates.filter(col("relation") == "near").with_columns(related="others")


class ImageUnderTwoNames(Rule):
    """Two source-refs lead to one file.

    ## Why is this bad?
    The image counts twice, and looks like two.

    ## How to mend it
    Remove one of the lines.
    """

    code = "DUP103"
    name = "image-under-two-names"
    severity = Severity.WARNING
    message = "the file {path} is named {like} too"
    examples = (
        Good(images=[_ONE | {"path": "1.jpg"}, _TWO | {"path": "2.jpg"}], near_pairs=[_EXACT]),
        Bad(
            images=[_ONE | {"path": "1.jpg"}, _TWO | {"path": "1.jpg"}],
            near_pairs=[_EXACT],
            says="the file 1.jpg is named s3://bucket/1.jpg too",
        ),
    )

    def check(self, duplicates: LazyFrame, images: LazyFrame) -> LazyFrame:
        """Images of one path."""
        paths = images.select("source_ref", "path")
        both = duplicates.join(paths, on="source_ref").join(
            paths, left_on="like", right_on="source_ref", suffix="_like"
        )
        return both.filter(col("path") == col("path_like")).with_columns(related="others")


class DuplicateConflictingLabels(Rule):
    """Two copies of an image have different labels.

    ## Why is this bad?
    One of them is wrong, and the model is taught both.

    ## How to mend it
    Look at the image, keep the copy with the right label.

    ## How far it can be trusted
    As far as the copies are copies: see DUP101 and DUP102.
    """

    code = "DUP104"
    name = "duplicate-conflicting-labels"
    severity = Severity.WARNING
    message = "the image is labelled {label!r} and its copy {first} {label_first!r}"
    examples = (
        Good(images=[_ONE, _TWO], near_pairs=[_EXACT], labels=[{}, {"line": 2}]),
        Bad(
            images=[_ONE, _TWO],
            near_pairs=[_EXACT],
            labels=[{}, {"line": 2, "label": "dog"}],
            says="the image is labelled 'dog' and its copy s3://bucket/1.jpg 'cat'",
        ),
    )

    def check(self, duplicates: LazyFrame, split_copies: LazyFrame, labels: LazyFrame) -> LazyFrame:
        """Copies whose labels differ from those of the first of the group that has some."""
        named = labels.select(col("split").cast(pl.String), "source_ref", "attribute", "label")
        labelled = split_copies.join(named, on=_IMAGE)
        first = labelled.sort("rank").group_by("split", "kept").agg(first=col("source_ref").first())
        pairs = duplicates.select(*_IMAGE, "kept").join(first, on=["split", "kept"]).drop("kept")
        both = _on_both(pairs.filter(col("source_ref") != col("first")), named)
        own, theirs = (
            rows.group_by(*_IMAGE, "first", "attribute").agg(label=col("label").unique().sort().str.join(", "))
            for rows in both
        )
        compared = own.join(theirs, on=[*_IMAGE, "first", "attribute"], suffix="_first", nulls_equal=True)
        differing = compared.filter(col("label") != col("label_first"))
        return differing.join(duplicates, on=_IMAGE).with_columns(related="others")


class DuplicateConflictingBoxes(Rule):
    """Two copies of an image are boxed differently.

    ## Why is this bad?
    At most one is right; usually two people drew them, and the model is taught both.

    ## How to mend it
    Look at the image, keep the copy with the better boxes.

    ## How far it can be trusted
    In raccoon all four known pairs of copies are boxed differently, and it finds the four. One published set moves
    boxes by so little that they overlap by .947 and more; that is let pass. Only copies of equal size are compared.
    """

    code = "DUP105"
    name = "duplicate-conflicting-boxes"
    severity = Severity.WARNING
    message = "{alone} of the {count} boxes of the image and its copy {first} have no counterpart"
    examples = (
        Good(images=[_ONE, _TWO], near_pairs=[_EXACT], boxes=[{}, {"line": 2, "width": 98}]),
        Bad(
            images=[_ONE, _TWO],
            near_pairs=[_EXACT],
            boxes=[{}, {"line": 2, "width": 80}],
            says="2 of the 2 boxes of the image and its copy s3://bucket/1.jpg have no counterpart",
        ),
        Bad(images=[_ONE, _TWO], near_pairs=[_EXACT], boxes=[{}, {"line": 2}, {"line": 2, "left": 300}]),
    )
    iou: float = Option(0.945, ge=0.5, le=1, description="Intersection over union from which boxes are counterparts.")

    def check(self, duplicates: LazyFrame, split_copies: LazyFrame, boxes: LazyFrame, images: LazyFrame) -> LazyFrame:
        """Copies of one size and position whose boxes do not match those of the first of them."""
        size = images.select("source_ref", "width", "height")
        pairs = (
            split_copies.select(*_IMAGE, first="kept_frame")
            .filter(col("source_ref") != col("first"))
            .join(size, on="source_ref")
            .join(size, left_on="first", right_on="source_ref", suffix="_first")
            .filter(col("width") == col("width_first"), col("height") == col("height_first"))
            .select(*_IMAGE, "first")
        )
        edges = with_edges(boxes).select(col("split").cast(pl.String), "source_ref", "attribute", "label", *EDGES)
        own, theirs = (rows.with_row_index("at") for rows in _on_both(pairs, edges))
        place = [*_IMAGE, "first", "attribute"]
        matched = (
            own.join(theirs, on=[*place, "label"], suffix="_other", nulls_equal=True)
            .filter(iou() >= self.iou)
            .group_by(place)
            .agg(matched=col("at").n_unique() + col("at_other").n_unique())
        )
        counts = pl.concat([own.select(place), theirs.select(place)]).group_by(place).agg(count=pl.len())
        alone = col("count") - col("matched").fill_null(0)
        return (
            counts.join(matched, on=place, how="left", nulls_equal=True)
            .with_columns(alone=alone)
            .filter(col("alone") > 0)
            .join(duplicates, on=_IMAGE)
            .with_columns(related="others")
        )


class LabelOfDuplicates(Rule):
    """Much of a label's images are copies of others.

    ## Why is this bad?
    There are fewer images of the label than it seems.

    ## How to mend it
    Remove the copies and add images that differ.

    ## How far it can be trusted
    Advice: the share is as exact as DUP101 and DUP102.
    """

    code = "DUP106"
    name = "label-of-duplicates"
    severity = Severity.INFO
    message = "{copies} of the {images} images of {label!r} are copies of others"
    examples = (
        Good(images=[_ONE, _TWO], near_pairs=[_EXACT], labels=[{}, {"line": 2}]),
        Bad(
            images=[_ONE, _TWO],
            near_pairs=[_EXACT],
            labels=[{}, {"line": 2}],
            options={"min_images": 2},
            says="1 of the 2 images of 'cat' are copies of others",
        ),
    )
    share: float = Option(0.3, gt=0, le=1, description="Share of copies from which a label is named.")
    min_images: int = Option(20, ge=2, description="Images that a label needs.")

    def check(self, duplicates: LazyFrame, labels: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Labels of many copies."""
        named = pl.concat([rows.select("source_ref", "label") for rows in (labels, boxes)]).unique().drop_nulls()
        is_copy = duplicates.select("source_ref", is_copy=lit(True)).unique()
        counts = (
            named.join(is_copy, on="source_ref", how="left")
            .group_by("label")
            .agg(images=pl.len(), copies=col("is_copy").sum())
        )
        return counts.filter(col("images") >= self.min_images, col("copies") >= self.share * col("images"))


def _on_both(pairs: LazyFrame, rows: LazyFrame) -> tuple[LazyFrame, LazyFrame]:
    """The rows of an image and those of the `first` of its like, each with the names of both.

    Where the two have attributes in common, only those are compared; else all, under none: one labeling job names its
    attribute otherwise than the next.
    """
    own = pairs.join(rows, on=_IMAGE)
    theirs = pairs.join(rows, left_on=["split", "first"], right_on=_IMAGE)
    shared = own.join(theirs, on=[*_IMAGE, "attribute"], how="semi").select(*_IMAGE, "attribute").unique()

    def compared(side: LazyFrame) -> LazyFrame:
        of_shared = side.join(shared, on=[*_IMAGE, "attribute"], how="semi")
        of_none = side.join(shared, on=_IMAGE, how="anti").with_columns(attribute=lit(None, pl.String))
        return pl.concat([of_shared, of_none])

    return compared(own), compared(theirs)
