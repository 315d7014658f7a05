"""How a picture is laid out, as 896 numbers: where which colours and edges are, without knowing what they show.

Three kinds, side by side, of the picture cut to 8 x 8 cells:

- 192: the mean luma and chroma (YCbCr of JPEG, ITU-R BT.601) of each cell, as the colour layout descriptor of MPEG-7
  has them (ISO/IEC 15938-3), before its cosine transform;
- 576: a histogram of edge directions for each cell, 9 directions without sign, each pixel counted by its gradient's
  length, halved between the nearest two directions as far as it lies from them, and each cell scaled with its
  neighbours (Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005);
- 128: a histogram of the whole picture's colours, 8 hues, 4 saturations, 4 values (HSV), its square root taken, so
  that Euclid's distance between two is Hellinger's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

FEATURES = 896
CELLS = 8
DIRECTIONS = 9

_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_HUES, _SATURATIONS, _VALUES = 8, 4, 4
_SMALL_SIDE = 64
_LEAST_LENGTH = 2.0
"""Gradients' length, in grey values, that is added before a cell is scaled: even ground stays near zero."""


def layout(pixels: NDArray[np.uint8]) -> FloatArray:
    """How pictures are laid out, as numbers.

    Args:
        pixels: RGB pictures of one size, (n, side, side, 3), 0 to 255; the side a multiple of 8 pixels.

    Returns:
        (n, 896): colours of the cells, edges of the cells, colours of the whole. Row by row the same whatever the
        other rows are.

    Raises:
        ValueError: if the pixels are of another type or shape.
    """
    height, width = pixels.shape[1:3] if pixels.ndim == 4 else (0, 0)
    if pixels.dtype != np.uint8 or height != width or not height or height % CELLS or pixels.shape[3] != 3:
        raise ValueError(f"not square RGB pictures with a side of a multiple of {CELLS}: {pixels.dtype} {pixels.shape}")
    features = np.empty((len(pixels), FEATURES), np.float32)
    for number, picture in enumerate(pixels):
        small = _reduced(picture)
        ycbcr = small @ _YCBCR.T
        cells = _means(ycbcr, len(ycbcr) // CELLS)
        features[number] = np.concatenate([cells.ravel(), _edges(ycbcr[..., 0]).ravel(), _colours(small)])
    return features


def _reduced(picture: NDArray[np.uint8]) -> FloatArray:
    """A picture of some 64 pixels a side (64 to 127), by means of square blocks; cells stay of whole pixels."""
    side = picture.shape[0]
    factor = max(divisor for divisor in range(1, max(side // _SMALL_SIDE, 1) + 1) if side // CELLS % divisor == 0)
    return _means(picture.astype(np.float32), factor)


def _means(values: FloatArray, size: int) -> FloatArray:
    """Means of square blocks: (side, side, channels) to (side / size, side / size, channels)."""
    # Summed slice by slice: to numpy's `mean`, axes as short as these cost twice as much.
    columns = values[:, ::size].copy()
    for step in range(1, size):
        columns += values[:, step::size]
    sums = columns[::size].copy()
    for step in range(1, size):
        sums += columns[step::size]
    return sums / np.float32(size * size)


def _edges(luma: FloatArray) -> FloatArray:
    """Histograms of the directions of edges: (side, side) grey values to (8, 8, 9)."""
    framed = np.pad(luma, 1, mode="edge")
    across = framed[1:-1, 2:] - framed[1:-1, :-2]
    down = framed[2:, 1:-1] - framed[:-2, 1:-1]
    length = np.hypot(across, down)
    # From 0 to 9, and 9 is 0 again; directions are the middles of the bins.
    direction = _wrapped(np.arctan2(down, across) * np.float32(DIRECTIONS / np.pi), DIRECTIONS)
    lower = np.floor(direction)
    share = direction - lower
    first = lower.astype(np.intp)
    first[first == DIRECTIONS] = 0
    second = first + 1
    second[second == DIRECTIONS] = 0
    cell = np.arange(luma.shape[0]) // (luma.shape[0] // CELLS)
    place = (cell[:, None] * CELLS + cell) * DIRECTIONS
    counts = np.bincount((place + first).ravel(), (length * (1 - share)).ravel(), CELLS * CELLS * DIRECTIONS)
    counts += np.bincount((place + second).ravel(), (length * share).ravel(), counts.size)
    cells = counts.reshape(CELLS, CELLS, DIRECTIONS)
    energy = np.pad((cells**2).sum(2), 1, mode="edge")
    around = sum(energy[row : row + CELLS, column : column + CELLS] for row in range(3) for column in range(3))
    pixels = (luma.shape[0] // CELLS) ** 2
    scaled: FloatArray = (cells / (np.sqrt(around) + _LEAST_LENGTH * pixels)[..., None]).astype(np.float32)
    return scaled


def _wrapped(values: FloatArray, period: int) -> FloatArray:
    """The remainder of values from -period to period, which may stay itself: as `%`, in a fifth of its time."""
    return np.where(values < 0, values + np.float32(period), values)


def _colours(picture: FloatArray) -> FloatArray:
    """The root of the shares of 8 hues x 4 saturations x 4 values among the pixels of (side, side, 3): 128 numbers."""
    # Contiguous planes: all that follows goes over them many times.
    red, green, blue = np.ascontiguousarray(np.moveaxis(picture, 2, 0))
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    some = np.maximum(spread, np.float32(1e-6))
    # Sixths of the colour circle, from red over green and blue (Smith, "Color gamut transform pairs", 1978).
    sixth = np.where(
        value == red,
        _wrapped((green - blue) / some, 6),
        np.where(value == green, (blue - red) / some + 2, (red - green) / some + 4),
    )
    hue = np.minimum((sixth * (_HUES / 6)).astype(np.intp), _HUES - 1)
    saturation = np.minimum((spread / np.maximum(value, 1) * _SATURATIONS).astype(np.intp), _SATURATIONS - 1)
    level = np.minimum((value * (_VALUES / 256)).astype(np.intp), _VALUES - 1)
    bins = (hue * _SATURATIONS + saturation) * _VALUES + level
    shares = np.bincount(bins.ravel(), minlength=_HUES * _SATURATIONS * _VALUES) / bins.size
    roots: FloatArray = np.sqrt(shares).astype(np.float32)
    return roots
