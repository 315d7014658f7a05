"""Exposure, focus, noise and compression of an image."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step
from groundlint_rules.algorithms.levels import cumulative_histogram, percentile

if TYPE_CHECKING:
    from PIL.Image import Image

_NEAR, _FAR = 1, 4
"""Distances, in px: over the near one a sharp edge has risen fully, over the far one a blurred edge still rises."""

_DIRECTIONS = ((1, 0), (0, 1), (1, 1), (-1, 1))

_EDGES = 0.999
"""Share of pixels that are not on the strongest edges: those show the focus even before a plain background."""

_WEAK = 8
"""Difference of gray levels up to which neighboring pixels count as equal."""

_MIN_DEVIATION = 0.8
"""Standard deviation of a blur, in px of the reduced image, below which it is not measurable."""

_DEVIATIONS = [0.05 * n for n in range(1, 81)]
_RISES = [math.erf(_NEAR / 2 / d / math.sqrt(2)) / math.erf(_FAR / 2 / d / math.sqrt(2)) for d in _DEVIATIONS]
"""Rise over the near distance, as a share of that over the far one, of an edge blurred by each deviation."""

# Sum of the standard luminance table, from which JPEG encoders derive theirs (ITU-T T.81, annex K.1).
_STANDARD_TABLE = 3688


@step(of="images")
def histogram(gray: Image) -> list[int]:
    """For each of the 256 gray levels, the number of pixels at or below it."""
    return cumulative_histogram(gray)


@feature(of="images", dtype=float)
def dark_level(histogram: list[int]) -> float:
    """Gray level at or below which the darkest 5% of the pixels lie, 0 to 255."""
    return float(percentile(histogram, 0.05))


@feature(of="images", dtype=float)
def bright_level(histogram: list[int]) -> float:
    """Gray level at or below which 99% of the pixels lie, 0 to 255."""
    return float(percentile(histogram, 0.99))


@feature(of="images", dtype=float)
def clipped_share(histogram: list[int]) -> float:
    """Share of pixels that are white (250 to 255), 0 to 1."""
    return 1 - histogram[249] / histogram[-1]


@feature(of="images", dtype=float)
def spread(histogram: list[int]) -> float:
    """Gray levels between the 5th and the 95th percentile of the pixels, 0 to 255."""
    return float(percentile(histogram, 0.95) - percentile(histogram, 0.05))


@step(of="images")
def steps(gray: Image) -> list[list[int]]:
    """Cumulative histograms of the absolute differences to the next pixel in each of four directions."""
    return [_differences(gray, x * _NEAR, y * _NEAR) for x, y in _DIRECTIONS]


@feature(of="images", dtype=float)
def blur(gray: Image, steps: list[list[int]]) -> float | None:
    """Standard deviation of the blur of the sharpest edges, in px of the image scaled to 512 px on its longer side.

    It is estimated from the strongest edges in each of four directions: the share of their rise over four pixels that
    they reach over one. So a plain background does not matter, and motion blur in one direction counts. 0 where the
    blur is too small to be measured, null where there are no edges.
    """
    if min(gray.size) <= _FAR:
        return None
    least = math.inf
    for (x, y), near in zip(_DIRECTIONS, steps, strict=True):
        far = _ranked(_differences(gray, x * _FAR, y * _FAR), _EDGES)
        if far < _WEAK:
            return None
        least = min(least, _ranked(near, _EDGES) / far)
    # `_RISES` decreases with the deviation, and bisection needs an increasing key.
    place = bisect_left(_RISES, -least, key=lambda rise: -rise)
    deviation = _DEVIATIONS[min(place, len(_DEVIATIONS) - 1)]
    return deviation * 512 / max(gray.size) if deviation >= _MIN_DEVIATION else 0.0


@feature(of="images", dtype=float)
def noise(pixels: Image) -> float | None:
    """Standard deviation of the noise in the difference of red and green, in levels of 255.

    It is measured in color, because foliage and fabric are rough in brightness but smooth in color, while sensor noise
    is in both. It is the median response to a mask that ignores flat and sloping areas (Immerkaer, "Fast Noise Variance
    Estimation", Computer Vision and Image Understanding 64, 1996, with the median in place of the mean).
    """
    import numpy as np

    if min(pixels.size) < 8:
        return None
    red, green, _ = (np.asarray(band) for band in pixels.split())
    plane = np.subtract(red, green, dtype=np.int16)
    across = plane[:, :-2] - 2 * plane[:, 1:-1] + plane[:, 2:]
    response = np.abs(across[:-2] - 2 * across[1:-1] + across[2:])
    return _ranked(np.bincount(response.ravel()).cumsum().tolist(), 0.5) / (6 * 0.6745)


@feature(of="images", dtype=float)
def structure(gray: Image, steps: list[list[int]]) -> float:
    """Number of differences of more than 8 gray levels to the pixel on the right or below, per pixel: 0 to 2."""
    return sum(counts[-1] - counts[_WEAK] for counts in steps[:2]) / (gray.width * gray.height)


@feature(of="images", dtype=float)
def jpeg_quality(header: Image) -> float | None:
    """Quality of a JPEG file on libjpeg's scale, 1 to 100, from its luminance table; null for other formats."""
    tables = getattr(header, "quantization", None)
    if not tables or len(tables.get(0, ())) != 64:
        return None
    scale = 100 * sum(tables[0]) / _STANDARD_TABLE
    return float(min(100.0, max(1.0, (200 - scale) / 2 if scale <= 100 else 5000 / scale)))


def _differences(gray: Image, x: int, y: int) -> list[int]:
    """Cumulative histogram of the absolute differences between pixels at an offset."""
    from PIL import ImageChops

    width, height = gray.size
    left = max(-x, 0)
    one = gray.crop((left, 0, width - max(x, 0), height - y))
    other = gray.crop((left + x, y, left + x + one.width, height))
    return list(accumulate(ImageChops.difference(one, other).histogram()))


def _ranked(counts: Sequence[int], share: float) -> int:
    """The value below which a share of the values lies, from their cumulative histogram."""
    return bisect_right(counts, int(share * (counts[-1] - 1)))
