"""Sharpness, brightness and contrast of the content of a box."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step
from groundlint_rules.algorithms.levels import brightest_channel, cumulative_histogram, percentile

if TYPE_CHECKING:
    from PIL.Image import Image

    from groundlint.images.decoding import Context

MIN_SIDE = 20
"""Longer side, in px, below which a box is not measured, because it has too few pixels."""

_SIDE = 64
"""Side, in px, of the square to which a box is scaled before its sharpness is measured."""

_SCALES = (32, 8)
"""Minimum sides, in px, to which a box with its surroundings is reduced before its outlines are measured: fine ones of
cells show at the first, soft ones of small spots at the second."""


@step(of="crops")
def crop_gray(crop: Image) -> Image | None:
    """The box in gray levels; None if it is smaller than 20 px."""
    return crop.convert("L") if max(crop.size) >= MIN_SIDE else None


@feature(of="crops", dtype=float, version=2)
def crop_sharpness(crop_gray: Image | None) -> float | None:
    """Standard deviation of the Laplacian of the box scaled to 64 x 64 px, in gray levels.

    It is low for objects out of focus, and for those enlarged from few pixels, which look the same.
    """
    import numpy as np
    from PIL import Image as Pillow

    if crop_gray is None:
        return None
    levels = np.asarray(crop_gray.resize((_SIDE, _SIDE), Pillow.Resampling.BILINEAR)).astype(np.int16)
    middle = levels[1:-1, 1:-1]
    laplacian = levels[1:-1, 2:] + levels[1:-1, :-2] + levels[2:, 1:-1] + levels[:-2, 1:-1] - 4 * middle
    return float(laplacian.std())


@feature(of="crops", dtype=float, version=3)
def crop_brightness(crop: Image) -> float | None:
    """Level at or below which 95% of the pixels of the box lie in their brightest channel, 0 to 255."""
    if max(crop.size) < MIN_SIDE:
        return None
    return float(percentile(cumulative_histogram(brightest_channel(crop)), 0.95))


@feature(of="crops", dtype=float, version=3)
def crop_contrast(context: Context) -> float | None:
    """How strong the outlines in a box are, 0 to 255: the color step that 5% of its pixels exceed.

    A step is the largest difference in red, green or blue between the two neighbors of a pixel, in a row or column of
    the box reduced to 32 px or to 8 px, whichever shows more. Means are not compared: a cell with a clear outline may
    have the mean of what is around it. Null where nothing is around the box.
    """
    image, (left, top, right, bottom) = context
    if max(right - left, bottom - top) < MIN_SIDE or image.size == (right - left, bottom - top):
        return None
    return max(_outline(context, side) for side in _SCALES)


def _outline(context: Context, least: int) -> float:
    """The color step that 5% of the pixels of a box exceed, reduced with its surroundings to a minimum side, in px."""
    import numpy as np

    image, (left, top, right, bottom) = context
    x, y = (max(1, side // least) for side in image.size)
    colors = np.asarray(image.reduce((x, y))).astype(np.int16)
    steps = np.zeros(colors.shape[:2], np.int16)
    steps[:, 1:-1] = np.abs(colors[:, 2:] - colors[:, :-2]).max(2)
    steps[1:-1] = np.maximum(steps[1:-1], np.abs(colors[2:] - colors[:-2]).max(2))
    # One more pixel on each side, because the outline may be the edge of the box.
    rows = slice(max(0, round(top / y) - 1), round(bottom / y) + 1)
    columns = slice(max(0, round(left / x) - 1), round(right / x) + 1)
    return float(np.quantile(steps[rows, columns], 0.95))
