"""What a box shows: its content as a whole, and what distinguishes its middle from its surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step
from groundlint_rules.features.embeddings import NUMBERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from groundlint.images.decoding import Context
    from groundlint_rules.features._efficientnet import Activations

MIN_SIDE = 16
"""Longer side, in px, below which a box is not measured, because too little of the object is visible."""

SIDE = 128
"""Side, in px, of the square to which the box with its surroundings is scaled."""

QUARTERS, CHANNELS = 4, 112
"""A foreground has `CHANNELS` numbers for each quarter of the middle, because usually only a part of an object
is occluded."""

SCALE = 256
"""Stored value of a difference of 1; differences beyond one half are clipped."""

_SURROUNDINGS = 0.125
"""Share of the box's side that is taken on each side of it. With a quarter, as for the contrast of a box, the net sees
less of the object: more wrong labels are missed, and no more occluded objects are found."""

_MARGIN = 0.2
"""Share of the box's side that is excluded at each edge: objects rarely fill the corners. It was chosen, as were the
layer of the net and the quarters, on half 0 of the benchmark's data."""


@step(of="crops")
def context_square(context: Context) -> NDArray[np.uint8] | None:
    """The box with an eighth of its size around it as an RGB square, (128, 128, 3); None for boxes below 16 px."""
    import numpy as np
    from PIL import Image

    left, top, right, bottom = context.box
    if max(right - left, bottom - top) < MIN_SIDE:
        return None
    return np.asarray(context.image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=_outer(context)))


@step(of="crops")
def context_activations(context_square: NDArray[np.uint8] | None) -> Activations | None:
    """What EfficientNet-Lite0 sees in the box with its surroundings."""
    from groundlint_rules.features._efficientnet import activations

    return None if context_square is None else activations(context_square)


@feature(of="crops", dtype=bytes, only_sampled=True, length=NUMBERS)
def crop_embedding(context_activations: Activations | None) -> bytes | None:
    """Embedding of the box and an eighth of its size around it, by EfficientNet-Lite0: 1,280 bytes.

    A byte is the square root of an activation, 255 for the root of 6: it is the roots that are compared.
    """
    from groundlint_rules.features._efficientnet import root_bytes

    return None if context_activations is None else root_bytes(context_activations.embedding)


@feature(of="crops", dtype=bytes, version=3, only_sampled=True, length=QUARTERS * CHANNELS)
def foreground(context_activations: Activations | None, context: Context) -> bytes | None:
    """An inner layer of EfficientNet-Lite0 in quarters of the middle of the box, minus around it: 4 x 112 signed bytes.

    The quarters are top left, top right, bottom left and bottom right. Null where nothing is around the box.
    """
    import numpy as np

    if context_activations is None:
        return None
    parts = _parts(context, len(context_activations.cells))
    sizes = parts.sum(1)
    if not sizes.all():
        return None
    cells = context_activations.cells.reshape(-1, CHANNELS)
    # Of unit length: the kind of content counts, not the strength of the response.
    lengths = np.maximum(np.linalg.norm(cells, axis=1), np.finfo(np.float32).tiny)
    background, *quarters = parts / lengths @ cells / sizes[:, None]
    difference = np.stack(quarters) - background
    return bytes(np.clip(np.rint(difference * SCALE), -127, 127).astype(np.int8).tobytes())


@feature(of="crops", dtype=float, version=3, only_sampled=True)
def foreground_sharpness(context_square: NDArray[np.uint8] | None) -> float | None:
    """Logarithm of the standard deviation of the Laplacian, in gray levels, of the square that the net sees.

    It is low for enlarged boxes as well as for blurred ones.
    """
    import numpy as np

    if context_square is None:
        return None
    gray = context_square @ np.array([0.299, 0.587, 0.114], np.float32)
    laplacian = gray[1:-1, 2:] + gray[1:-1, :-2] + gray[2:, 1:-1] + gray[:-2, 1:-1] - 4 * gray[1:-1, 1:-1]
    return float(np.log(laplacian.std() + 0.1))


def _outer(context: Context) -> tuple[float, float, float, float]:
    """The box and an eighth of its size around it, as far as the image reaches: left, top, right, bottom."""
    image, (left, top, right, bottom) = context
    x, y = _SURROUNDINGS * (right - left), _SURROUNDINGS * (bottom - top)
    return max(0, left - x), max(0, top - y), min(image.width, right + x), min(image.height, bottom + y)


def _parts(context: Context, side: int) -> NDArray[np.float32]:
    """Which of side x side cells, row by row, are around the box and in each quarter of its middle: (5, cells)."""
    import numpy as np

    _, (left, top, right, bottom) = context
    start_x, start_y, end_x, end_y = _outer(context)
    centers = (np.arange(side) + 0.5) / side
    # As shares of the box's sides, from its top left corner.
    x = (start_x + centers * (end_x - start_x) - left) / (right - left)
    y = (start_y + centers * (end_y - start_y) - top) / (bottom - top)
    is_around = ~np.logical_and.outer((y >= 0) & (y <= 1), (x >= 0) & (x <= 1))
    halves = [[(at > _MARGIN) & (at < 0.5), (at >= 0.5) & (at < 1 - _MARGIN)] for at in (y, x)]
    quarters = [np.logical_and.outer(row, column) for row in halves[0] for column in halves[1]]
    return np.stack([is_around, *quarters]).reshape(-1, side * side).astype(np.float32)
