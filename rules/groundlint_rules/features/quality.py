"""How well a picture is exposed, focused and stored, on its small version: 256 pixels long."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from groundlint.features import feature, step

if TYPE_CHECKING:
    from PIL.Image import Image

_NEAR, _FAR = 1, 4
"""Pixels over which a sharp edge has risen, and over which a blurred one still rises."""

_EDGES = 0.999
"""Share of the pixels that are none of the strongest edges: however plain the background, those tell the focus."""

# The luminance table that JPEG files are scaled from (ITU-T T.81, annex K.1), in sum.
_STANDARD_TABLE = 3688


@step(of="images")
def levels(grey: Image) -> list[int]:
    """How many pixels have each of the 256 shades."""
    return grey.histogram()


@feature(of="images", dtype=float)
def darkest(levels: list[int]) -> float:
    """Shade below which 5 % of the pixels lie, 0 to 255."""
    return float(quantile(levels, 0.05))


@feature(of="images", dtype=float)
def middle(levels: list[int]) -> float:
    """Shade below which half of the pixels lie, 0 to 255."""
    return float(quantile(levels, 0.5))


@feature(of="images", dtype=float)
def brightest(levels: list[int]) -> float:
    """Shade below which 99 % of the pixels lie, 0 to 255."""
    return float(quantile(levels, 0.99))


@feature(of="images", dtype=float)
def burnt(levels: list[int]) -> float:
    """Share of the pixels that are as good as white, 0 to 1."""
    return sum(levels[250:]) / sum(levels)


@feature(of="images", dtype=float)
def spread(levels: list[int]) -> float:
    """Shades between the darkest and the brightest twentieth of the pixels, 0 to 255."""
    return float(quantile(levels, 0.95) - quantile(levels, 0.05))


@feature(of="images", dtype=float)
def sharpness(grey: Image) -> float | None:
    """How fast the strongest edges rise: over one pixel as a share of over four, in the direction where it is least.

    Near 1 for a sharp edge, near 1/4 for one blurred over four pixels or more. By the strongest edges in each direction
    alone, so that neither a plain background nor the size of the picture matters, and motion in one direction shows.
    Null where there are no edges.
    """
    ratios = []
    for x, y in ((1, 0), (0, 1), (1, 1), (1, -1)):
        far = _rise(grey, x * _FAR, y * _FAR)
        if far >= 8:
            ratios.append(_rise(grey, x * _NEAR, y * _NEAR) / far)
    return min(ratios) if len(ratios) == 4 else None


@feature(of="images", dtype=float)
def noise(pixels: Image) -> float | None:
    """Standard deviation of the noise in the red-difference colour, in shades.

    In colour, since foliage and fabric are rough in brightness and smooth in colour, while a sensor's noise is in all.
    By the median answer to a mask that flat and sloping areas do not answer to (Immerkaer: Fast Noise Variance
    Estimation, Computer Vision and Image Understanding 64, 1996, with the median in place of the mean).
    """
    from PIL import ImageFilter

    if min(pixels.size) < 8:
        return None
    mask = ImageFilter.Kernel((3, 3), (1, -2, 1, -2, 4, -2, 1, -2, 1), scale=1, offset=128)
    plane = pixels.convert("YCbCr").getchannel("Cr").filter(mask).crop((1, 1, pixels.width - 1, pixels.height - 1))
    answer = plane.histogram()
    folded = [answer[128], *(answer[128 + n] + answer[128 - n] for n in range(1, 128)), answer[0]]
    return quantile(folded, 0.5) / (6 * 0.6745)


@feature(of="images", dtype=float)
def structure(grey: Image) -> float:
    """Share of the pixels that differ from a neighbour by more than 8 shades, 0 to 1."""
    return _changed(grey, 1, 0) + _changed(grey, 0, 1)


@feature(of="images", dtype=float)
def jpeg_quality(header: Image) -> float | None:
    """Quality of a JPEG, 1 to 100 as libjpeg counts, by its table for brightness; null for other formats."""
    tables = getattr(header, "quantization", None)
    if not tables or len(tables.get(0, ())) != 64:
        return None
    scale = 100 * sum(tables[0]) / _STANDARD_TABLE
    return float(min(100.0, max(1.0, (200 - scale) / 2 if scale <= 100 else 5000 / scale)))


def quantile(levels: Sequence[int], share: float) -> int:
    """The shade below which a share of the pixels lies."""
    wanted = share * sum(levels)
    return next(shade for shade, count in enumerate(accumulate(levels)) if count >= wanted)


def _rise(grey: Image, x: int, y: int) -> int:
    """Difference of shades over a step that the strongest edges reach."""
    return quantile(_differences(grey, x, y), _EDGES)


def _changed(grey: Image, x: int, y: int) -> float:
    differences = _differences(grey, x, y)
    return sum(differences[9:]) / max(1, sum(differences))


def _differences(grey: Image, x: int, y: int) -> list[int]:
    """How many pixels differ by each number of shades from the one a step away."""
    from PIL import ImageChops

    width, height = grey.width - abs(x), grey.height - abs(y)
    if width < 1 or height < 1:
        return [1] + [0] * 255
    one = grey.crop((0, max(0, -y), width, max(0, -y) + height))
    other = grey.crop((x, max(0, y), x + width, max(0, y) + height))
    return ImageChops.difference(one, other).histogram()
