"""Percentiles of the gray levels of an image."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def cumulative_histogram(gray: Image) -> list[int]:
    """For each of the 256 gray levels, the number of pixels at or below it."""
    return list(accumulate(gray.histogram()))


def percentile(counts: list[int], share: float) -> int:
    """The gray level, 0 to 255, at or below which a share of the pixels lies.

    Args:
        counts: A cumulative histogram.
        share: 0 to 1.
    """
    return bisect_left(counts, share * counts[-1])


def brightest_channel(image: Image) -> Image:
    """The brightest of red, green and blue at each pixel of an RGB image."""
    from PIL import ImageChops

    red, green, blue = image.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)
