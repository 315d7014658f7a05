"""How much there is to see in a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


@step(of="images")
def scene(pixels: Image) -> NDArray[np.int16]:
    """The picture at most 96 pixels long, as framed planes."""
    from groundlint_rules.algorithms.edges import framed, reduced

    return framed(reduced(pixels))


@feature(of="images", dtype=bytes, version=2, length=256)
def contours(scene: NDArray[np.int16]) -> bytes:
    """The share of thin contours in each of 16 x 16 cells, row by row, in parts of 255."""
    from groundlint_rules.algorithms import edges as _contours

    return _contours.shares(_contours.contours(scene)).tobytes()


@feature(of="images", dtype=int)
def colours(scene: NDArray[np.int16]) -> int:
    """How many different colours there are, at 16 levels a channel."""
    from groundlint_rules.algorithms.edges import colour_count

    return colour_count(scene)
