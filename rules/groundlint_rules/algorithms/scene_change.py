"""Where two images of one scene differ, apart from exposure and noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MIN_NOISE = 2.0
"""Standard deviation, in gray levels, of what counts as noise at least: pixels are rounded, and JPEG changes them."""

_OUTLIER = 2.5
"""Multiple of the noise from which a pixel does not show how the exposure changed."""

_ROUNDS = 4


_WINDOW = 3
"""Side, in px, of the squares over which a change is averaged where nothing says where to look."""


def change(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Difference of the pixels of two images, after their exposure is matched, in multiples of the noise.

    The image of more contrast is taken as a linear function of the other, clipped to 0 to 255 and fitted to the pixels
    that changed least (iterated least squares). The noise is the standard deviation that the median of the absolute
    differences suggests.

    Args:
        a: Gray images of shape (n, height, width).
        b: As many images of this size, in the same position.

    Returns:
        Shape (n, height, width), not negative.
    """
    levels = np.stack([images.reshape(len(images), -1).astype(np.float64) for images in (a, b)])
    order = levels.std(axis=2).argsort(axis=0)
    one, other = np.take_along_axis(levels, order[:, :, None], axis=0)
    weights = np.ones_like(one)
    for _ in range(_ROUNDS):
        total = weights.sum(1, keepdims=True)
        mean, mean_other = ((weights * side).sum(1, keepdims=True) / total for side in (one, other))
        covariance = (weights * (one - mean) * (other - mean_other)).sum(1, keepdims=True)
        variance = (weights * np.square(one - mean)).sum(1, keepdims=True)
        expected = mean_other + covariance / np.maximum(variance, 1) * (one - mean)
        difference = np.abs(other - np.clip(expected, 0, 255))
        noise = np.maximum(1.4826 * np.median(difference, axis=1, keepdims=True), _MIN_NOISE)
        weights = (difference <= _OUTLIER * noise).astype(np.float64)
    return np.asarray((difference / noise).reshape(a.shape))


def change_within(
    changes: NDArray[np.float64], images: NDArray[np.intp], edges: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Mean change within rectangles.

    Args:
        changes: As `change` returns them, (n, height, width).
        images: Shape (rectangles,): for each rectangle the row of `changes` that it is in.
        edges: Shape (rectangles, 4): left, top, right and bottom, in px; the last two lie outside.

    Returns:
        Shape (rectangles,): NaN for rectangles without pixels.
    """
    sums = _integral(changes)
    left, top, right, bottom = edges.T
    total = (
        sums[images, bottom, right] - sums[images, top, right] - sums[images, bottom, left] + sums[images, top, left]
    )
    pixels = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    return np.asarray(np.where(pixels > 0, total, np.nan) / np.maximum(pixels, 1))


def most_change(changes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean change of the square of 3 x 3 px that changed most.

    Args:
        changes: As `change` returns them, (n, height, width).

    Returns:
        Shape (n,).
    """
    sums, w = _integral(changes), _WINDOW
    total = sums[:, w:, w:] - sums[:, :-w, w:] - sums[:, w:, :-w] + sums[:, :-w, :-w]
    return np.asarray(total.max(axis=(1, 2)) / w**2)


def _integral(changes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of all pixels above and to the left, (n, height + 1, width + 1)."""
    return np.pad(changes.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))
