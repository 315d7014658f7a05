"""How well the object in a box is to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.features import feature

if TYPE_CHECKING:
    from PIL.Image import Image

    from groundlint.images.measure import Context

MIN_SIDE = 20
"""Pixels of the longer side from which a box is looked at: below, there is too little to tell."""

_SIDE = 64
"""Pixels of the square to which a box is pressed for its sharpness."""

_SURROUNDINGS = 32
"""The same of a box with its surroundings, for its contrast."""


@feature(of="crops", dtype=float)
def crop_sharpness(crop: Image) -> float | None:
    """Standard deviation of the Laplacian of the box pressed to a square of 64 pixels, in shades.

    Little is there of what is out of focus, and of what is enlarged from few pixels, which looks the same.
    """
    import numpy as np
    from PIL import Image as Pillow

    if max(crop.size) < MIN_SIDE:
        return None
    shades = np.asarray(crop.convert("L").resize((_SIDE, _SIDE), Pillow.Resampling.BILINEAR), np.float32)
    middle = shades[1:-1, 1:-1]
    laplacian = shades[1:-1, 2:] + shades[1:-1, :-2] + shades[2:, 1:-1] + shades[:-2, 1:-1] - 4 * middle
    return float(laplacian.std())


@feature(of="crops", dtype=float)
def crop_brightest(crop: Image) -> float | None:
    """Shade below which 95 % of the box lie, 0 to 255."""
    import numpy as np

    if max(crop.size) < MIN_SIDE:
        return None
    shades = np.asarray(crop.convert("L")).ravel().copy()
    place = int(0.95 * (shades.size - 1))
    shades.partition(place)
    return float(shades[place])


@feature(of="crops", dtype=float)
def crop_contrast(context: Context) -> float | None:
    """How far the shades in a box differ from those round it, in shades.

    The mean distance of the quantiles of both, over red, green and blue (the Wasserstein distance of their
    distributions). Null where there is nothing round the box.
    """
    import numpy as np
    from PIL import Image as Pillow

    picture, (left, top, right, bottom) = context
    if max(right - left, bottom - top) < MIN_SIDE:
        return None
    side = (_SURROUNDINGS, _SURROUNDINGS)
    colours = np.asarray(picture.resize(side, Pillow.Resampling.BILINEAR, reducing_gap=2.0), np.float32)
    middles = (np.arange(_SURROUNDINGS) + 0.5) / _SURROUNDINGS
    x, y = middles * picture.width, middles * picture.height
    inside = ((y >= top) & (y < bottom))[:, None] & ((x >= left) & (x < right))
    if inside.all() or not inside.any():
        return None
    levels = (np.arange(16) + 0.5) / 16
    ends = [np.sort(part, axis=0)[(levels * len(part)).astype(np.intp)] for part in (colours[inside], colours[~inside])]
    return float(np.abs(ends[0] - ends[1]).mean())
