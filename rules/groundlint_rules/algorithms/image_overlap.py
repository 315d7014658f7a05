"""Verification that two images show parts of one view: one is cropped out of the other, or the frame has moved.

Embeddings of different objects of a kind may be as close as those of two frames of a film. Here the middle of one
image is looked for in the other, at several scales: the maximum of the normalized cross-correlation (Lewis, "Fast
Normalized Cross-Correlation", 1995) over all places. Both are small gray images of which a middle band of frequencies
is left: coarse shading is alike on all objects of a kind, and the finest structure depends on fractions of a pixel.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

SIDE = 64

MIN_OVERLAP = 0.94
"""Correlation from which two images count as parts of one view.

In the tuning half of clothing and imagenet_sample (sha256(source_ref)[0] even), different images reach 0.925 among the
1,500 nearest pairs of embeddings.
"""

_FINE, _COARSE = 1.0, 4.0
"""Standard deviations, in px, of the blurs between which frequencies are kept. Without the first, a crop that lies half
a pixel beside the grid correlates by 0.70 to 0.80 instead of 0.95."""

_MIDDLE = 54
"""Side, in px, of the part that is looked for; of a crop, the edges need not be found."""

_SIZES = tuple(range(52, 35, -2))
"""Sides, in px, to which the middle is reduced: the other image is a crop of 4% to 33%."""

_MOVED = 44
"""Side, in px, of the part that is looked for at the same scale: it is found if the frame moved by up to 15%."""

_MIN_CONTRAST = 1.0
"""Standard deviation, in gray levels, that a place needs to be compared."""

_BATCH = 64


def overlap(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How well the middle of one image of a pair is found in the other, whichever is found better.

    Args:
        a: Gray images of shape (n, 64, 64).
        b: As many images.

    Returns:
        Shape (n,): -1 to 1, symmetric in a and b; see `MIN_OVERLAP`.
    """
    best = np.empty(len(a), np.float32)
    for start in range(0, len(a), _BATCH):
        part = slice(start, start + _BATCH)
        best[part] = _overlap(_band(a[part]), _band(b[part]))
    return best


def _overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    best = np.full(len(a), -1, np.float32)
    for image, other in ((a, b), (b, a)):
        spectrum = np.asarray(np.fft.rfft2(image), np.complex64)
        templates = [_middle(other, _MOVED)]
        middle = _middle(other, _MIDDLE)
        templates += [np.asarray(_reduction(n) @ middle @ _reduction(n).T, np.float32) for n in _SIZES]
        for template in templates:
            np.maximum(best, _correlation(image, spectrum, template), out=best)
    return best


def _band(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    levels = images.astype(np.float32)
    fine, coarse = _blur(_FINE), _blur(_COARSE)
    return np.asarray(fine @ levels @ fine.T - coarse @ levels @ coarse.T, np.float32)


def _middle(images: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    cut = (SIDE - side) // 2
    return images[:, cut : cut + side, cut : cut + side]


def _correlation(
    images: NDArray[np.float32], spectra: NDArray[np.complex64], templates: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The best normalized cross-correlation of each template at a place within its image, shape (n,)."""
    side = templates.shape[1]
    places = SIDE - side + 1
    zero_mean = templates - templates.mean(axis=(1, 2), keepdims=True)
    spectrum = np.conj(np.fft.rfft2(zero_mean, s=(SIDE, SIDE)))
    products = np.fft.irfft2(spectra * spectrum, s=(SIDE, SIDE))[:, :places, :places]
    sums, squares = _sums(images, side), _sums(images * images, side)
    variation = np.maximum(squares - sums * sums / side**2, 0)
    own = np.square(zero_mean).sum(axis=(1, 2), dtype=np.float64)[:, None, None]
    least = (_MIN_CONTRAST * side) ** 2
    has_contrast = (variation >= least) & (own >= least)
    lengths = np.sqrt(np.maximum(variation * own, 1))
    return np.asarray(np.where(has_contrast, products / lengths, 0).max(axis=(1, 2)), np.float32)


def _sums(images: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    """Sums over all squares of a side within images, by integral images: (n, 65 - side, 65 - side)."""
    table = np.zeros((len(images), SIDE + 1, SIDE + 1))
    table[:, 1:, 1:] = images.cumsum(axis=1, dtype=np.float64).cumsum(axis=2)
    return np.asarray(
        table[:, side:, side:] - table[:, :-side, side:] - table[:, side:, :-side] + table[:, :-side, :-side]
    )


@cache
def _blur(sigma: float) -> NDArray[np.float32]:
    """Matrix (64, 64) of a Gaussian blur along a side; pixels outside the image have no weight."""
    x = np.arange(SIDE)
    weights = np.exp(-((x[:, None] - x) ** 2) / (2 * sigma**2))
    # Smaller weights change nothing, and as denormal numbers would take twenty times as long.
    weights[weights < 1e-12] = 0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


@cache
def _reduction(size: int) -> NDArray[np.float32]:
    """Matrix (size, 54) that reduces a side of the middle."""
    from PIL import Image

    sides = Image.fromarray(np.eye(_MIDDLE, dtype=np.float32))
    return np.ascontiguousarray(np.asarray(sides.resize((size, _MIDDLE), Image.Resampling.BILINEAR)).T)
