"""What distinguishes the middle of a box from its surroundings: the foreground without its background."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from groundlint.images.decoding import Context

MIN_SIDE = 16
"""Longer side, in px, below which a box is not measured, because too little of the object is visible."""

SIDE = 128
"""Side, in px, of the square to which the box with its surroundings is scaled."""

QUARTERS, CHANNELS = 4, 384
"""A foreground has `CHANNELS` numbers for each quarter of the middle, because usually only a part of an object
is occluded."""

SCALE = 256
"""Stored value of a difference of 1; differences beyond one half are clipped."""

_FIRE = 7
"""Fire module whose cells are compared. It and the shares below were chosen on half 0 of the benchmark's data."""

_MARGIN = 0.2
"""Share of the box's side that is excluded at each edge: objects rarely fill the corners."""

_REACH = 0.6
"""Share of the box's side that a quarter covers: quarters overlap, so that none consists of a single cell."""


@step(of="crops")
def context_square(context: Context) -> NDArray[np.uint8] | None:
    """The box with its surroundings as an RGB square, (128, 128, 3); None for boxes smaller than 16 px."""
    import numpy as np
    from PIL import Image

    image, (left, top, right, bottom) = context
    if max(right - left, bottom - top) < MIN_SIDE:
        return None
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


@feature(of="crops", dtype=bytes, version=2, only_sampled=True, length=QUARTERS * CHANNELS)
def foreground(context_square: NDArray[np.uint8] | None, context: Context) -> bytes | None:
    """Activations of SqueezeNet 1.1 in quarters of the middle of the box, minus those around it: 4 x 384 signed bytes.

    The quarters are top left, top right, bottom left and bottom right. Null where nothing is around the box.
    """
    import numpy as np

    from groundlint_rules.features._squeezenet import activations

    if context_square is None:
        return None
    cells = np.sqrt(activations(context_square, _FIRE))
    # Roots of unit length (Hellinger): the kind of content counts, not the strength of the response.
    cells /= np.maximum(np.linalg.norm(cells, axis=2, keepdims=True), np.finfo(np.float32).tiny)
    x, y = _cell_centers(context, len(cells))
    depth = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    background = depth < 0
    quarters = [
        (depth > _MARGIN) & row & column
        for row in (y < _REACH, y > 1 - _REACH)
        for column in (x < _REACH, x > 1 - _REACH)
    ]
    if not all(part.any() for part in (background, *quarters)):
        return None
    difference = np.stack([cells[quarter].mean(0) for quarter in quarters]) - cells[background].mean(0)
    return bytes(np.clip(np.rint(difference * SCALE), -127, 127).astype(np.int8).tobytes())


@feature(of="crops", dtype=float, version=2, only_sampled=True)
def foreground_sharpness(context_square: NDArray[np.uint8] | None) -> float | None:
    """Logarithm of the standard deviation of the Laplacian, in gray levels, of the square that SqueezeNet sees.

    It is low for enlarged boxes as well as for blurred ones.
    """
    import numpy as np

    if context_square is None:
        return None
    gray = context_square @ np.array([0.299, 0.587, 0.114], np.float32)
    laplacian = gray[1:-1, 2:] + gray[1:-1, :-2] + gray[2:, 1:-1] + gray[:-2, 1:-1] - 4 * gray[1:-1, 1:-1]
    return float(np.log(laplacian.std() + 0.1))


def _cell_centers(context: Context, cells: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The centers of the cells, x and y as shares of the box's sides from its top left corner: (cells, cells) each."""
    import numpy as np

    image, (left, top, right, bottom) = context
    centers = (np.arange(1, cells + 1) * 16 - 0.5) / SIDE
    x = (centers * image.width - left) / (right - left)
    y = (centers * image.height - top) / (bottom - top)
    return np.broadcast_to(x[None, :], (cells, cells)), np.broadcast_to(y[:, None], (cells, cells))
