"""Verification that two images show parts of one view: one is cropped out of the other, or the frame has moved.

Embeddings of different objects of a kind may be as close as those of two frames of a film. Here the middle of one
image is looked for in the other, at several scales: the maximum of the normalized cross-correlation (Lewis, "Fast
Normalized Cross-Correlation", 1995) over all places. Both are small gray images of which a middle band of frequencies
is left: coarse shading is alike on all objects of a kind, and the finest structure depends on fractions of a pixel.

Most candidates show different things, which is seen at a sixteenth and at a quarter of the pixels already.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Search(NamedTuple):
    """How one image is looked for in the other. Lengths are in px of the square images that are compared.

    Attributes:
        side: Side of the images.
        fine: Standard deviation of the blur below which frequencies are left out. Without it, a crop that lies half a
            pixel beside the grid correlates by 0.70 to 0.80 instead of 0.95.
        coarse: That of the blur above which they are.
        middle: Side of the part that is looked for; of a crop, the edges need not be found.
        sizes: Sides to which the middle is reduced: the other image is a crop by 1 - size / middle.
        moved: Side of the part that is looked for at the same scale: it is found if the frame moved by up to half of
            what is left.
        min_overlap: Correlation from which two images count as parts of one view.
    """

    side: int
    fine: float
    coarse: float
    middle: int
    sizes: tuple[int, ...]
    moved: int
    min_overlap: float


SEARCH = Search(64, 1.0, 4.0, middle=54, sizes=tuple(range(52, 35, -2)), moved=44, min_overlap=0.94)
"""Of crops by 4% to 33%, and frames that moved by up to 15%.

In the tuning half of clothing and imagenet_sample (sha256(source_ref)[0] even), different images reach 0.925 among the
1,500 nearest pairs of embeddings.
"""

SMALL_SIDE = 64
"""Side of an image, in px, below which a pair is compared by `SMALL_SEARCH`."""

SMALL_SEARCH = SEARCH._replace(middle=58, sizes=tuple(range(58, 37, -2)), moved=48, min_overlap=0.80)
"""Where an image is smaller than 64 px, copies correlate less, because they were resized. More of them must be found,
because there is less detail by which they differ. The threshold was chosen on half 0 of the pairs of cifar10n in
benchmarks/similar_pairs.csv; the sides of the parts, of which half 0 holds too few pairs to tell, on both halves."""

COARSE_SEARCH = Search(16, 0.7, 2.5, middle=12, sizes=(10, 8), moved=11, min_overlap=0.75)
"""Which candidates are compared at all: see benchmarks/README.md for how many are lost and how many are left."""

MIDDLE_SEARCH = Search(32, 0.7, 2.5, middle=26, sizes=(24, 22, 20, 18), moved=22, min_overlap=0.75)
"""Which of those left by `COARSE_SEARCH` are compared at full size, which takes eight times as long as this."""

_MIN_CONTRAST = 1.0
"""Standard deviation, in gray levels, that a place needs to be compared."""

_BATCH_PIXELS = 64 * 64**2
"""Pixels that are compared together."""


def overlap(a: NDArray[np.uint8], b: NDArray[np.uint8], search: Search = SEARCH) -> NDArray[np.float32]:
    """How well the middle of one image of a pair is found in the other, whichever is found better.

    Args:
        a: Gray images of shape (n, side, side).
        b: As many images.
        search: How one is looked for in the other.

    Returns:
        Shape (n,): -1 to 1, symmetric in a and b; see `Search.min_overlap`.
    """
    best = np.empty(len(a), np.float32)
    batch = _BATCH_PIXELS // search.side**2
    for start in range(0, len(a), batch):
        part = slice(start, start + batch)
        best[part] = _overlap(_band(a[part], search), _band(b[part], search), search)
    return best


def shrunk(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Gray images (n, 64, 64) reduced to (n, side, side), where 64 is a multiple of the side."""
    cells = images.reshape(len(images), side, images.shape[1] // side, side, images.shape[2] // side)
    return np.asarray(cells.mean(axis=(2, 4), dtype=np.float32).round(), np.uint8)


def _overlap(a: NDArray[np.float32], b: NDArray[np.float32], search: Search) -> NDArray[np.float32]:
    best = np.full(len(a), -1, np.float32)
    for image, other in ((a, b), (b, a)):
        spectrum = np.asarray(np.fft.rfft2(image), np.complex64)
        templates = [_middle(other, search.moved)]
        middle = _middle(other, search.middle)
        for size in search.sizes:
            weights = _reduction(search.middle, size)
            templates.append(np.asarray(weights @ middle @ weights.T, np.float32))
        for template in templates:
            np.maximum(best, _correlation(image, spectrum, template), out=best)
    return best


def _band(images: NDArray[np.uint8], search: Search) -> NDArray[np.float32]:
    levels = images.astype(np.float32)
    fine, coarse = _blur(search.side, search.fine), _blur(search.side, search.coarse)
    return np.asarray(fine @ levels @ fine.T - coarse @ levels @ coarse.T, np.float32)


def _middle(images: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    cut = (images.shape[1] - side) // 2
    return images[:, cut : cut + side, cut : cut + side]


def _correlation(
    images: NDArray[np.float32], spectra: NDArray[np.complex64], templates: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The best normalized cross-correlation of each template at a place within its image, shape (n,)."""
    whole, side = images.shape[1], templates.shape[1]
    places = whole - side + 1
    zero_mean = templates - templates.mean(axis=(1, 2), keepdims=True)
    spectrum = np.conj(np.fft.rfft2(zero_mean, s=(whole, whole)))
    products = np.fft.irfft2(spectra * spectrum, s=(whole, whole))[:, :places, :places]
    sums, squares = _sums(images, side), _sums(images * images, side)
    variation = np.maximum(squares - sums * sums / side**2, 0)
    own = np.square(zero_mean).sum(axis=(1, 2), dtype=np.float64)[:, None, None]
    least = (_MIN_CONTRAST * side) ** 2
    has_contrast = (variation >= least) & (own >= least)
    lengths = np.sqrt(np.maximum(variation * own, 1))
    return np.asarray(np.where(has_contrast, products / lengths, 0).max(axis=(1, 2)), np.float32)


def _sums(images: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    """Sums over all squares of a side within images, by integral images: (n, places, places)."""
    whole = images.shape[1]
    table = np.zeros((len(images), whole + 1, whole + 1))
    table[:, 1:, 1:] = images.cumsum(axis=1, dtype=np.float64).cumsum(axis=2)
    return np.asarray(
        table[:, side:, side:] - table[:, :-side, side:] - table[:, side:, :-side] + table[:, :-side, :-side]
    )


@cache
def _blur(side: int, sigma: float) -> NDArray[np.float32]:
    """Matrix (side, side) of a Gaussian blur along a side; pixels outside the image have no weight."""
    x = np.arange(side)
    weights = np.exp(-((x[:, None] - x) ** 2) / (2 * sigma**2))
    # Smaller weights change nothing, and as denormal numbers would take twenty times as long.
    weights[weights < 1e-12] = 0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


@cache
def _reduction(middle: int, size: int) -> NDArray[np.float32]:
    """Matrix (size, middle) that reduces a side of the middle."""
    from PIL import Image

    sides = Image.fromarray(np.eye(middle, dtype=np.float32))
    return np.ascontiguousarray(np.asarray(sides.resize((size, middle), Image.Resampling.BILINEAR)).T)
