"""Images of one scene, as a fixed camera takes them, that show other objects: no duplicates, although most is equal."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint_rules.features.small_image import SIDE
from groundlint_rules.geometry import EDGES, iou, with_edges

_MATCHED = 0.6
"""Intersection over union from which two boxes of a label count as of the same object, which has moved by little in the
next frame of a film. Of other boxes, the pixels decide."""

_CHANGED = 4.0
"""Change of the pixels in a box, in multiples of the noise, from which it shows another object.

Of pasted objects with sides of 5%, 8% and 12% of the image, 0.95 are above 4.3, 7.1 and 11.0. Where nothing was pasted,
0.98 are below 2.8, after JPEG compression, scaling and changes of exposure, contrast and color."""

_CHANGED_ANYWHERE = 14.0
"""The same for the square of 3 x 3 px that changed most, where no box says where to look. Where nothing was pasted, it
reaches 12.4."""

_BATCH = 2048
"""Pairs whose images are decoded together."""

_IMAGE = ("data_set", "source_ref")

_SIDES = ("a_source_ref", "b_source_ref")

_PAIR = ("data_set", *_SIDES)


def without_other_objects(pairs: LazyFrame, images: LazyFrame, boxes: LazyFrame, labels: LazyFrame) -> LazyFrame:
    """Pairs of images, except those whose boxes or labels differ and whose pixels differ there too.

    Only pairs in the same position are judged, by their small images. Boxes below a 32nd of a side cannot be seen
    there: if both images of a near-duplicate have one without a counterpart and no other, an object has moved. In
    similar images, which may be parts of one view, the boxes have moved with it.

    Args:
        pairs: With `a_source_ref`, `b_source_ref`, `relation` and `is_crop`.
        images: With `small_image`.
        boxes: The boxes of the images.
        labels: The labels of the images.
    """
    same_position = col("relation").is_in(["near", "similar"]) & ~col("is_crop")
    judged = pairs.filter(same_position).select(*_PAIR, is_near=col("relation") == "near").collect()
    lone, relabeled = _lone_boxes(judged, boxes, images), _relabeled(judged, labels)
    chosen = judged.join(pl.concat([lone.select(_PAIR), relabeled]), on=_PAIR, how="semi").sort(_PAIR)
    different = pl.concat([judged.clear().select(_PAIR), *_different(chosen, lone, relabeled, images)])
    return pairs.join(different.lazy(), on=_PAIR, how="anti")


def _lone_boxes(pairs: DataFrame, boxes: LazyFrame, images: LazyFrame) -> DataFrame:
    """Boxes of either image of a pair without a box of the same label in the same place in the other.

    The edges are shares of the sides of the image.
    """
    sizes = images.select(*_IMAGE, image_width="width", image_height="height")
    placed = (
        with_edges(boxes.join(_images_of(pairs), on=_IMAGE, how="semi"))
        .join(sizes, on=_IMAGE)
        .select(
            *(*_IMAGE, "label"),
            *(col(edge) / col(side) for edge, side in zip(EDGES, ("image_width", "image_height") * 2, strict=True)),
        )
        .drop_nulls(EDGES)
        .collect()
        .with_row_index("row")
    )
    of_pairs = [
        pairs.select(*_PAIR, source_ref=one, other=two).join(placed, on=_IMAGE) for one, two in (_SIDES, _SIDES[::-1])
    ]
    own = pl.concat(of_pairs)
    theirs = placed.rename({"source_ref": "other"}).drop("row")
    matched = own.join(theirs, on=["data_set", "other", "label"], suffix="_other", nulls_equal=True).filter(
        iou() >= _MATCHED
    )
    return own.join(matched, on=[*_PAIR, "row"], how="anti")


def _relabeled(pairs: DataFrame, labels: LazyFrame) -> DataFrame:
    """Pairs of images that have other labels in an attribute of both."""
    named = (
        labels.join(_images_of(pairs), on=_IMAGE, how="semi")
        .group_by(*_IMAGE, "attribute")
        .agg(labels=col("label").unique().sort())
        .collect()
    )
    one, other = (named.rename({"source_ref": side}) for side in _SIDES)
    both = pairs.join(one, on=_PAIR[:2]).join(other, on=["data_set", "b_source_ref", "attribute"], suffix="_other")
    return both.filter(col("labels") != col("labels_other")).select(_PAIR).unique()


def _images_of(pairs: DataFrame) -> LazyFrame:
    return pl.concat([pairs.select("data_set", source_ref=side) for side in _SIDES]).unique().lazy()


def _different(pairs: DataFrame, lone: DataFrame, relabeled: DataFrame, images: LazyFrame) -> Iterator[DataFrame]:
    """Those pairs whose pixels differ where their boxes do, or somewhere if their labels do."""
    import numpy as np

    from groundlint_rules.algorithms.scene_change import change, change_within, most_change
    from groundlint_rules.algorithms.stacked import stacked

    small = images.join(_images_of(pairs), on=_IMAGE, how="semi").select(*_IMAGE, "small_image").collect()
    for part in pairs.iter_slices(_BATCH):
        numbered = part.with_row_index("pair")
        one, other = (
            stacked(
                numbered.join(small, left_on=["data_set", side], right_on=_IMAGE, maintain_order="left")["small_image"],
                SIDE * SIDE,
                np.uint8,
            ).reshape(-1, SIDE, SIDE)
            for side in _SIDES
        )
        changes = change(one, other)
        of_part = lone.join(numbered, on=_PAIR)
        # Pixels count whose middle is in the box.
        edges = np.clip(np.ceil(of_part.select(EDGES).to_numpy() * SIDE - 0.5), 0, SIDE).astype(np.intp)
        within = change_within(changes, of_part["pair"].to_numpy().astype(np.intp), edges)
        by_pair = (
            of_part.with_columns(change=pl.Series(within).fill_nan(None))
            .group_by("pair")
            .agg(
                is_changed=(col("change") >= _CHANGED).any(),
                is_moved=col("is_near").any() & col("change").is_null().all() & (col("source_ref").n_unique() == 2),
            )
        )
        anywhere = numbered.with_columns(change=pl.Series(most_change(changes))).join(relabeled, on=_PAIR, how="semi")
        found = pl.concat(
            [
                by_pair.filter(col("is_changed") | col("is_moved"))["pair"],
                anywhere.filter(col("change") >= _CHANGED_ANYWHERE)["pair"],
            ]
        )
        yield numbered.filter(col("pair").is_in(found.implode())).select(_PAIR)
