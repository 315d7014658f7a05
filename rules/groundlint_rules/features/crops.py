"""Sharpness, brightness and contrast of the content of a box."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step
from groundlint_rules.algorithms.levels import cumulative_histogram, percentile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from groundlint.images.decoding import Context

MIN_SIDE = 20
"""Longer side, in px, below which a box is not measured, because it has too few pixels."""

_SIDE = 64
"""Side, in px, of the square to which a box is scaled before its sharpness is measured."""

_SURROUNDINGS_SIDE = 32
"""Minimum side, in px, to which a box with its surroundings is reduced before its contrast is measured."""


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


@feature(of="crops", dtype=float, version=2)
def crop_brightness(crop_gray: Image | None) -> float | None:
    """Gray level at or below which 95% of the pixels of the box lie, 0 to 255."""
    if crop_gray is None:
        return None
    return float(percentile(cumulative_histogram(crop_gray), 0.95))


@feature(of="crops", dtype=float, version=2)
def crop_contrast(context: Context) -> float | None:
    """Difference between the levels inside a box and around it, 0 to 255.

    It is the Wasserstein distance of the two distributions, averaged over red, green and blue. Null where nothing is
    around the box.
    """
    import numpy as np

    image, (left, top, right, bottom) = context
    if max(right - left, bottom - top) < MIN_SIDE:
        return None
    x, y = (max(1, side // _SURROUNDINGS_SIDE) for side in image.size)
    colors = np.asarray(image.reduce((x, y)))
    inside = colors[round(top / y) : round(bottom / y), round(left / x) : round(right / x)]
    if inside.size in (0, colors.size):
        return None
    within, whole = _histograms(inside), _histograms(colors)
    shares = [counts.cumsum(1) / counts[0].sum() for counts in (within, whole - within)]
    return float(np.abs(shares[0] - shares[1]).sum(1).mean())


def _histograms(colors: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Histograms of red, green and blue, from (height, width, 3) to (3, 256)."""
    import numpy as np

    return np.bincount((colors + np.arange(0, 768, 256)).ravel(), minlength=768).reshape(3, 256)
