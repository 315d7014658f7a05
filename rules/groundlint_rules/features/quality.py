"""How well a picture is exposed, focused and stored."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step
from groundlint_rules.algorithms.levels import below, counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Shades = NDArray[np.int16]

_NEAR, _FAR = 1, 4
"""Pixels over which a sharp edge has risen, and over which a blurred one still rises."""

_STEPS = ((1, 0), (0, 1), (1, 1), (-1, 1))

_EDGES = 0.999
"""Share of the pixels that are none of the strongest edges: however plain the background, those tell the focus."""

_WEAK = 8
"""Difference of shades that shows nothing."""

_LEAST = 0.8
"""Deviation in pixels of the picture that is looked at from which there is a blur: a small picture may be sharp."""

_DEVIATIONS = [0.05 * n for n in range(1, 81)]
_RISES = [math.erf(_NEAR / 2 / d / math.sqrt(2)) / math.erf(_FAR / 2 / d / math.sqrt(2)) for d in _DEVIATIONS]
"""What an edge blurred by a Gaussian of each deviation rises over the near step, as a share of the far one."""

# The luminance table that JPEG files are scaled from (ITU-T T.81, annex K.1), in sum.
_STANDARD_TABLE = 3688


@step(of="images")
def levels(grey: Image) -> list[int]:
    """How many pixels have each of the 256 shades, or a lower one."""
    return counted(grey)


@step(of="images")
def shades(grey: Image) -> Shades:
    """The shades as numbers that may be subtracted, (height, width)."""
    import numpy as np

    return np.asarray(grey).astype(np.int16)


@feature(of="images", dtype=float)
def darkest(levels: list[int]) -> float:
    """Shade below which 5 % of the pixels lie, 0 to 255."""
    return float(below(levels, 0.05))


@feature(of="images", dtype=float)
def brightest(levels: list[int]) -> float:
    """Shade below which 99 % of the pixels lie, 0 to 255."""
    return float(below(levels, 0.99))


@feature(of="images", dtype=float)
def burnt(levels: list[int]) -> float:
    """Share of the pixels that are as good as white, 0 to 1."""
    return 1 - levels[249] / levels[-1]


@feature(of="images", dtype=float)
def spread(levels: list[int]) -> float:
    """Shades between the darkest and the brightest twentieth of the pixels, 0 to 255."""
    return float(below(levels, 0.95) - below(levels, 0.05))


@step(of="images")
def rises(shades: Shades) -> list[Shades]:
    """Differences of shades to the next pixel in each of four directions, without sign."""
    return [_differences(shades, x * _NEAR, y * _NEAR) for x, y in _STEPS]


@feature(of="images", dtype=float)
def blur(shades: Shades, rises: list[Shades]) -> float | None:
    """Standard deviation of the blur of the sharpest edges, in pixels of a picture 512 long.

    By the strongest edges in each of four directions: what they rise over one pixel, as a share of over four, tells how
    they are blurred. So neither a plain background nor the size of the picture matters, and motion in one direction
    shows. 0 where it is too little to be seen, null where there are no edges.
    """
    if min(shades.shape) <= _FAR:
        return None
    least = math.inf
    for (x, y), near in zip(_STEPS, rises, strict=True):
        far = _ranked(_differences(shades, x * _FAR, y * _FAR), _EDGES)
        if far < _WEAK:
            return None
        least = min(least, _ranked(near, _EDGES) / far)
    # The rises fall with the deviation.
    place = bisect_left(_RISES, -least, key=lambda rise: -rise)
    deviation = _DEVIATIONS[min(place, len(_DEVIATIONS) - 1)]
    return deviation * 512 / max(shades.shape) if deviation >= _LEAST else 0.0


@feature(of="images", dtype=float)
def noise(pixels: Image) -> float | None:
    """Standard deviation of the noise in the difference of red and green, in shades.

    In colour, since foliage and fabric are rough in brightness and smooth in colour, while a sensor's noise is in all.
    By the median answer to a mask that flat and sloping areas do not answer to (Immerkaer: Fast Noise Variance
    Estimation, Computer Vision and Image Understanding 64, 1996, with the median in place of the mean).
    """
    import numpy as np

    if min(pixels.size) < 8:
        return None
    colours = np.asarray(pixels)
    plane = np.subtract(colours[..., 0], colours[..., 1], dtype=np.int16)
    across = plane[:, :-2] - 2 * plane[:, 1:-1] + plane[:, 2:]
    answer = np.abs(across[:-2] - 2 * across[1:-1] + across[2:]).ravel()
    return _ranked(answer, 0.5) / (6 * 0.6745)


@feature(of="images", dtype=float)
def structure(shades: Shades, rises: list[Shades]) -> float:
    """Share of the pixels that differ from a neighbour by more than 8 shades, 0 to 1."""
    import numpy as np

    return sum(int(np.count_nonzero(near > _WEAK)) for near in rises[:2]) / shades.size


@feature(of="images", dtype=float)
def jpeg_quality(header: Image) -> float | None:
    """Quality of a JPEG, 1 to 100 as libjpeg counts, by its table for brightness; null for other formats."""
    tables = getattr(header, "quantization", None)
    if not tables or len(tables.get(0, ())) != 64:
        return None
    scale = 100 * sum(tables[0]) / _STANDARD_TABLE
    return float(min(100.0, max(1.0, (200 - scale) / 2 if scale <= 100 else 5000 / scale)))


def _differences(shades: Shades, x: int, y: int) -> Shades:
    """Differences of shades over a step, without sign and in any order."""
    import numpy as np

    height, width = shades.shape
    if x < 0:
        differences = shades[: height - y, -x:] - shades[y:, : width + x]
    else:
        differences = shades[: height - y, : width - x] - shades[y:, x:]
    amounts: Shades = np.abs(differences, out=differences)
    return amounts.ravel()


def _ranked(values: Shades, share: float) -> int:
    """The value below which a share of the values lies; their order is lost."""
    place = int(share * (values.size - 1))
    values.partition(place)
    return int(values[place])
