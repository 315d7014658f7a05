"""All pairs of 64-bit hashes that differ in few bits: exact, and fast enough for a million hashes on one core.

Multi-index hashing (Norouzi, Punjani, Fleet, "Fast Exact Search in Hamming Space with Multi-Index Hashing", TPAMI 2014)
in the form without probing (Greene, Parnas, Yao, "Multi-index hashing for information retrieval", FOCS 1994; Manku,
Jain, Das Sarma, "Detecting Near-Duplicates for Web Crawling", WWW 2007, section 3): the bits are divided into m chunks.
Two hashes at distance r or less agree in at least m - r of them. For each choice of m - r chunks the hashes are sorted
by these chunks, and only hashes that agree in them are compared. This takes only sorting and comparing of plain values,
which numpy does fastest; only the hits are looked up again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Hashes: TypeAlias = NDArray[np.uint64]
_Found: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]

BITS = 64

_BLOCK = 1 << 15
"""Hashes that are compared at once: several arrays of this length stay in a core's cache."""

_LARGE = 256
"""Hashes that agree in the chosen chunks; more of them become a search of their own, with other chunks."""

_SORT_NS, _COMPARE_NS, _PASS_NS = 30.0, 3.0, 200_000.0
"""Estimated time to move and sort a hash, to compare two, and of a pass at least. Only speed depends on them."""

_COMPARE_ALL_NS = 0.8
"""Estimated time to compare two hashes if all are compared, without looking up which agree in some bits."""


def pairs(hashes: NDArray[np.uint64], radius: int) -> _Found:
    """All pairs of hashes at a distance of `radius` bits or less, including equal hashes.

    Args:
        hashes: Shape (n,), in any order; they may repeat.
        radius: Maximum number of bits in which two differ, 0 to 64.

    Returns:
        Three arrays of shape (pairs,): i, j with i < j, and the distance; sorted by i, then j, each pair once.
    """
    groups = _Groups.of(hashes)
    found = [_within(groups)]
    for one, other in _near(groups.values, None, _effective(radius, groups.values)):
        left, right = groups.expand(groups, one, other)
        found.append((np.minimum(left, right), np.maximum(left, right)))
    return _result(found, hashes, hashes)


def between(a: NDArray[np.uint64], b: NDArray[np.uint64], radius: int) -> _Found:
    """All pairs of a hash of `a` and a hash of `b` at a distance of `radius` bits or less.

    Args:
        a: Shape (n,).
        b: Shape (m,).
        radius: Maximum number of bits in which two differ, 0 to 64.

    Returns:
        Three arrays of shape (pairs,): index into `a`, index into `b`, distance; sorted by the indices, each pair once.
    """
    one, other = _Groups.of(a), _Groups.of(b)
    near = _near(one.values, other.values, _effective(radius, one.values, other.values))
    return _result([one.expand(other, *found) for found in near], a, b)


class _Groups(NamedTuple):
    """Groups of equal hashes: `values` ascending; the members of group g are `order[starts[g]:starts[g + 1]]`."""

    values: _Hashes
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, hashes: _Hashes) -> _Groups:
        if hashes.dtype != np.uint64 or hashes.ndim != 1:
            raise ValueError(f"hashes must be a row of uint64, not {hashes.dtype} of shape {hashes.shape}")
        order = np.argsort(hashes, kind="stable")
        values = hashes[order]
        first = np.ones(len(values), np.bool_)
        np.not_equal(values[1:], values[:-1], out=first[1:])
        starts = np.flatnonzero(first)
        return cls(values[starts], order, np.append(starts, len(values)))

    def expand(self, other: _Groups, mine: _Hashes, theirs: _Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of all hashes with these pairs of values."""
        one, two = np.searchsorted(self.values, mine), np.searchsorted(other.values, theirs)
        ones, twos = np.diff(self.starts)[one], np.diff(other.starts)[two]
        first, second = _product(ones, twos)
        pair = np.repeat(np.arange(len(one)), ones * twos)
        return self.order[self.starts[one][pair] + first], other.order[other.starts[two][pair] + second]


def _effective(radius: int, *sides: _Hashes) -> int:
    """The radius, minus 1 if that changes nothing: hashes of one parity (phash sets 32 bits) have even distances."""
    if not 0 <= radius <= BITS:
        raise ValueError(f"radius {radius} is outside 0 to {BITS}")
    parities = {int(parity) for side in sides for parity in np.unique(np.bitwise_count(side) & 1)}
    return radius - 1 if radius % 2 and len(parities) == 1 else radius


def _product(ones: NDArray[np.int64], twos: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions within the groups for all pairs of members of two groups of these sizes, row by row."""
    sizes = ones * twos
    number = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.divmod(number, np.repeat(twos, sizes))


def _within(groups: _Groups) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of all pairs of equal hashes, the lower first, as stable sorting has left them in each group."""
    sizes = np.diff(groups.starts)
    ends = np.repeat(groups.starts[1:], sizes)
    place = np.arange(len(groups.order))
    later = ends - place - 1
    first = np.repeat(place, later)
    second = np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later) + first + 1
    return groups.order[first], groups.order[second]


def _result(found: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], a: _Hashes, b: _Hashes) -> _Found:
    none = np.empty(0, np.int64)
    left = np.concatenate([none, *(one for one, _ in found)])
    right = np.concatenate([none, *(other for _, other in found)])
    order = np.argsort(left * len(b) + right)
    left, right = left[order], right[order]
    return left, right, np.bitwise_count(a[left] ^ b[right]).astype(np.int8)


# The search. From here on hashes are distinct values without an index; `b` is None for pairs within `a`.


def _near(a: _Hashes, b: _Hashes | None, radius: int) -> Iterator[tuple[_Hashes, _Hashes]]:
    """Pairs of values at a distance of at most the radius, each once, in blocks."""
    if not len(a) or (b is not None and not len(b)):
        return
    chunks = _chunks(a, b, radius)
    if chunks is None:
        yield from _all(a, b, radius)
        return
    chunked = _Layout.of_bits([bit for chunk in chunks for bit in chunk])
    widths = [len(chunk) for chunk in chunks]
    a_chunked = chunked.apply(a)
    b_chunked = None if b is None else chunked.apply(b)
    fields = _fields(widths)
    for chosen in combinations(range(len(chunks)), len(chunks) - radius):
        layout = _Layout.of_fields([fields[i] for i in chosen])
        bound = np.uint64(1) << np.uint64(BITS - sum(widths[i] for i in chosen))
        # A pair that agrees in further chunks occurs in several choices and counts in the first.
        earlier = [_mask(*fields[i]) for i in range(chosen[-1]) if i not in chosen]
        a_sorted = _sorted(layout, a_chunked)
        agreeing = _agreeing(a_sorted, None if b_chunked is None else _sorted(layout, b_chunked), bound, radius)
        for one, other in _gathered(agreeing):
            left, right = layout.undo(one), layout.undo(other)
            if earlier:
                differ = left ^ right
                keep = np.ones(len(differ), np.bool_)
                for mask in earlier:
                    keep &= (differ & mask) != 0
                left, right = left[keep], right[keep]
            if len(left):
                yield chunked.undo(left), chunked.undo(right)


def _gathered(found: Iterator[tuple[_Hashes, _Hashes]]) -> Iterator[tuple[_Hashes, _Hashes]]:
    """The same pairs in blocks: processing thousands takes little longer than processing one."""
    gathered: list[tuple[_Hashes, _Hashes]] = []
    count = 0
    for pair in found:
        gathered.append(pair)
        count += len(pair[0])
        if count >= _BLOCK:
            yield _joined(gathered)
            gathered, count = [], 0
    if gathered:
        yield _joined(gathered)


def _joined(found: Sequence[tuple[_Hashes, _Hashes]]) -> tuple[_Hashes, _Hashes]:
    return np.concatenate([one for one, _ in found]), np.concatenate([other for _, other in found])


def _sorted(layout: _Layout, hashes: _Hashes) -> _Hashes:
    moved = layout.apply(hashes)
    moved.sort()
    return moved


def _chunks(a: _Hashes, b: _Hashes | None, radius: int) -> list[list[int]] | None:
    """The bits of each chunk, for the number of chunks with the least estimated work; None if comparing all is less.

    Bits that are nearly always equal distinguish little. The bits are therefore distributed in turn, the most
    distinguishing first, so that all chunks distinguish about equally. Every chunk has a bit that varies: hashes that
    agree in some chunks are fewer than all hashes, and a search within a search ends.
    """
    ones = np.array([_ones(a, bit) + (0 if b is None else _ones(b, bit)) for bit in range(BITS)])
    size = len(a) + (0 if b is None else len(b))
    share = np.clip(ones / size, 1e-12, 1 - 1e-12)
    # The information in bits that two hashes agree in this bit: it determines how many a pass has to compare.
    information = -np.log2(share**2 + (1 - share) ** 2)
    varying = [int(bit) for bit in np.argsort(-information, kind="stable") if 0 < ones[bit] < size]
    pair_count = len(a) * (len(a) - 1) / 2 if b is None else len(a) * len(b)
    best, least = 0, pair_count * _COMPARE_ALL_NS
    for count in range(radius + 1, min(radius + 6, len(varying)) + 1):
        agreeing = pair_count * 2.0 ** (-information.sum() * (count - radius) / count)
        work = comb(count, radius) * (_PASS_NS + size * _SORT_NS + agreeing * _COMPARE_NS)
        if work < least:
            best, least = count, work
    return [varying[i::best] for i in range(best)] if best else None


def _ones(hashes: _Hashes, bit: int) -> int:
    return int(np.count_nonzero(hashes & (np.uint64(1) << np.uint64(bit))))


def _fields(widths: Sequence[int]) -> list[tuple[int, int]]:
    """Lowest bit and width of each chunk after reordering, the first chunk on top."""
    tops = BITS - np.cumsum(widths)
    return [(int(low), width) for low, width in zip(tops, widths, strict=True)]


def _mask(low: int, width: int) -> np.uint64:
    return np.uint64(((1 << width) - 1) << low)


class _Layout(NamedTuple):
    """Another order of the 64 bits, which keeps distances: `moves` are (lowest bit, width, new lowest bit)."""

    moves: tuple[tuple[int, int, int], ...]

    @classmethod
    def of_bits(cls, first: Sequence[int]) -> _Layout:
        """A layout with these bits on top, the others below."""
        return cls.of_fields([(bit, 1) for bit in first])

    @classmethod
    def of_fields(cls, first: Sequence[tuple[int, int]]) -> _Layout:
        """A layout with these fields on top, the remaining bits below. Adjacent bits are moved together."""
        taken = {bit for low, width in first for bit in range(low, low + width)}
        rest = [(bit, 1) for bit in reversed(range(BITS)) if bit not in taken]
        moves: list[tuple[int, int, int]] = []
        top = BITS
        for low, width in [*first, *rest]:
            top -= width
            if moves and moves[-1][0] == low + width:
                moves[-1] = (low, moves[-1][1] + width, top)
            else:
                moves.append((low, width, top))
        return cls(tuple(moves))

    def apply(self, hashes: _Hashes) -> _Hashes:
        return _moved(hashes, self.moves)

    def undo(self, hashes: _Hashes) -> _Hashes:
        return _moved(hashes, tuple((new, width, low) for low, width, new in self.moves))


def _moved(hashes: _Hashes, moves: Sequence[tuple[int, int, int]]) -> _Hashes:
    """The hashes with their fields moved, in blocks, so that the many steps stay in the cache."""
    result = np.zeros_like(hashes)
    for start in range(0, len(hashes), _BLOCK):
        block, into = hashes[start : start + _BLOCK], result[start : start + _BLOCK]
        for low, width, new in moves:
            field = block & _mask(low, width)
            if new > low:
                field <<= np.uint64(new - low)
            else:
                field >>= np.uint64(low - new)
            into |= field
    return result


def _agreeing(a: _Hashes, b: _Hashes | None, bound: np.uint64, radius: int) -> Iterator[tuple[_Hashes, _Hashes]]:
    """Near pairs of sorted values that agree in their top bits: whose difference is below the bound."""
    side = a if b is None else b
    if len(side) > _LARGE and bool(((side[_LARGE:] ^ side[:-_LARGE]) < bound).any()):
        # Comparing many that agree would be comparing all with all; their other bits still distinguish them.
        tops = side & ~(bound - np.uint64(1))
        starts = np.append(np.flatnonzero(np.append(True, tops[1:] != tops[:-1])), len(side))
        large = np.flatnonzero(np.diff(starts) > _LARGE)
        in_b = np.zeros(len(side), np.bool_)
        in_a = in_b if b is None else np.zeros(len(a), np.bool_)
        for start, end in zip(starts[large], starts[large + 1], strict=True):
            in_b[start:end] = True
            if b is None:
                yield from _near(a[start:end], None, radius)
                continue
            # The last value with these top bits, not the first with the next ones, which may not exist.
            first = int(np.searchsorted(a, tops[start]))
            last = int(np.searchsorted(a, tops[start] | (bound - np.uint64(1)), side="right"))
            in_a[first:last] = True
            yield from _near(a[first:last], b[start:end], radius)
        a = a[~in_a]
        b = None if b is None else b[~in_b]
    for start in range(0, len(a), _BLOCK):
        if b is None:
            yield from _compared(a[start : start + _BLOCK], a[start + 1 : start + 1 + _BLOCK + _LARGE], bound, radius)
        else:
            block = a[start : start + _BLOCK]
            place = np.searchsorted(b, block & ~(bound - np.uint64(1)))
            yield from _followed(block, b, place, bound, radius)


def _compared(block: _Hashes, following: _Hashes, bound: np.uint64, radius: int) -> Iterator[tuple[_Hashes, _Hashes]]:
    """Near pairs of a value of the block and a later value that agrees with it."""
    for ahead in range(len(following)):
        others = following[ahead : ahead + len(block)]
        ones = block[: len(others)]
        differ = ones ^ others
        agree = differ < bound
        active = int(np.count_nonzero(agree))
        if not active:
            return
        hits = np.flatnonzero((np.bitwise_count(differ) <= radius) & agree)
        if len(hits):
            yield ones[hits], others[hits]
        # While most values have a partner, slices are faster than selecting those that do.
        if 2 * active < len(block):
            left = np.flatnonzero(agree)
            yield from _followed(block[left], following, left + ahead + 1, bound, radius)
            return


def _followed(
    ones: _Hashes, others: _Hashes, place: NDArray[np.int64], bound: np.uint64, radius: int
) -> Iterator[tuple[_Hashes, _Hashes]]:
    """Near pairs of each value and the others that agree with it, which begin at its place."""
    while len(ones):
        if len(others) <= place[-1]:
            inside = place < len(others)
            ones, place = ones[inside], place[inside]
        candidates = others[place]
        differ = ones ^ candidates
        hits = np.flatnonzero((np.bitwise_count(differ) <= radius) & (differ < bound))
        if len(hits):
            yield ones[hits], candidates[hits]
        agree = differ < bound
        ones, place = ones[agree], place[agree] + 1


def _all(a: _Hashes, b: _Hashes | None, radius: int) -> Iterator[tuple[_Hashes, _Hashes]]:
    """Near pairs by comparing all values."""
    others = a if b is None else b
    width = min(len(others), _BLOCK)
    height = max(_BLOCK // width, 1)
    for top in range(0, len(a), height):
        rows = a[top : top + height]
        for start in range(top if b is None else 0, len(others), width):
            columns = others[start : start + width]
            near = np.bitwise_count(rows[:, None] ^ columns) <= radius
            if b is None and start < top + len(rows):
                # Only above the diagonal, which the block reaches.
                near &= np.arange(top, top + len(rows))[:, None] < np.arange(start, start + len(columns))
            # Three times as fast as `nonzero` in two dimensions.
            row, column = np.divmod(np.flatnonzero(near), len(columns))
            if len(row):
                yield rows[row], columns[column]
