"""Thin edges of an image, in brightness and color, and the number of its colors.

It imports numpy; import it inside functions, because start-up time counts.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from groundlint_rules.features.clutter import GRID

LONG_SIDE = 96
"""Longer side, in px, at which images are judged; 192 px agreed no better with human ratings."""

STRENGTH = 0.05
"""Minimum strength of an edge per pixel, as a share of the full range. Lower values count texture."""

Bools = NDArray[np.bool_]
Planes = NDArray[np.int16]

_OPPONENTS = np.array([[0.299, 0.587, 0.114], [1, -1, 0], [0.25, 0.25, -0.5]], np.float32)
"""Brightness, red-green and yellow-blue, from red, green and blue."""

_SQUARED_STRENGTH = (9 * 2 * 255 * STRENGTH) ** 2
"""`STRENGTH`, squared, for sums over 3 x 3 pixels of differences over two pixels of 8-bit values."""


def reduced(image: Image.Image) -> Image.Image:
    """The RGB image, at most `LONG_SIDE` px on its longer side."""
    longest = max(image.size)
    if longest <= LONG_SIDE:
        return image
    width, height = (max(1, round(side * LONG_SIDE / longest)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX, reducing_gap=1.0)


def padded(image: Image.Image) -> Planes:
    """Red, green and blue of an image with its outermost pixels repeated around it: (3, height + 2, width + 2)."""
    width, height = image.size
    planes = np.empty((3, height + 2, width + 2), np.int16)
    planes[:, 1:-1, 1:-1] = np.asarray(image).transpose(2, 0, 1)
    planes[:, 0], planes[:, -1] = planes[:, 1], planes[:, -2]
    planes[:, :, 0], planes[:, :, -1] = planes[:, :, 1], planes[:, :, -2]
    return planes


def thin_edges(planes: Planes) -> Bools:
    """Find the thin edges of an image.

    The planes brightness, red-green and yellow-blue are smoothed over 3 x 3 pixels and differentiated by central
    differences. For each pixel the strongest plane counts, and a pixel is kept if it is at least as strong as its two
    neighbors across the edge, so that an edge counts by its length and not by its width. The method was chosen among a
    hundred on SAVOIAS (Saraee, Jalal and Betke, "SAVOIAS: A Diverse, Multi-Category Visual Complexity Dataset", 2018).

    Args:
        planes: A padded image, as from `padded`.

    Returns:
        (height, width), true on edges.
    """
    _, height, width = planes.shape
    found = np.zeros((height, width), np.bool_)
    if min(width, height) < 7:
        return found[1:-1, 1:-1]
    # All rows are treated as one line, which is three times as fast in numpy. A row is followed by the next one, so
    # values next to the end of a row are meaningless and are cleared below. Smoothing and differences come before the
    # planes are mixed: all of these are linear.
    line = planes.reshape(3, -1)
    rows = line[:, : -2 * width] + line[:, width:-width] + line[:, 2 * width :]
    smooth = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    end = smooth.shape[1]
    across = _OPPONENTS @ (smooth[:, width + 2 : end - width] - smooth[:, width : end - width - 2]).astype(np.float32)
    along = _OPPONENTS @ (smooth[:, 2 * width + 1 : end - 1] - smooth[:, 1 : end - 2 * width - 1]).astype(np.float32)
    across *= across
    along *= along
    is_across = across > along
    first, second, third = across + along
    two = np.maximum(first, second)
    strongest = np.maximum(two, third)
    is_across = _chosen(third > two, is_across[2], _chosen(second > first, is_across[1], is_across[0]))
    center = strongest[width:-width]
    beside = np.maximum(strongest[width - 1 : -width - 1], strongest[width + 1 : len(strongest) - width + 1])
    above = np.maximum(strongest[: -2 * width], strongest[2 * width :])
    is_thin = _chosen(is_across[width:-width], center >= beside, center >= above)
    # Differences lose two rows and two pixels, and the comparison with the row above loses another row.
    start = 3 * width + 2
    found.reshape(-1)[start : start + len(center)] = is_thin & (center > _SQUARED_STRENGTH)
    inside = found[1:-1, 1:-1]
    inside[:, :2] = inside[:, -2:] = False
    return inside


def _chosen(condition: Bools, one: Bools, other: Bools) -> Bools:
    """One where the condition holds, else the other: like `np.where`, which takes three times as long on booleans."""
    return other ^ ((one ^ other) & condition)


def edge_shares(found: Bools) -> NDArray[np.uint8]:
    """The share of edge pixels in each cell of the grid: (GRID, GRID), 255 for all; 0 in a cell without pixels."""
    rows, columns = (_cell_means(side) for side in found.shape)
    parts: NDArray[np.uint8] = (255 * (rows @ found.astype(np.float32) @ columns.T)).round().astype(np.uint8)
    return parts


@cache
def _cell_means(side: int) -> NDArray[np.float32]:
    """The matrix (GRID, side) that takes the means over the cells of a side."""
    means = np.zeros((GRID, side), np.float32)
    for cell in range(GRID):
        start, end = side * cell // GRID, side * (cell + 1) // GRID
        means[cell, start:end] = 1 / max(end - start, 1)
    return means


def color_count(planes: Planes) -> int:
    """The number of distinct colors of a padded image, at 16 levels per channel: 1 to 4,096."""
    red, green, blue = planes.reshape(3, -1) >> 4
    return int(np.count_nonzero(np.bincount((red << 8) | (green << 4) | blue, minlength=4096)))
