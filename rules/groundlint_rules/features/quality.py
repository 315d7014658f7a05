"""Exposure, focus, noise and compression of an image."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step
from groundlint_rules.algorithms.levels import cumulative_histogram, percentile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Levels = NDArray[np.int16]

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


@step(of="images")
def levels(gray: Image) -> Levels:
    """Gray levels as signed integers, (height, width)."""
    import numpy as np

    return np.asarray(gray).astype(np.int16)


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
def steps(levels: Levels) -> list[Levels]:
    """Absolute differences to the next pixel in each of four directions."""
    return [_differences(levels, x * _NEAR, y * _NEAR) for x, y in _DIRECTIONS]


@feature(of="images", dtype=float)
def blur(levels: Levels, steps: list[Levels]) -> float | None:
    """Standard deviation of the blur of the sharpest edges, in px of the image scaled to 512 px on its longer side.

    It is estimated from the strongest edges in each of four directions: the share of their rise over four pixels that
    they reach over one. So a plain background does not matter, and motion blur in one direction counts. 0 where the
    blur is too small to be measured, null where there are no edges.
    """
    if min(levels.shape) <= _FAR:
        return None
    least = math.inf
    for (x, y), near in zip(_DIRECTIONS, steps, strict=True):
        far = _ranked(_differences(levels, x * _FAR, y * _FAR), _EDGES)
        if far < _WEAK:
            return None
        least = min(least, _ranked(near, _EDGES) / far)
    # `_RISES` decreases with the deviation, and bisection needs an increasing key.
    place = bisect_left(_RISES, -least, key=lambda rise: -rise)
    deviation = _DEVIATIONS[min(place, len(_DEVIATIONS) - 1)]
    return deviation * 512 / max(levels.shape) if deviation >= _MIN_DEVIATION else 0.0


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
    colors = np.asarray(pixels)
    plane = np.subtract(colors[..., 0], colors[..., 1], dtype=np.int16)
    across = plane[:, :-2] - 2 * plane[:, 1:-1] + plane[:, 2:]
    response = np.abs(across[:-2] - 2 * across[1:-1] + across[2:]).ravel()
    return _ranked(response, 0.5) / (6 * 0.6745)


@feature(of="images", dtype=float)
def structure(levels: Levels, steps: list[Levels]) -> float:
    """Number of differences of more than 8 gray levels to the pixel on the right or below, per pixel: 0 to 2."""
    import numpy as np

    return sum(int(np.count_nonzero(near > _WEAK)) for near in steps[:2]) / levels.size


@feature(of="images", dtype=float)
def jpeg_quality(header: Image) -> float | None:
    """Quality of a JPEG file on libjpeg's scale, 1 to 100, from its luminance table; null for other formats."""
    tables = getattr(header, "quantization", None)
    if not tables or len(tables.get(0, ())) != 64:
        return None
    scale = 100 * sum(tables[0]) / _STANDARD_TABLE
    return float(min(100.0, max(1.0, (200 - scale) / 2 if scale <= 100 else 5000 / scale)))


def _differences(levels: Levels, x: int, y: int) -> Levels:
    """Absolute differences between pixels at an offset, flattened."""
    import numpy as np

    height, width = levels.shape
    if x < 0:
        differences = levels[: height - y, -x:] - levels[y:, : width + x]
    else:
        differences = levels[: height - y, : width - x] - levels[y:, x:]
    amounts: Levels = np.abs(differences, out=differences)
    return amounts.ravel()


def _ranked(values: Levels, share: float) -> int:
    """The value below which a share of the values lies. It reorders the values."""
    place = int(share * (values.size - 1))
    values.partition(place)
    return int(values[place])
