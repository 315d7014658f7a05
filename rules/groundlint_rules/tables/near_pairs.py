"""Which images show the same: by their bytes, their pixels, or at a second look at those of near hashes."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
from polars import DataFrame, Expr, LazyFrame, Series, col

from groundlint import table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]
    Positions = NDArray[np.intp]

RADIUS = 10
"""Bits by which hashes of one photograph differ at most. All hashes have 32 bits set, so distances are even."""

_SIDE = 32

_AT_ONCE = 2048
"""Pictures that are looked at together."""

_COLUMNS = ("a_source_ref", "b_source_ref", "distance", "relation", "manifest", "line", "b_manifest", "b_line")


class _Pair(NamedTuple):
    """Rows of two images, the bits by which their hashes differ, and how the one comes from the other."""

    a: int
    b: int
    distance: int
    relation: str


@table(features=("small_picture", "pixel_digest"))
def near_pairs(images: LazyFrame, lines: LazyFrame) -> LazyFrame:
    """Two images that show the same: `relation` is exact, near, mirrored or rotated, `distance` in bits of the hash.

    `a_source_ref` < `b_source_ref`; `manifest` and `line` are the first that name a, `b_manifest` and `b_line` those of
    b. Images of equal bytes, pixels or hash are given as a star from the one to keep, the biggest; all other pairs
    between those kept, each once.
    """
    area = col("width").cast(pl.Int64) * col("height")
    is_sound = col("digest").is_not_null() & col("fault").is_null()
    looked_at = images.filter(is_sound).sort(*keeping_order(area), nulls_last=True)
    rows = looked_at.select("source_ref", "digest", *_PIXELS, "small_picture").collect()
    schema = {"a": pl.Int64, "b": pl.Int64, "distance": pl.Int32, "relation": pl.String}
    pairs = DataFrame(list(_pairs(rows)), schema=schema, orient="row")
    names = rows.select("source_ref").with_row_index("row").with_columns(col("row").cast(pl.Int64))
    first = lines.sort("manifest", "line").unique("source_ref", keep="first").select("manifest", "line", "source_ref")
    one, other = col("source_ref"), col("source_ref_other")
    return (
        pairs.lazy()
        .join(names.lazy(), left_on="a", right_on="row")
        .join(names.lazy(), left_on="b", right_on="row", suffix="_other")
        .select(
            "distance",
            "relation",
            a_source_ref=pl.when(one < other).then(one).otherwise(other),
            b_source_ref=pl.when(one < other).then(other).otherwise(one),
        )
        .join(first, left_on="a_source_ref", right_on="source_ref")
        .join(first, left_on="b_source_ref", right_on="source_ref", suffix="_b")
        .rename({"manifest_b": "b_manifest", "line_b": "b_line"})
        .select(_COLUMNS)
        .sort("a_source_ref", "b_source_ref")
    )


def keeping_order(area: Expr) -> tuple[Expr, ...]:
    """By what the image to keep of several comes first: the biggest, then that of most bytes, whatever the manifest's
    order.
    """
    return -area, -col("bytes"), col("source_ref")


_PIXELS = ("width", "height", "pixel_digest")


def _pairs(rows: DataFrame) -> Iterator[_Pair]:
    """Pairs of rows, which stand in the order in which one is kept."""
    kept = yield from _equal(rows.with_row_index("row"), ["digest"])
    kept = kept.filter(col("small_picture").is_not_null())
    kept = yield from _equal(kept, list(_PIXELS))
    if not kept.is_empty():
        yield from _alike(kept)


def _equal(rows: DataFrame, columns: list[str]) -> Generator[_Pair, None, DataFrame]:
    """A star for each group of rows that are equal in some columns; those that are kept are returned."""
    is_whole = pl.all_horizontal(col(name).is_not_null() for name in columns)
    first = pl.when(is_whole).then(col("row").first().over(columns)).otherwise("row")
    with_first = rows.with_columns(kept=first)
    for row, first in with_first.filter(col("row") != col("kept")).select("row", "kept").iter_rows():
        yield _Pair(first, row, 0, "exact")
    return with_first.filter(col("row") == col("kept")).drop("kept")


def _alike(rows: DataFrame) -> Iterator[_Pair]:
    import numpy as np

    from groundlint_rules.algorithms import hamming as _hamming

    pictures = _Pictures(rows["small_picture"])
    hashes = pictures.phashes(np.arange(len(rows)), _UPRIGHT)
    places = rows["row"].to_numpy()
    # A plain picture is not even like itself: it would be like all others that are.
    telling = np.flatnonzero(pictures.tell())
    keeps = np.ones(len(hashes), np.bool_)
    for first, copy in _stars(telling, hashes, pictures):
        keeps[copy] = False
        yield _Pair(int(places[first]), int(places[copy]), 0, "near")
    left = telling[keeps[telling]]
    found: set[tuple[int, int]] = set()
    for turn in _TURNS:
        if turn == _UPRIGHT:
            one, other, distance = _hamming.pairs(hashes[left], RADIUS)
        else:
            one, other, distance = _hamming.between(hashes[left], pictures.phashes(left, turn), RADIUS)
            once = one < other
            one, other, distance = one[once], other[once], distance[once]
        one, other = left[one], left[other]
        same = pictures.are_same(one, other, turn)
        for a, b, bits in zip(one[same].tolist(), other[same].tolist(), distance[same].tolist(), strict=True):
            if (a, b) not in found:
                found.add((a, b))
                yield _Pair(int(places[a]), int(places[b]), bits, turn.relation)


def _stars(telling: Positions, hashes: NDArray[np.uint64], pictures: _Pictures) -> Iterator[tuple[int, int]]:
    """Pictures of equal hash that are one photograph: each with the first of its kind, by their positions."""
    import numpy as np

    order = telling[np.argsort(hashes[telling], kind="stable")]
    starts = np.flatnonzero(np.append(True, hashes[order][1:] != hashes[order][:-1]))
    for group in np.split(order, starts[1:]):
        left = group
        # Different photographs of one hash are few; each round takes out one with all its like.
        while len(left) > 1:
            first, others = left[0], left[1:]
            same = pictures.are_same(np.repeat(first, len(others)), others, _UPRIGHT)
            for other in others[same].tolist():
                yield int(first), other
            left = others[~same]


class _Turn(NamedTuple):
    """One of the eight positions that turning and mirroring give, and what a pair is called whose one lies so."""

    relation: str
    quarters: int
    is_mirrored: bool

    def of(self, pictures: Grey) -> Grey:
        """Pictures (n, 32, 32) in this position."""
        import numpy as np

        turned = np.rot90(pictures, self.quarters, axes=(1, 2))
        return turned[:, :, ::-1] if self.is_mirrored else turned


_UPRIGHT = _Turn("near", 0, is_mirrored=False)

_TURNS = tuple(
    _Turn("mirrored" if is_mirrored else "rotated" if quarters else "near", quarters, is_mirrored)
    for quarters in range(4)
    for is_mirrored in (False, True)
)


class _Pictures:
    """The small pictures of a column, taken from it as they are looked at: all at once would be most of the memory."""

    def __init__(self, column: Series) -> None:
        self._column = column

    def tell(self) -> NDArray[np.bool_]:
        """Whether each has structure by which it can be told."""
        import numpy as np

        from groundlint_rules.algorithms import pair_verification as _second_look

        runs = range(0, len(self._column), _AT_ONCE)
        return np.concatenate([_second_look.tells(self._grey(self._column[run : run + _AT_ONCE])) for run in runs])

    def are_same(self, one: Positions, other: Positions, turn: _Turn) -> NDArray[np.bool_]:
        """Of pairs of positions, of which the other lies turned, which are one photograph at a second look."""
        import numpy as np

        from groundlint_rules.algorithms import pair_verification as _second_look

        same = np.empty(len(one), np.bool_)
        for start in range(0, len(one), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            pictures, others = (self._grey(self._column.gather(positions[part])) for positions in (one, other))
            same[part] = _second_look.similarity(pictures, turn.of(others)) >= _second_look.SAME
        return same

    def phashes(self, positions: Positions, turn: _Turn) -> NDArray[np.uint64]:
        """Perceptual hashes of pictures once they are turned."""
        import numpy as np

        hashes = np.empty(len(positions), np.uint64)
        for start in range(0, len(positions), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            hashes[part] = phashes(turn.of(self._grey(self._column.gather(positions[part]))))
        return hashes

    @staticmethod
    def _grey(column: Series) -> Grey:
        import numpy as np

        from groundlint_rules.algorithms.stacked import stacked

        return stacked(column, _SIDE * _SIDE, np.uint8).reshape(-1, _SIDE, _SIDE)


def phashes(pictures: Grey) -> NDArray[np.uint64]:
    """Perceptual hashes of small grey pictures (n, 32, 32), bit for bit as imagehash.phash makes them but for rounding.

    Together they take a fiftieth of the time of as many calls, which would be a fifth of all that an image costs.

    Zauner: Implementation and Benchmarking of Perceptual Image Hash Functions, 2010: of the discrete cosine transform
    the 8 x 8 lowest frequencies, each above the median or not.
    """
    import numpy as np

    frequency = np.arange(8)[:, None] * (2 * np.arange(_SIDE) + 1) * np.pi / (2 * _SIDE)
    cosine = (2 * np.cos(frequency)).astype(np.float64)
    low = (cosine @ pictures.astype(np.float64) @ cosine.T).reshape(-1, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)
