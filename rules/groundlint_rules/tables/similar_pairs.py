"""Similar images: pairs of which one is a part of the other or a frame of the same film, and their groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint import table
from groundlint_rules.features.embeddings import NUMBERS
from groundlint_rules.features.small_image import MEDIUM_SIDE
from groundlint_rules.tables.duplicate_groups import first_rows
from groundlint_rules.tables.near_pairs import keeping_order, named
from groundlint_rules.tables.scene_changes import without_other_objects
from groundlint_rules.wide_columns import in_parts, wide_column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from groundlint_rules.algorithms.image_overlap import Search

    Decoded = Callable[[NDArray[np.intp]], NDArray[np.uint8]]
    """The images of 64 px at some positions of the rows, (n, 64, 64)."""

_NEIGHBORS = 10
"""Nearest neighbors of each image that are candidates.

A crop is among the ten nearest of 1,546 images of clothing, where different garments look alike, in 0.99 (15%) and 0.94
(30%) of the cases."""

_MIN_COSINE = 0.35
"""Cosine of embeddings, less their mean, of a candidate."""

_MIN_COSINE_OF_MANY = 0.65
"""The same where the index searches. It halves the candidates and loses a twentieth of the crops by 30% in clothing,
which are the least alike; crops by 15% and neighboring frames are at 0.80 or more among images of all public sets."""

_FEW = 50
"""Images up to which the cosine does not matter: the mean of few images is too much like each of them."""

_SAMPLE = 50_000
"""Images of which the principal components are computed."""

_BATCH = 2048
"""Images that are reduced together, and pairs that are compared together."""

_MOST_DECODED = 200_000
"""Pairs whose images are held at 64 px, at most 1.6 GB."""

_IMAGE = ("data_set", "source_ref")

_PAIRS = pl.Schema({"a": pl.UInt32(), "b": pl.UInt32(), "similarity": pl.Float64()})


@table(features=("image_embedding", "medium_image", "small_image"))
def similar_pairs(
    images: LazyFrame, duplicate_groups: LazyFrame, lines: LazyFrame, boxes: LazyFrame, labels: LazyFrame
) -> LazyFrame:
    """Two images of a data set that show nearly the same, although neither is a version of the other.

    `similarity` is the correlation with which the middle of one is found in the other: 0.94 to 1, or 0.80 to 1 where
    one is smaller than 64 px. Of duplicates, only the first of a group is compared. Images are compared with their ten
    nearest neighbors, which among more than 100,000 images are found by an index. Images of one scene that show other
    objects are not paired.
    """
    copies = duplicate_groups.filter(col("group") != col("source_ref"))
    compared = images.select(*_IMAGE, side=pl.min_horizontal("width", "height")).join(copies, on=_IMAGE, how="anti")
    embeddings = wide_column(images, "image_embedding", NUMBERS, among=compared)
    squares, coarse = _coarse(images)
    rows = (
        embeddings.rows.join(squares, on=_IMAGE)
        .join(compared.collect(), on=_IMAGE)
        # Sorted, so that rounding does not depend on the order of lines.
        .sort(_IMAGE)
        .with_row_index("row")
    )
    found = [DataFrame(schema=_PAIRS)]
    for of_data_set in rows.partition_by("data_set", maintain_order=True):
        vectors = _reduced(embeddings.values, of_data_set["place"].to_numpy())
        found += _similar(of_data_set, vectors, coarse, images)
    similar = pl.concat(found).with_columns(
        distance=lit(None, pl.Int32), relation=lit("similar"), is_crop=lit(value=False)
    )
    pairs = named(similar, rows.select("row", *_IMAGE), lines, "similarity")
    return without_other_objects(pairs, images, boxes, labels)


@table()
def similar_groups(
    similar_pairs: LazyFrame, duplicate_groups: LazyFrame, images: LazyFrame, lines: LazyFrame
) -> LazyFrame:
    """One image, in one split, of a group of similar images and their duplicates; connected pairs form a group.

    `group` names the first image, `rank` is the order in which images are kept, best first, and `similarity` that of
    the most similar pair. `is_duplicate` where another rule reports the image: as a duplicate of a better one in its
    split, or as a test image that is a duplicate of a training image.
    """
    pairs = similar_pairs.select("data_set", "a_source_ref", "b_source_ref", "similarity").collect()
    ends = [pairs.select("data_set", "similarity", source_ref=side) for side in ("a_source_ref", "b_source_ref")]
    # Rounded, because the last digits depend on how a machine adds up.
    paired = pl.concat(ends).group_by(_IMAGE).agg(col("similarity").max().round(6))
    paired = paired.sort(_IMAGE).with_row_index("row")
    numbers = paired.select("row", *_IMAGE)
    numbered = pairs.join(numbers, left_on=["data_set", "a_source_ref"], right_on=_IMAGE).join(
        numbers, left_on=["data_set", "b_source_ref"], right_on=_IMAGE, suffix="_b"
    )
    firsts = first_rows(paired.height, numbered.select("row", "row_b").iter_rows())
    grouped = paired.select(*_IMAGE, "similarity", similar=paired["source_ref"].gather(firsts)).lazy()
    duplicates = duplicate_groups.select(*_IMAGE, copied="group")
    of_copies = duplicates.join(grouped, left_on=["data_set", "copied"], right_on=_IMAGE)
    of_others = grouped.join(duplicates, on=_IMAGE, how="anti").with_columns(copied="source_ref")
    members = pl.concat([of_copies, of_others.select(of_copies.collect_schema().names())])
    first = (
        lines.join(members, on=_IMAGE, how="semi")
        .sort("manifest", "line")
        .unique(["data_set", "split", "source_ref"], keep="first")
        .select("data_set", "split", "manifest", "line", "source_ref")
    )
    area = col("width").cast(pl.Int64) * col("height")
    sizes = images.select(*_IMAGE, "bytes", area=area)
    is_trained = (col("split") == "train").any().over("data_set", "copied")
    position = pl.int_range(pl.len()).over("data_set", "split", "copied")
    return (
        first.join(members, on=_IMAGE)
        .join(sizes, on=_IMAGE)
        .sort("data_set", *keeping_order(col("area")), "split", nulls_last=True)
        .with_columns(
            rank=pl.int_range(pl.len()).over("data_set"),
            is_duplicate=(position > 0) | ((col("split") == "test") & is_trained),
        )
        .select(
            *("data_set", "split", "manifest", "line", "source_ref", "rank", "similarity", "is_duplicate"),
            group="similar",
        )
    )


def _similar(
    rows: DataFrame, vectors: NDArray[np.float32], coarse: NDArray[np.uint8], images: LazyFrame
) -> Iterator[DataFrame]:
    """Similar pairs of the images of a data set, whose embeddings are `vectors`; `square` is the row in `coarse`."""
    import numpy as np

    from groundlint_rules.algorithms.image_overlap import (
        COARSE_SEARCH,
        MIDDLE_SEARCH,
        SEARCH,
        SMALL_SEARCH,
        SMALL_SIDE,
        shrunk,
    )
    from groundlint_rules.algorithms.nearest_neighbors import nearest

    near = nearest(vectors, _NEIGHBORS, _min_cosine(len(rows)))
    squares = rows["square"].to_numpy()
    left = _overlapping(near, lambda positions: coarse[squares[positions]], COARSE_SEARCH)
    candidates = np.concatenate([pair for pair, _ in left])
    is_small = (rows["side"] < SMALL_SIDE).fill_null(False).to_numpy()
    for start in range(0, len(candidates), _MOST_DECODED):
        decoded = _decoded(rows, candidates[start : start + _MOST_DECODED], images)

        def middle(positions: NDArray[np.intp], decoded: Decoded = decoded) -> NDArray[np.uint8]:
            return shrunk(decoded(positions), MIDDLE_SEARCH.side)

        left = _overlapping(candidates[start : start + _MOST_DECODED], middle, MIDDLE_SEARCH)
        chosen = np.concatenate([pair for pair, _ in left])
        with_small = is_small[chosen].any(axis=1)
        for search, those in ((SEARCH, chosen[~with_small]), (SMALL_SEARCH, chosen[with_small])):
            for pair, similarity in _overlapping(those, decoded, search):
                a, b = (rows["row"].gather(side) for side in pair.T)
                yield DataFrame({"a": a, "b": b, "similarity": similarity.astype(np.float64)}, schema=_PAIRS)


def _min_cosine(count: int) -> float:
    from groundlint_rules.algorithms.nearest_neighbors import MAX_EXACT

    if count <= _FEW:
        return -1.0
    return _MIN_COSINE if count <= MAX_EXACT else _MIN_COSINE_OF_MANY


def _reduced(roots: NDArray[np.uint8], places: NDArray[np.integer]) -> NDArray[np.float32]:
    """Some rows of embeddings on their principal components."""
    import numpy as np

    from groundlint_rules.algorithms.nearest_neighbors import reduction

    sampled = np.unique(np.linspace(0, len(places) - 1, min(len(places), _SAMPLE)).astype(np.intp))
    reduced = reduction(roots[places[sampled]])
    result = np.empty((len(places), reduced.axes.shape[1]), np.float32)
    for start in range(0, len(places), _BATCH):
        result[start : start + _BATCH] = reduced(roots[places[start : start + _BATCH]])
    return result


def _coarse(images: LazyFrame) -> tuple[DataFrame, NDArray[np.uint8]]:
    """Images with the row of their `square`, and the squares, of 16 px."""
    import numpy as np

    from groundlint_rules.algorithms.image_overlap import COARSE_SEARCH, shrunk

    keys: list[DataFrame] = [DataFrame(schema={"data_set": pl.Int32, "source_ref": pl.String})]
    squares = [np.empty((0, COARSE_SEARCH.side, COARSE_SEARCH.side), np.uint8)]
    for part, values in in_parts(images, "medium_image", MEDIUM_SIDE**2):
        keys.append(part)
        squares.append(shrunk(_squares(values), COARSE_SEARCH.side))
    return pl.concat(keys).with_row_index("square"), np.concatenate(squares)


def _decoded(rows: DataFrame, pairs: NDArray[np.intp], images: LazyFrame) -> Decoded:
    """Read the images at the positions in pairs, at 64 px."""
    import numpy as np

    positions = np.unique(pairs)
    chosen = rows[positions].select(_IMAGE)
    medium = wide_column(images, "medium_image", MEDIUM_SIDE**2, among=chosen.lazy())
    places = np.zeros(len(rows), np.intp)
    places[positions] = chosen.join(medium.rows, on=_IMAGE, maintain_order="left")["place"].to_numpy()
    return lambda wanted: _squares(medium.values[places[wanted]])


def _squares(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return values.reshape(-1, MEDIUM_SIDE, MEDIUM_SIDE)


def _overlapping(
    pairs: NDArray[np.intp], images: Callable[[NDArray[np.intp]], NDArray[np.uint8]], search: Search
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """The pairs of positions whose images overlap, (n, 2), and how well; at least one part, which may be empty."""
    from groundlint_rules.algorithms.image_overlap import overlap

    def compared(start: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        pair = pairs[start : start + _BATCH]
        similarity = overlap(images(pair[:, 0]), images(pair[:, 1]), search)
        found = similarity >= search.min_overlap
        return pair[found], similarity[found]

    # Nearly all of the time is spent in numpy, which other threads need not wait for.
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        yield from pool.map(compared, range(0, max(len(pairs), 1), _BATCH))
