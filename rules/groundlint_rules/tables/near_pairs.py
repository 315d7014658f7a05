"""Pairs of duplicates: images with equal bytes, equal pixels, or close perceptual hashes that were verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
from polars import DataFrame, Expr, LazyFrame, col, lit

from groundlint import table
from groundlint_rules.features.small_image import SIDE
from groundlint_rules.tables.scene_changes import without_other_objects
from groundlint_rules.wide_columns import wide_column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    _Pair = tuple[int, int, int, str, bool]
    Gray = NDArray[np.uint8]
    Positions = NDArray[np.intp]
    Hashes = NDArray[np.uint64]

RADIUS = 10
"""Maximum distance of the hashes of two versions of an image. All hashes have 32 bits set, so distances are even."""

CROP_RADIUS = 6
"""Maximum distance of the hashes of a crop and of its original cropped likewise."""

_BATCH = 2048
"""Images that are compared together."""

_PIXELS = ("width", "height", "pixel_digest")

_IMAGE = ("data_set", "source_ref")

_PAIRS = pl.Schema(
    {"a": pl.UInt32(), "b": pl.UInt32(), "distance": pl.Int32(), "relation": pl.String(), "is_crop": pl.Boolean()}
)
"""Rows of two images, the distance of their hashes, and how one differs from the other."""

_COLUMNS = (
    *("data_set", "a_source_ref", "b_source_ref", "distance", "relation", "is_crop"),
    *("manifest", "line", "b_manifest", "b_line"),
)


@table(features=("small_image", "pixel_digest"))
def hash_pairs(images: LazyFrame, lines: LazyFrame, boxes: LazyFrame, labels: LazyFrame) -> LazyFrame:
    """Two images of a data set that are duplicates or near-duplicates.

    `relation` is exact, near, mirrored or rotated, and `distance` counts the bits in which their hashes differ: at most
    10, or more if `is_crop`, where one was cut off on all sides of the other. `a_source_ref` < `b_source_ref`;
    `manifest` and `line` are the first that name a, `b_manifest` and `b_line` those of b. Images of equal bytes, pixels
    or hash are each paired with the one to keep, the largest; all other pairs are between kept images, each once.
    Images of one scene that show other objects are not paired.
    """
    area = col("width").cast(pl.Int64) * col("height")
    is_readable = col("digest").is_not_null() & col("fault").is_null()
    rows = (
        images.filter(is_readable)
        .sort("data_set", *keeping_order(area), nulls_last=True)
        .select(*_IMAGE, "digest", *_PIXELS)
        .collect()
        .with_row_index("row")
    )
    equal_bytes, kept = _equal(rows, ["digest"])
    small = wide_column(images, "small_image", SIDE * SIDE, among=kept.lazy())
    equal_pixels, kept = _equal(kept.join(small.rows, on=_IMAGE, maintain_order="left"), list(_PIXELS))
    similar = DataFrame(list(_of_each_data_set(kept, small.values)), schema=_PAIRS, orient="row")
    pairs = named(pl.concat([equal_bytes, equal_pixels, similar]), rows.select("row", *_IMAGE), lines)
    return without_other_objects(pairs, images, boxes, labels)


@table()
def near_pairs(hash_pairs: LazyFrame, similar_pairs: LazyFrame) -> LazyFrame:
    """Two images of a data set that are duplicates, near-duplicates or similar.

    `relation` is exact, near, mirrored, rotated or similar, and `distance` counts the bits in which their hashes
    differ; it is null for similar images, one of which is a part of the other or a frame of the same film. The pairs
    are those of `hash_pairs` and of `similar_pairs`.
    """
    columns = [name for name in _COLUMNS if name != "relation"]
    similar = similar_pairs.select(*columns, relation=lit("similar")).select(_COLUMNS)
    return pl.concat([hash_pairs, similar]).sort("data_set", "a_source_ref", "b_source_ref")


def keeping_order(area: Expr) -> tuple[Expr, ...]:
    """Sort keys by which the image to keep comes first: largest area, then most bytes, whatever the order of lines."""
    return -area, -col("bytes"), col("source_ref")


def _equal(rows: DataFrame, columns: list[str]) -> tuple[DataFrame, DataFrame]:
    """A star for each group of rows of a data set that are equal in some columns, and the rows that are kept."""
    is_known = pl.all_horizontal(col(name).is_not_null() for name in columns)
    first = pl.when(is_known).then(col("row").first().over("data_set", *columns)).otherwise("row")
    with_kept = rows.with_columns(kept=first)
    pairs = with_kept.filter(col("row") != col("kept")).select(
        a="kept", b="row", distance=pl.lit(0, pl.Int32), relation=pl.lit("exact"), is_crop=pl.lit(False)
    )
    return pairs, with_kept.filter(col("row") == col("kept")).drop("kept")


def named(pairs: DataFrame, names: DataFrame, lines: LazyFrame, *more: str) -> LazyFrame:
    """Pairs of rows with the source-refs of their images, in order, and the first lines that name them.

    Columns named by `more` are kept.
    """
    paired = pl.concat([pairs["a"], pairs["b"]]).unique().to_frame("row").lazy()
    refs = names.lazy().join(paired, on="row", how="semi")
    first = (
        lines.join(refs, on=_IMAGE, how="semi")
        .sort("manifest", "line")
        .unique(_IMAGE, keep="first")
        .select(*_IMAGE, "manifest", "line")
    )
    one, other = col("source_ref"), col("source_ref_other")
    return (
        pairs.lazy()
        .join(refs, left_on="a", right_on="row")
        .join(refs.drop("data_set"), left_on="b", right_on="row", suffix="_other")
        .with_columns(a_source_ref=pl.min_horizontal(one, other), b_source_ref=pl.max_horizontal(one, other))
        .join(first, left_on=["data_set", "a_source_ref"], right_on=_IMAGE)
        .join(
            first.rename({"manifest": "b_manifest", "line": "b_line"}),
            left_on=["data_set", "b_source_ref"],
            right_on=_IMAGE,
        )
        .select(*_COLUMNS, *more)
        .sort("data_set", "a_source_ref", "b_source_ref")
    )


def _of_each_data_set(rows: DataFrame, small: NDArray[np.uint8]) -> Iterator[_Pair]:
    """Similar pairs of the images of each data set; the rows are sorted by data set, and `place` is that in `small`."""
    start = 0
    for length in rows["data_set"].rle().struct.field("len"):
        yield from _similar(rows.slice(start, length), small)
        start += length


def _similar(rows: DataFrame, small: NDArray[np.uint8]) -> Iterator[_Pair]:
    import numpy as np

    from groundlint_rules.algorithms.crop_verification import KEPT

    images = _SmallImages(small, rows["place"].to_numpy())
    hashes = images.hashes(np.arange(len(rows)), _UPRIGHT)
    numbers = rows["row"].to_numpy()
    # A plain image would be similar to all other plain images.
    detailed = np.flatnonzero(images.have_detail())
    is_kept = np.ones(len(hashes), np.bool_)
    for first, duplicate in _stars(detailed, hashes, images):
        is_kept[duplicate] = False
        yield int(numbers[first]), int(numbers[duplicate]), 0, "near", False
    left = detailed[is_kept[detailed]]
    mine = {1.0: hashes[left]} | {kept: images.hashes(left, _UPRIGHT, kept) for kept in KEPT}
    found: set[tuple[int, int]] = set()
    for candidates in _candidates(mine, partial(images.hashes, left)):
        orientation, kept, theirs, one, other = candidates
        # Two versions are compared once, but either image may be a crop of the other.
        is_candidate = one < other if kept == 1 else one != other
        is_candidate &= np.array([pair not in found for pair in _ordered(one, other)], np.bool_)
        one, other = one[is_candidate], other[is_candidate]
        same = images.are_same(left[one], left[other], orientation, kept)
        one, other = one[same], other[same]
        distance = np.bitwise_count(mine[1][one] ^ theirs[other])
        for (a, b), bits in zip(_ordered(one, other), distance.tolist(), strict=True):
            if (a, b) not in found:
                found.add((a, b))
                yield int(numbers[left[a]]), int(numbers[left[b]]), bits, orientation.relation, kept < 1


def _candidates(
    mine: dict[float, Hashes], turned: Callable[[_Orientation], Hashes]
) -> Iterator[tuple[_Orientation, float, Hashes, Positions, Positions]]:
    """Images with near hashes, for each orientation of the other image, and for crops of it that are not rotated.

    Args:
        mine: Hashes of the images, and of the middle of each by the share of a side that is kept.
        turned: Gives the hashes of the images in an orientation.

    Yields:
        The orientation, the share, the hashes of the images in that orientation, and the positions of pairs.
    """
    from groundlint_rules.algorithms import hamming

    searches = [(orientation, kept) for orientation in _ORIENTATIONS for kept in mine]
    searches = [(orientation, kept) for orientation, kept in searches if kept == 1 or orientation.quarters == 0]

    def near(search: tuple[_Orientation, float]) -> tuple[Positions, Positions]:
        orientation, kept = search
        if orientation == _UPRIGHT and kept == 1:
            one, other, _ = hamming.pairs(mine[1], RADIUS)
        else:
            one, other, _ = hamming.between(mine[kept], theirs[orientation], RADIUS if kept == 1 else CROP_RADIUS)
        return one, other

    # Nearly all of the time is spent in numpy, which other threads need not wait for.
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        theirs = dict(zip(_ORIENTATIONS, pool.map(turned, _ORIENTATIONS), strict=True))
        for (orientation, kept), pairs in zip(searches, pool.map(near, searches), strict=True):
            yield orientation, kept, theirs[orientation], *pairs


def _ordered(one: Positions, other: Positions) -> Iterator[tuple[int, int]]:
    """Pairs of positions, the lower first."""
    import numpy as np

    return zip(np.minimum(one, other).tolist(), np.maximum(one, other).tolist(), strict=True)


def _stars(detailed: Positions, hashes: NDArray[np.uint64], images: _SmallImages) -> Iterator[tuple[int, int]]:
    """Verified duplicates among images of equal hash: the positions of the first of a group and of each other."""
    import numpy as np

    order = detailed[np.argsort(hashes[detailed], kind="stable")]
    starts = np.flatnonzero(np.append(True, hashes[order][1:] != hashes[order][:-1]))
    for group in np.split(order, starts[1:]):
        left = group
        # Few groups hold different images. Each round removes one image with all its duplicates.
        while len(left) > 1:
            first, others = left[0], left[1:]
            same = images.are_same(np.repeat(first, len(others)), others, _UPRIGHT)
            for other in others[same].tolist():
                yield int(first), other
            left = others[~same]


class _Orientation(NamedTuple):
    """One of the eight orientations by rotation and mirroring, and the relation of a pair that differs by it."""

    relation: str
    quarters: int
    is_mirrored: bool

    def of(self, images: Gray) -> Gray:
        """Images (n, 32, 32) in this orientation."""
        import numpy as np

        rotated = np.rot90(images, self.quarters, axes=(1, 2))
        return rotated[:, :, ::-1] if self.is_mirrored else rotated


_UPRIGHT = _Orientation("near", 0, is_mirrored=False)

_ORIENTATIONS = tuple(
    _Orientation("mirrored" if is_mirrored else "rotated" if quarters else "near", quarters, is_mirrored)
    for quarters in range(4)
    for is_mirrored in (False, True)
)


class _SmallImages:
    """The small images at some rows of an array, of which some thousand at a time become numbers of other types."""

    def __init__(self, values: NDArray[np.uint8], places: NDArray[np.integer]) -> None:
        self._values, self._places = values, places

    def have_detail(self) -> NDArray[np.bool_]:
        """Whether each has enough fine structure to be compared."""
        import numpy as np

        from groundlint_rules.algorithms.pair_verification import has_detail

        positions = np.arange(len(self._places))
        starts = range(0, len(positions), _BATCH)
        return np.concatenate([has_detail(self._gray(positions[start : start + _BATCH])) for start in starts])

    def are_same(
        self, one: Positions, other: Positions, orientation: _Orientation, kept: float = 1
    ) -> NDArray[np.bool_]:
        """Whether pairs of positions, the other in an orientation, pass pair verification.

        Where less than a whole side is `kept`, it is verified that the other is such a crop of the one.
        """
        import numpy as np

        from groundlint_rules.algorithms.crop_verification import MAX_DISTANCE, crop_distances
        from groundlint_rules.algorithms.pair_verification import MIN_SIMILARITY, similarity

        same = np.empty(len(one), np.bool_)
        for start in range(0, len(one), _BATCH):
            part = slice(start, start + _BATCH)
            images, others = (self._gray(positions[part]) for positions in (one, other))
            others = orientation.of(others)
            if kept < 1:
                same[part] = crop_distances(images, others, kept) <= MAX_DISTANCE
            else:
                same[part] = similarity(images, others) >= MIN_SIMILARITY
        return same

    def hashes(self, positions: Positions, orientation: _Orientation, kept: float = 1) -> NDArray[np.uint64]:
        """Perceptual hashes of the images at some positions, in an orientation, cropped to the kept share of a side."""
        import numpy as np

        hashes = np.empty(len(positions), np.uint64)
        for start in range(0, len(positions), _BATCH):
            part = slice(start, start + _BATCH)
            hashes[part] = phashes(orientation.of(self._gray(positions[part])), kept)
        return hashes

    def _gray(self, positions: Positions) -> Gray:
        images: Gray = self._values[self._places[positions]].reshape(-1, SIDE, SIDE)
        return images


def phashes(images: Gray, kept: float = 1) -> NDArray[np.uint64]:
    """Perceptual hashes of small gray images (n, 32, 32), bit for bit those of imagehash.phash except for rounding.

    Where less than a whole side is `kept`, they are those of the middle of the images, enlarged to their size.

    Hashing many at once takes a fiftieth of the time of single calls, which would be a fifth of the cost of an image.

    Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010: of the discrete cosine transform
    the 8 x 8 lowest frequencies, each above the median or not.
    """
    import numpy as np

    from groundlint_rules.algorithms.pair_verification import cropping

    frequency = np.arange(8)[:, None] * (2 * np.arange(SIDE) + 1) * np.pi / (2 * SIDE)
    cosine = (2 * np.cos(frequency)).astype(np.float64)
    if kept < 1:
        cosine @= cropping(kept, 0.5)
    low = (cosine @ images.astype(np.float64) @ cosine.T).reshape(-1, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)
