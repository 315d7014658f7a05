"""Areas of unions of rectangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CELLS = 4_000_000
"""Cells that are held in memory at once."""


def union_areas(rectangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area of the union of each set of rectangles.

    The edges of a set cut the plane into cells, each of them inside a rectangle or outside all.

    Args:
        rectangles: (sets, rectangles of a set, 4): left, top, right and bottom.

    Returns:
        (sets,), in the square of the rectangles' unit.
    """
    count = rectangles.shape[1]
    areas = np.empty(len(rectangles))
    step = max(1, _CELLS // (4 * count * count))
    for start in range(0, len(rectangles), step):
        part = rectangles[start : start + step]
        left, top, right, bottom = (part[:, :, edge, None] for edge in range(4))
        xs = np.sort(part[:, :, 0::2].reshape(len(part), 1, -1))
        ys = np.sort(part[:, :, 1::2].reshape(len(part), 1, -1))
        in_x = (left <= xs[:, :, :-1]) & (xs[:, :, 1:] <= right)
        in_y = (top <= ys[:, :, :-1]) & (ys[:, :, 1:] <= bottom)
        is_covered = in_x.transpose(0, 2, 1).astype(np.float32) @ in_y.astype(np.float32) > 0
        areas[start : start + step] = (np.diff(xs) @ is_covered @ np.diff(ys).transpose(0, 2, 1)).ravel()
    return areas
