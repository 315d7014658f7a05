"""Brightness and color of an image as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step

if TYPE_CHECKING:
    from PIL.Image import Image

_LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in gray levels (ITU-R BT.601)."""


@step(of="images")
def mean_levels(pixels: Image) -> tuple[float, float, float]:
    """Mean levels of red, green and blue, 0 to 255."""
    from PIL import ImageStat

    red, green, blue = ImageStat.Stat(pixels).mean
    return red, green, blue


@feature(of="images", dtype=float)
def brightness(mean_levels: tuple[float, float, float]) -> float:
    """Mean gray level, 0 to 255."""
    return sum(weight * level for weight, level in zip(_LUMA, mean_levels, strict=True))


@feature(of="images", dtype=float)
def redness(mean_levels: tuple[float, float, float]) -> float:
    """Mean difference of red and green, -255 (green) to 255 (red)."""
    red, green, _ = mean_levels
    return red - green


@feature(of="images", dtype=float)
def yellowness(mean_levels: tuple[float, float, float]) -> float:
    """Mean difference of blue to the mean of red and green, -255 (blue) to 255 (yellow)."""
    red, green, blue = mean_levels
    return (red + green) / 2 - blue


@feature(of="images", dtype=float)
def saturation(pixels: Image, brightest: Image) -> float:
    """Mean difference of the brightest and the darkest of red, green and blue at each pixel, 0 to 255."""
    from PIL import ImageChops, ImageStat

    red, green, blue = pixels.split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    return float(ImageStat.Stat(brightest).mean[0] - ImageStat.Stat(darkest).mean[0])
