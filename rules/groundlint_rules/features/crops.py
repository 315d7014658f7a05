"""How well the object in a box is to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step
from groundlint_rules.algorithms.levels import below, counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from groundlint.images.measure import Context

MIN_SIDE = 20
"""Pixels of the longer side from which a box is looked at: below, there is too little to tell."""

_SIDE = 64
"""Pixels of the square to which a box is pressed for its sharpness."""

_SURROUNDINGS = 32
"""Pixels a side, at least, to which a box with its surroundings is reduced for its contrast."""


@step(of="crops")
def crop_grey(crop: Image) -> Image | None:
    """The box in shades of grey; None for one that is too small."""
    return crop.convert("L") if max(crop.size) >= MIN_SIDE else None


@feature(of="crops", dtype=float, version=2)
def crop_sharpness(crop_grey: Image | None) -> float | None:
    """Standard deviation of the Laplacian of the box pressed to a square of 64 pixels, in shades.

    Little is there of what is out of focus, and of what is enlarged from few pixels, which looks the same.
    """
    import numpy as np
    from PIL import Image as Pillow

    if crop_grey is None:
        return None
    shades = np.asarray(crop_grey.resize((_SIDE, _SIDE), Pillow.Resampling.BILINEAR)).astype(np.int16)
    middle = shades[1:-1, 1:-1]
    laplacian = shades[1:-1, 2:] + shades[1:-1, :-2] + shades[2:, 1:-1] + shades[:-2, 1:-1] - 4 * middle
    return float(laplacian.std())


@feature(of="crops", dtype=float, version=2)
def crop_brightest(crop_grey: Image | None) -> float | None:
    """Shade below which 95 % of the box lie, 0 to 255."""
    if crop_grey is None:
        return None
    return float(below(counted(crop_grey), 0.95))


@feature(of="crops", dtype=float, version=2)
def crop_contrast(context: Context) -> float | None:
    """How far the shades in a box differ from those round it, in shades.

    The Wasserstein distance of their distributions, its mean over red, green and blue. Null where there is nothing
    round the box.
    """
    import numpy as np

    picture, (left, top, right, bottom) = context
    if max(right - left, bottom - top) < MIN_SIDE:
        return None
    x, y = (max(1, side // _SURROUNDINGS) for side in picture.size)
    colours = np.asarray(picture.reduce((x, y)))
    inside = colours[round(top / y) : round(bottom / y), round(left / x) : round(right / x)]
    if inside.size in (0, colours.size):
        return None
    within, whole = _counts(inside), _counts(colours)
    shares = [counts.cumsum(1) / counts[0].sum() for counts in (within, whole - within)]
    return float(np.abs(shares[0] - shares[1]).sum(1).mean())


def _counts(colours: NDArray[np.uint8]) -> NDArray[np.intp]:
    """How many pixels of (height, width, 3) have each shade of red, of green and of blue, (3, 256)."""
    import numpy as np

    return np.bincount((colours + np.arange(0, 768, 256)).ravel(), minlength=768).reshape(3, 256)
