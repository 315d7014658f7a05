"""Exposure, focus, noise and compression of an image."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step
from groundlint_rules.algorithms.levels import brightest_channel, cumulative_histogram, percentile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_WHITE = 250
"""Level from which a pixel counts as white."""

_SUSPECT_WHITE = 0.25
"""Share of white pixels from which an image is measured for overexposure."""

_MIN_OUTSIDE = 0.005
"""Share of the pixels outside the white background below which the whole image counts as white."""

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

_SUSPECT_BLUR = 3.0
"""Blur from which an image is measured again at full size; all but 2% of strongly blurred photographs have more."""

_SUSPECT_NOISE = 4.0
"""Noise in color from which an image is measured again; photographs with strong noise have 6.7 and more."""

_FULL_SIDE = 1024
"""Side, in px, of what is measured at full size."""

_EDGE = 24
"""Difference of gray levels over 12 px from which there is an edge."""

_SHARP = 2.0
"""Rise of an edge, in px of what is measured, below which it is not soft."""

_MIN_EDGES = 60
"""Pixels on edges that a direction must have to be judged."""

_BLOCK = 16
_MIN_BLOCKS = 8
_BLACK = 20

# Sum of the standard luminance table, from which JPEG encoders derive theirs (ITU-T T.81, annex K.1).
_STANDARD_TABLE = 3688


@step(of="images")
def brightest(pixels: Image) -> Image:
    """The brightest of red, green and blue at each pixel: a red or blue scene is not dark."""
    return brightest_channel(pixels)


@feature(of="images", dtype=float, version=2)
def bright_level(brightest: Image) -> float:
    """Level at or below which 99.5% of the pixels lie in their brightest channel, 0 to 255."""
    return float(percentile(cumulative_histogram(brightest), 0.995))


@feature(of="images", dtype=float)
def clipped_share(gray: Image) -> float:
    """Share of pixels that are white (250 to 255), 0 to 1."""
    counts = cumulative_histogram(gray)
    return 1 - counts[_WHITE - 1] / counts[-1]


def _is_whitish(clipped_share: float) -> bool:
    return clipped_share >= _SUSPECT_WHITE


@step(of="images")
def white_background(gray: Image) -> NDArray[np.bool_]:
    """Which pixels belong to a white area that reaches the border of the image: (height, width)."""
    import numpy as np

    white = np.pad(np.asarray(gray) >= _WHITE, 1)
    reached = white.copy()
    reached[2:-2, 2:-2] = False
    count = 0
    while count != (count := int(reached.sum())):
        rows = reached[:-2] | reached[1:-1] | reached[2:]
        reached[1:-1, 1:-1] |= (rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]) & white[1:-1, 1:-1]
    return reached[1:-1, 1:-1]


@feature(of="images", dtype=float, when=_is_whitish)
def clipped_objects(brightest: Image, white_background: NDArray[np.bool_]) -> float:
    """Share of pixels that are clipped in a channel (250 to 255) among those outside the white background, 0 to 1.

    It is 1 where nearly the whole image is white. It is measured on images of which a quarter or more is white.
    """
    import numpy as np

    outside = np.asarray(brightest)[~white_background]
    if outside.size < _MIN_OUTSIDE * white_background.size:
        return 1.0
    return float((outside >= _WHITE).mean())


@feature(of="images", dtype=float, when=_is_whitish)
def object_dark_level(gray: Image, white_background: NDArray[np.bool_]) -> float | None:
    """Gray level at or below which the darkest 5% of the pixels outside the white background lie, 0 to 255.

    It is measured on images of which a quarter or more is white; null where all is background.
    """
    import numpy as np

    outside = np.asarray(gray)[~white_background]
    return float(np.percentile(outside, 5)) if outside.size else None


@feature(of="images", dtype=float, when=_is_whitish)
def solid_share(white_background: NDArray[np.bool_]) -> float:
    """Share of the pixels outside the white background that are 3 px and more away from it, 0 to 1.

    It is low for text on a page. It is measured on images of which a quarter or more is white.
    """
    import numpy as np
    import PIL.Image
    from PIL import ImageFilter

    count = int((~white_background).sum())
    solid = PIL.Image.fromarray((~white_background).astype(np.uint8)).filter(ImageFilter.MinFilter(5))
    return float(np.asarray(solid).sum() / count) if count else 0.0


@feature(of="images", dtype=float, version=2)
def spread(pixels: Image) -> float:
    """Levels between the 5th and the 95th percentile of the pixels, 0 to 255, in the channel in which they are most."""
    counts = [cumulative_histogram(channel) for channel in pixels.split()]
    return float(max(percentile(each, 0.95) - percentile(each, 0.05) for each in counts))


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


def _is_soft(blur: float | None) -> bool:
    return blur is not None and blur >= _SUSPECT_BLUR


@step(of="images")
def edge_rises(whole: Image) -> list[float]:
    """Distances over which the sharpest edges rise in each of four directions, in px of the image scaled to 512 px.

    They are measured at 512 to 1,024 px, as `blur` is at 80 to 160 px, and at all edges instead of only the strongest
    ones: a white bottle before a white wall is not blurred. A distance is given by the share of the rise over 12 px
    that 5% of the edges reach over 2 px in its middle. Directions with too few edges are left out; the list is empty
    where edges are about as sharp as pixels allow.
    """
    import numpy as np

    factor = -(-max(whole.size) // _FULL_SIDE)
    levels = np.asarray((whole if factor == 1 else whole.reduce(factor)).convert("L")).astype(np.int16)
    scale = max(levels.shape) / 512
    rises = []
    for x, y in _DIRECTIONS:
        length = math.hypot(x, y)
        near, far = (max(least, round(scale * px / length)) for px, least in ((2, 1), (12, 3)))
        if min(levels.shape) <= far:
            return []
        flipped = levels[:, ::-1] if x < 0 else levels
        wide, narrow = (_offset_differences(flipped, abs(x) * by, y * by) for by in (far, near))
        at = (far - near) // 2
        narrow = narrow[y * at :, abs(x) * at :][: wide.shape[0], : wide.shape[1]]
        is_edge = wide >= _EDGE
        if is_edge.sum() >= _MIN_EDGES:
            reached = float(np.percentile(narrow[is_edge] / wide[is_edge], 95))
            rises.append(near * length / scale / max(reached, 1 / 255))
    # Of a thumbnail even sharp edges rise over many px of 512.
    return rises if rises and max(rises) * scale >= _SHARP else []


@feature(of="images", dtype=float, when=_is_soft, version=2)
def edge_rise(edge_rises: list[float]) -> float | None:
    """Distance over which the sharpest edges rise, in px of the image scaled to 512 px, where edges are softest.

    It is measured on soft images, in four directions. Null where there are too few edges, or where they are about as
    sharp as pixels allow.
    """
    return max(edge_rises, default=None)


@feature(of="images", dtype=float, when=_is_soft)
def edge_rise_ratio(edge_rises: list[float]) -> float | None:
    """`edge_rise` as a multiple of the distance in the direction in which edges are sharpest, 1 and more.

    Out of focus it is about 1; motion softens edges across its direction only.
    """
    return max(edge_rises) / min(edge_rises) if edge_rises else None


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
    response = _noise_response(np.subtract(red, green, dtype=np.int16))
    return _ranked(np.bincount(response.ravel()).cumsum().tolist(), 0.5) / (6 * 0.6745)


def _is_rough(noise: float | None) -> bool:
    return noise is not None and noise >= _SUSPECT_NOISE


@feature(of="images", dtype=float, when=_is_rough)
def flat_noise(whole: Image) -> float | None:
    """Standard deviation of the noise in the smoothest areas, in gray levels; measured on images with rough colors.

    Noise is everywhere, texture is not: of the blocks of 16 x 16 px in the middle of the image (at most 1,024 px on a
    side, not scaled), it is the value below which 5% lie. Nearly black and nearly white blocks, where noise is cut off,
    are left out if there are others.
    """
    import numpy as np

    width, height = (min(side, _FULL_SIDE) for side in whole.size)
    left, top = (whole.width - width) // 2, (whole.height - height) // 2
    levels = np.asarray(whole.crop((left, top, left + width, top + height)).convert("L")).astype(np.int16)
    if min(levels.shape) < _BLOCK + 2:
        return None
    means, responses = (_block_means(part) for part in (levels[1:-1, 1:-1], _noise_response(levels)))
    is_usable = (means > _BLACK) & (means < 255 - _BLACK)
    if is_usable.sum() >= _MIN_BLOCKS:
        responses = responses[is_usable]
    return float(np.percentile(responses, 5)) * math.sqrt(math.pi / 2) / 6


@feature(of="images", dtype=float, version=2)
def structure(brightest: Image) -> float:
    """Number of differences of more than 8 levels to the pixel on the right or below, per pixel: 0 to 2.

    It is measured in the brightest channel, because a blue scene is nearly black in gray levels.
    """
    steps = [_differences(brightest, x * _NEAR, y * _NEAR) for x, y in _DIRECTIONS[:2]]
    return sum(counts[-1] - counts[_WEAK] for counts in steps) / (brightest.width * brightest.height)


@feature(of="images", dtype=float, version=2)
def jpeg_quality(header: Image) -> float | None:
    """Quality of a JPEG file on libjpeg's scale, above 0 to 100, from its luminance table; null for other formats."""
    tables = getattr(header, "quantization", None)
    if not tables or len(tables.get(0, ())) != 64:
        return None
    scale = 100 * sum(tables[0]) / _STANDARD_TABLE
    return float(min(100.0, (200 - scale) / 2 if scale <= 100 else 5000 / scale))


def _noise_response(plane: NDArray[np.int16]) -> NDArray[np.int16]:
    """Response to Immerkaer's mask, which is 6 times as large as the noise, without the border of one pixel."""
    across = plane[:, :-2] - 2 * plane[:, 1:-1] + plane[:, 2:]
    response: NDArray[np.int16] = abs(across[:-2] - 2 * across[1:-1] + across[2:])
    return response


def _block_means(plane: NDArray[np.int16]) -> NDArray[np.float64]:
    """Means of the blocks of 16 x 16 px."""
    rows, columns = (side // _BLOCK for side in plane.shape)
    blocks = plane[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    means: NDArray[np.float64] = blocks.mean((1, 3)).ravel()
    return means


def _offset_differences(levels: NDArray[np.int16], x: int, y: int) -> NDArray[np.int16]:
    """Absolute differences between pixels at an offset to the right and below."""
    height, width = levels.shape
    differences: NDArray[np.int16] = abs(levels[y:, x:] - levels[: height - y, : width - x])
    return differences


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
