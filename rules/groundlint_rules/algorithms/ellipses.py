"""Shares of ellipses that other ellipses cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEPS = 12
"""Points along each axis of an ellipse: 112 of them lie inside, so that a share is exact to about 1%."""

_PAIRS = 20_000
"""Pairs that are held in memory at once: 30 MB."""


def covered_shares(boxes: NDArray[np.float64], others: NDArray[np.float64], owners: NDArray[np.intp]) -> list[float]:
    """Share of the ellipse in each box that the union of the ellipses in other boxes covers.

    Objects fill an ellipse better than they fill the corners of their box, in which most boxes overlap.

    Args:
        boxes: (pairs, 4): left, top, right and bottom of the box whose share is counted.
        others: (pairs, 4): a box that may cover it.
        owners: (pairs,): number of the box whose share is counted, 0 and up, ascending and without a gap.

    Returns:
        The share of each box, 0 to 1.
    """
    x, y = _points()
    shares: list[float] = []
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    for first, last in _parts(starts, len(owners)):
        inside = _contains(others[first:last], boxes[first:last], x, y)
        here = starts[(starts >= first) & (starts < last)] - first
        shares += np.logical_or.reduceat(inside, here).mean(1).tolist()
    return shares


def _points() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of a grid in the circle of radius 1 around 0."""
    line = (np.arange(_STEPS) + 0.5) / _STEPS * 2 - 1
    x, y = (axis.ravel() for axis in np.meshgrid(line, line))
    is_inside = x * x + y * y <= 1
    return x[is_inside], y[is_inside]


def _parts(starts: NDArray[np.intp], count: int) -> list[tuple[int, int]]:
    """Ranges of about `_PAIRS` pairs that split the pairs of no box."""
    if not count:
        return []
    chosen = np.unique(starts[np.searchsorted(starts, np.arange(0, count, _PAIRS), side="right") - 1]).tolist()
    return list(zip(chosen, [*chosen[1:], count], strict=True))


def _contains(
    others: NDArray[np.float64], boxes: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which points of the ellipses in boxes are in the ellipses in others: (pairs, points)."""
    squares = np.zeros((len(boxes), len(x)))
    for low, high, at in ((0, 2, x), (1, 3, y)):
        center, half = _center(boxes, low, high)
        center_other, half_other = _center(others, low, high)
        squares += (((center - center_other) + half * at) / half_other) ** 2
    return squares <= 1


def _center(boxes: NDArray[np.float64], low: int, high: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Center and half of the side between two edges, each (boxes, 1)."""
    start, end = boxes[:, low, None], boxes[:, high, None]
    return (start + end) / 2, (end - start) / 2
