"""The layout of an image as 896 numbers: which colors and edges are where, whatever the image shows.

The image is divided into 8 x 8 cells. Three kinds of numbers follow each other:

- 192: mean luma and chroma (YCbCr of JPEG, ITU-R BT.601) of each cell, as in the color layout descriptor of MPEG-7
  (ISO/IEC 15938-3), without its cosine transform;
- 576: a histogram of edge directions for each cell: 9 unsigned directions, each pixel weighted by the length of its
  gradient and shared between the two nearest directions, each cell normalized with its neighbors (Dalal and Triggs,
  "Histograms of Oriented Gradients for Human Detection", CVPR 2005);
- 128: a color histogram of the whole image: 8 hues, 4 saturations, 4 values (HSV), as square roots, so that the
  Euclidean distance between two of them is the Hellinger distance.
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
_NOISE_LENGTH = 2.0
"""Gradient length, in gray levels per pixel, added before a cell is normalized: flat areas stay near zero."""


def layout(pixels: NDArray[np.uint8]) -> FloatArray:
    """Describe the layout of images.

    Args:
        pixels: RGB images of one size, (n, side, side, 3), 0 to 255; the side is a multiple of 8 px.

    Returns:
        (n, 896): colors of the cells, edges of the cells, colors of the whole image. A row does not depend on the
        other rows.

    Raises:
        ValueError: The pixels have another type or shape.
    """
    height, width = pixels.shape[1:3] if pixels.ndim == 4 else (0, 0)
    if pixels.dtype != np.uint8 or height != width or not height or height % CELLS or pixels.shape[3] != 3:
        raise ValueError(f"not square RGB images with a side divisible by {CELLS}: {pixels.dtype} {pixels.shape}")
    features = np.empty((len(pixels), FEATURES), np.float32)
    for number, image in enumerate(pixels):
        small = _reduced(image)
        ycbcr = small @ _YCBCR.T
        cells = _means(ycbcr, len(ycbcr) // CELLS)
        features[number] = np.concatenate(
            [cells.ravel(), _edge_histograms(ycbcr[..., 0]).ravel(), _color_histogram(small)]
        )
    return features


def _reduced(image: NDArray[np.uint8]) -> FloatArray:
    """The image reduced to 64 to 127 px per side by averaging square blocks; cells keep whole pixels."""
    side = image.shape[0]
    factor = max(divisor for divisor in range(1, max(side // _SMALL_SIDE, 1) + 1) if side // CELLS % divisor == 0)
    return _means(image.astype(np.float32), factor)


def _means(values: FloatArray, size: int) -> FloatArray:
    """Means of square blocks, from (side, side, channels) to (side / size, side / size, channels)."""
    # Summed slice by slice, which on axes as short as these takes half the time of numpy's `mean`.
    columns = values[:, ::size].copy()
    for step in range(1, size):
        columns += values[:, step::size]
    sums = columns[::size].copy()
    for step in range(1, size):
        sums += columns[step::size]
    return sums / np.float32(size * size)


def _edge_histograms(luma: FloatArray) -> FloatArray:
    """Histograms of edge directions, from gray levels (side, side) to (8, 8, 9)."""
    padded = np.pad(luma, 1, mode="edge")
    across = padded[1:-1, 2:] - padded[1:-1, :-2]
    down = padded[2:, 1:-1] - padded[:-2, 1:-1]
    length = np.hypot(across, down)
    # From 0 to 9, where 9 is 0 again; a direction is the center of its bin.
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
    scaled: FloatArray = (cells / (np.sqrt(around) + _NOISE_LENGTH * pixels)[..., None]).astype(np.float32)
    return scaled


def _wrapped(values: FloatArray, period: int) -> FloatArray:
    """Values from -period to period, modulo the period (which itself may remain), in a fifth of the time of `%`."""
    return np.where(values < 0, values + np.float32(period), values)


def _color_histogram(image: FloatArray) -> FloatArray:
    """Square roots of the shares of 8 hues x 4 saturations x 4 values among the pixels of (side, side, 3): (128,)."""
    # Contiguous planes, because everything below reads them many times.
    red, green, blue = np.ascontiguousarray(np.moveaxis(image, 2, 0))
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    some = np.maximum(spread, np.float32(1e-6))
    # Sixths of the color circle, from red through green and blue (Smith, "Color Gamut Transform Pairs", 1978).
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
