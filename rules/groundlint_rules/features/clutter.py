"""Edge density and number of colors of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

GRID = 16
"""Cells in each direction for which the share of edge pixels is kept."""


@step(of="images")
def padded_planes(pixels: Image) -> NDArray[np.int16]:
    """The image, at most 96 px on its longer side, as color planes with a border of one pixel."""
    from groundlint_rules.algorithms.edges import padded, reduced

    return padded(reduced(pixels))


@feature(of="images", dtype=bytes, version=2, length=GRID * GRID)
def edge_share(padded_planes: NDArray[np.int16]) -> bytes:
    """Share of pixels on thin edges in each of 16 x 16 cells, row by row, one byte per cell (255 for all)."""
    from groundlint_rules.algorithms.edges import edge_shares, thin_edges

    return edge_shares(thin_edges(padded_planes)).tobytes()


@feature(of="images", dtype=int)
def color_count(padded_planes: NDArray[np.int16]) -> int:
    """Number of distinct colors, at 16 levels per channel: 1 to 4,096."""
    from groundlint_rules.algorithms.edges import color_count as counted

    return counted(padded_planes)
