"""What the middle of a box shows that its surroundings do not show: the figure before its ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from groundlint.images.measure import Context

MIN_SIDE = 16
"""Pixels of the longer side from which a box is looked at: below, too little of the object is to be seen."""

SIDE = 128
"""Pixels of the square to which the box with its surroundings is pressed."""

QUARTERS, CHANNELS = 4, 384
"""A figure has as many numbers of each quarter of the middle: what is hidden is most often a part."""

SCALE = 256
"""What a difference of 1 is in the whole numbers of a figure; what differs by more than a half is cut to it."""

_FIRE = 7
"""The fire module whose cells are compared; chosen as the shares below, on half 0 of benchmarks/visibility.py."""

_MIDDLE = 0.2
"""Share of the box's side that the middle leaves out at each edge: objects seldom fill the corners."""

_REACH = 0.6
"""Share of the box's side to which a quarter reaches from an edge: quarters overlap, so that none is a single cell."""


@step(of="crops")
def surrounded(context: Context) -> NDArray[np.uint8] | None:
    """The box with its surroundings as a square in RGB, (128, 128, 3); None for one that is too small."""
    import numpy as np
    from PIL import Image

    left, top, right, bottom = context.box
    if max(right - left, bottom - top) < MIN_SIDE:
        return None
    return np.asarray(context.picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


@feature(of="crops", dtype=bytes, version=2, only_sampled=True, length=QUARTERS * CHANNELS)
def foreground(surrounded: NDArray[np.uint8] | None, context: Context) -> bytes | None:
    """Activations of SqueezeNet 1.1 in the quarters of the box's middle less those round it: 4 x 384 single bytes.

    The quarters are top left, top right, bottom left, bottom right. None where there is nothing round the box: it is
    the whole image.
    """
    import numpy as np

    from groundlint_rules.features._squeezenet import activations

    if surrounded is None:
        return None
    cells = np.sqrt(activations(surrounded, _FIRE))
    # Unit length: what is there counts, not how strongly it shows (Hellinger's map, as for mislabel suspects).
    cells /= np.maximum(np.linalg.norm(cells, axis=2, keepdims=True), np.finfo(np.float32).tiny)
    x, y = _places(context, len(cells))
    depth = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    ground = depth < 0
    quarters = [
        (depth > _MIDDLE) & row & column
        for row in (y < _REACH, y > 1 - _REACH)
        for column in (x < _REACH, x > 1 - _REACH)
    ]
    if not all(part.any() for part in (ground, *quarters)):
        return None
    difference = np.stack([cells[quarter].mean(0) for quarter in quarters]) - cells[ground].mean(0)
    return bytes(np.clip(np.rint(difference * SCALE), -127, 127).astype(np.int8).tobytes())


@feature(of="crops", dtype=float, version=2, only_sampled=True)
def foreground_sharpness(surrounded: NDArray[np.uint8] | None) -> float | None:
    """Logarithm of the Laplacian's deviation, in shades, of what the net sees: enlarging counts as blur."""
    import numpy as np

    if surrounded is None:
        return None
    grey = surrounded @ np.array([0.299, 0.587, 0.114], np.float32)
    laplacian = grey[1:-1, 2:] + grey[1:-1, :-2] + grey[2:, 1:-1] + grey[:-2, 1:-1] - 4 * grey[1:-1, 1:-1]
    return float(np.log(laplacian.std() + 0.1))


def _places(context: Context, cells: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the middles of the cells lie, x and y in shares of the box's sides from its top left: (cells, cells)."""
    import numpy as np

    left, top, right, bottom = context.box
    middles = (np.arange(1, cells + 1) * 16 - 0.5) / SIDE
    x = (middles * context.picture.width - left) / (right - left)
    y = (middles * context.picture.height - top) / (bottom - top)
    return np.broadcast_to(x[None, :], (cells, cells)), np.broadcast_to(y[:, None], (cells, cells))
